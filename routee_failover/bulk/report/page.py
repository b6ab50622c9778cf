"""The report as one page of HTML that needs nothing else: no script, no address, nothing to load."""

import base64
import hashlib
import re
import shlex
from collections.abc import Iterator
from importlib.resources import files

from ..delivery_summary import DELIVERED, FAILED
from ..reconciliation import explain_reconciliation
from ..sanitize import sanitize
from .markup import Markup, joined, percent, tag
from .sections import (
    average_rate,
    costs_section,
    delivery_section,
    journeys_section,
    latency_section,
    rate_section,
    section,
    table,
)
from .values import Summary, Trouble
from .wording import THIN, Clock, listed, many, number, parted, share


def page(summary: Summary, *, name: str, written: float, clock: Clock) -> str:
    """The whole of it. `name` is how a shell calls the ledger; `written` is now, in seconds since 1970."""
    name = sanitize(name, 400)
    shown = re.split(r"[/\\]", name)[-1]
    style = files(__name__.rpartition(".")[0]).joinpath("report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # Nothing but this very style is let in, whatever a text from outside were to become.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = f"{shown}: {_headline(summary)}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("meta", name_="referrer", content="no-referrer"),
        tag("meta", name_="robots", content="noindex"),
        tag("meta", name_="generator", content="routee-failover"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        _header(summary, shown),
        tag("main", _facts(summary, clock), _tiles(summary), *_parts(summary, name, clock)),
        _footer(written, clock),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _parts(summary: Summary, name: str, clock: Clock) -> Iterator[Markup | None]:
    ask = _command("bulk", "reconcile", name, "--ends")
    if not summary.counts.total:
        yield section("nothing", "Nothing has been sent yet", tag("p", "The ledger holds no row.", class_="lede"))
        return
    yield rate_section(summary, clock)
    yield latency_section(summary)
    yield delivery_section(summary, ask)
    yield journeys_section(summary)
    yield costs_section(summary)
    yield _troubles(summary)
    yield _doubts(summary, name, clock)


def _command(*words: str) -> Markup:
    return tag("code", f"routee-failover {shlex.join(words)}")


def _headline(summary: Summary) -> str:
    counts = summary.counts
    if not counts.total:
        return "no message yet"
    if counts.accepted == counts.total:
        return "the message was accepted" if counts.total == 1 else f"all {counts.total:,} messages were accepted"
    return (
        f"{counts.accepted:,} of {many(counts.total, 'message')} {'was' if counts.accepted == 1 else 'were'} accepted"
    )


def _header(summary: Summary, name: str) -> Markup:
    headline = _headline(summary)
    return tag(
        "header",
        tag("p", "Bulk run ", tag("bdi", name), class_="kicker"),
        tag("h1", headline[0].upper() + headline[1:]),
        tag("p", _standfirst(summary), class_="standfirst"),
    )


def _standfirst(summary: Summary) -> str:
    """What a reader in a hurry has to know: every outcome that there is, and none that there is not."""
    counts = summary.counts
    if not counts.total:
        return "This report has nothing to show."
    them = "it" if counts.unknown == 1 else "them"
    suppressed = many(summary.suppressed, "row is", "rows are")
    left_out = f"{suppressed} on the suppression list. " if summary.suppressed else ""
    outcomes = [
        f"{many(counts.rejected, 'was', 'were')} rejected by Routee" if counts.rejected else "",
        f"{many(counts.invalid, 'is', 'are')} invalid" if counts.invalid else "",
        f"{many(counts.expired, 'has', 'have')} expired" if counts.expired else "",
        f"{many(counts.pending, 'is', 'are')} not sent yet" if counts.pending else "",
        f"{many(counts.unknown, 'is', 'are')} unknown (Routee may have accepted {them})" if counts.unknown else "",
    ]
    named = [outcome for outcome in outcomes if outcome]
    text = f"{listed(named)}. " if named else "No message was rejected, invalid or unknown. "
    return text + left_out + _delivered(summary)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _delivered(summary: Summary) -> str:
    delivered, failed = summary.accepted(DELIVERED), summary.accepted(FAILED)
    unknown = summary.counts.accepted - delivered - failed
    if not delivered and not failed:
        return "How the accepted were delivered is not known yet." if unknown > 1 else ""
    if delivered == summary.counts.accepted:
        return "All accepted messages were delivered." if delivered > 1 else "It was delivered."
    parts = [
        f"{delivered:,} {_were(delivered)} delivered",
        f"{failed:,} failed" if failed else "",
        f"{many(unknown, 'has', 'have')} no delivery report yet" if unknown else "",
    ]
    return f"Of the accepted, {listed(part for part in parts if part)}."


def _facts(summary: Summary, clock: Clock) -> Markup:
    begun, ended = summary.begun, summary.ended
    facts = [
        ("Endpoint", summary.endpoint),
        ("Recipients", summary.source),
        ("Flow", summary.flow),
    ]
    if begun is not None and ended is not None:
        total, active, idle = parted(ended - begun, summary.idle)
        average = average_rate(summary)
        facts += [
            ("Started", clock.full(begun)),
            ("Last activity" if summary.counts.pending else "Finished", clock.after(begun, ended)),
            ("Duration", f"{total}: {active} active, {idle} idle" if idle else total),
            ("Average rate", f"{number(average)} a second{' while active' if idle else ''}" if average else ""),
        ]
    facts += [("Run", summary.run_id)]
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", tag("bdi", text))) for name, text in facts if text),
        class_="facts",
    )


def _tiles(summary: Summary) -> Markup | None:
    """The outcomes that there are, whose numbers add up to all messages; a single one is in the heading already."""
    counts = summary.counts
    found_later = sum(count for proof, count in summary.proofs.items() if proof != "answer")
    tiles = [
        ("good", "Accepted", counts.accepted, f"{found_later:,} confirmed later" if found_later else None),
        ("bad", "Rejected", counts.rejected, "by Routee"),
        ("doubt", "Unknown", counts.unknown, "see below"),
        (
            "none",
            "Not sent",
            counts.pending,
            f"{counts.sending:,} in flight" if counts.sending else "resume sends them",
        ),
        ("none", "Expired", counts.expired, "deadline passed"),
        ("none", "Invalid", counts.invalid, "row cannot be sent"),
    ]
    shown = [tile for tile in tiles if tile[2]]
    if len(shown) < 2:
        return None
    return tag(
        "dl",
        *(
            tag(
                "div",
                tag("dt", name),
                tag("dd", f"{count:,}", class_="count"),
                tag("dd", share(count, counts.total), class_="share"),
                tag("dd", note, class_="note") if note else None,
                class_=f"tile {kind}",
            )
            for kind, name, count, note in shown
        ),
        class_="tiles",
    )


def _troubles(summary: Summary) -> Markup | None:
    """The reasons, most frequent first; nothing where there is none."""
    if not summary.troubles:
        return None
    most = summary.troubles[0].rows
    total = sum(trouble.rows for trouble in summary.troubles) + summary.other_troubles
    rows = [_trouble(trouble, most) for trouble in summary.troubles]
    if summary.other_troubles:
        rows.append(("Others", "all other reasons together", f"{summary.other_troubles:,}", ""))
    return section(
        "troubles",
        f"What went wrong with {many(total, 'message')}",
        tag("p", "The most frequent reasons, each with the first lines of the source.", class_="lede"),
        table(("Outcome", "Reason", "Messages", "Lines"), rows, texts=2, caption="Reasons", kind="troubles"),
    )


def _trouble(trouble: Trouble, most: int) -> tuple[str, ...]:
    more = "…" if trouble.rows > len(trouble.lines) else ""
    bar = tag(
        "svg",
        tag("rect", width=percent(trouble.rows / most), height="100%", rx="1.5"),
        class_="measure",
        width="100%",
        height="3",
        aria_hidden="true",
    )
    lines = ", ".join(map(str, trouble.lines))
    return trouble.outcome, joined(tag("bdi", trouble.reason), bar), f"{trouble.rows:,}", f"{lines}{more}"


def _doubts(summary: Summary, name: str, clock: Clock) -> Markup | None:
    unknown = summary.counts.unknown
    if not unknown:
        return None
    shown = len(summary.doubts)
    rows = (
        (
            str(doubt.line),
            doubt.recipient,
            f"{clock.at(doubt.since):%Y-%m-%d %H:%M:%S}",
            tag("code", doubt.label),
            tag("bdi", doubt.reason or "no reason given"),
        )
        for doubt in summary.doubts
    )
    return section(
        "doubts",
        f"{many(unknown, 'message is', 'messages are')} unknown",
        tag(
            "p",
            "Routee may have accepted them, and no response shows it. They are not sent again before that is known. ",
            _command("bulk", "reconcile", name),
            " looks each of them up; ",
            _command("bulk", "export", name, "--state", "UNKNOWN", "--csv"),
            " lists them all, each with the label that it carries.",
            class_="lede",
        ),
        tag("p", _provable(summary.endpoint), class_="lede"),
        table(
            ("Line", "Recipient", "Sent at", "Label", "Why"), rows, texts=5, caption="Unknown messages", kind="doubts"
        ),
        tag("p", f"The first {shown} of {unknown:,}.", class_="soft") if shown < unknown else None,
    )


def _provable(endpoint: str) -> str | None:
    """What can be shown about a message in doubt, where the endpoint is known."""
    try:
        return explain_reconciliation(endpoint)
    except ValueError:
        return None


def _footer(written: float, clock: Clock) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            f"Written by routee-failover on {clock.full(written)} {clock.zone(written)} from the ledger of the run. "
            "Numbers of recipients are masked; no text of a message is kept anywhere. Quantiles are within "
            f"{number(2.3)}{THIN}%.",
        ),
    )
