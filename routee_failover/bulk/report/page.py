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
from .formatting import NARROW_SPACE, TimeFormatter, format_number, format_share, join_words, pluralize, split_duration
from .markup import Markup, join_markup, percent, tag
from .model import ReasonCount, RunSummary
from .sections import (
    average_rate,
    costs_section,
    delivery_section,
    failover_section,
    latency_section,
    rate_section,
    section,
    table,
)


def render_page(summary: RunSummary, *, ledger_name: str, written_at: float, times: TimeFormatter) -> str:
    """The whole of it. `name` is how a shell calls the ledger; `written` is now, in seconds since 1970."""
    ledger_name = sanitize(ledger_name, 400)
    shown = re.split(r"[/\\]", ledger_name)[-1]
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
        tag("main", _run_facts(summary, times), _outcome_tiles(summary), *_sections(summary, ledger_name, times)),
        _footer(written_at, times),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _sections(summary: RunSummary, name: str, times: TimeFormatter) -> Iterator[Markup | None]:
    ask = _command("bulk", "reconcile", name, "--ends")
    if not summary.counts.total:
        yield section("nothing", "Nothing has been sent yet", tag("p", "The ledger holds no row.", class_="intro"))
        return
    yield rate_section(summary, times)
    yield latency_section(summary)
    yield delivery_section(summary, ask)
    yield failover_section(summary)
    yield costs_section(summary)
    yield _reasons_section(summary)
    yield _unknown_section(summary, name, times)


def _command(*words: str) -> Markup:
    return tag("code", f"routee-failover {shlex.join(words)}")


def _headline(summary: RunSummary) -> str:
    counts = summary.counts
    if not counts.total:
        return "no message yet"
    if counts.accepted == counts.total:
        return "the message was accepted" if counts.total == 1 else f"all {counts.total:,} messages were accepted"
    return f"{counts.accepted:,} of {pluralize(counts.total, 'message')} {'was' if counts.accepted == 1 else 'were'} accepted"


def _header(summary: RunSummary, name: str) -> Markup:
    headline = _headline(summary)
    return tag(
        "header",
        tag("p", "Bulk run ", tag("bdi", name), class_="run-name"),
        tag("h1", headline[0].upper() + headline[1:]),
        tag("p", _outcome_sentence(summary), class_="subtitle"),
    )


def _outcome_sentence(summary: RunSummary) -> str:
    """What a reader in a hurry has to know: every outcome that there is, and none that there is not."""
    counts = summary.counts
    if not counts.total:
        return "This report has nothing to show."
    them = "it" if counts.unknown == 1 else "them"
    suppressed = pluralize(summary.suppressed, "row is", "rows are")
    left_out = f"{suppressed} on the suppression list. " if summary.suppressed else ""
    outcomes = [
        f"{pluralize(counts.rejected, 'was', 'were')} rejected by Routee" if counts.rejected else "",
        f"{pluralize(counts.invalid, 'is', 'are')} invalid" if counts.invalid else "",
        f"{pluralize(counts.expired, 'has', 'have')} expired" if counts.expired else "",
        f"{pluralize(counts.pending, 'is', 'are')} not sent yet" if counts.pending else "",
        f"{pluralize(counts.unknown, 'is', 'are')} unknown (Routee may have accepted {them})" if counts.unknown else "",
    ]
    named = [outcome for outcome in outcomes if outcome]
    text = f"{join_words(named)}. " if named else "No message was rejected, invalid or unknown. "
    return text + left_out + _delivered(summary)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _delivered(summary: RunSummary) -> str:
    delivered, failed = summary.count_accepted(DELIVERED), summary.count_accepted(FAILED)
    unknown = summary.counts.accepted - delivered - failed
    if not delivered and not failed:
        return "How the accepted were delivered is not known yet." if unknown > 1 else ""
    if delivered == summary.counts.accepted:
        return "All accepted messages were delivered." if delivered > 1 else "It was delivered."
    parts = [
        f"{delivered:,} {_were(delivered)} delivered",
        f"{failed:,} failed" if failed else "",
        f"{pluralize(unknown, 'has', 'have')} no delivery report yet" if unknown else "",
    ]
    return f"Of the accepted, {join_words(part for part in parts if part)}."


def _run_facts(summary: RunSummary, times: TimeFormatter) -> Markup:
    begun, ended = summary.started_at, summary.ended_at
    facts = [
        ("Endpoint", summary.endpoint),
        ("Recipients", summary.source),
        ("Flow", summary.flow),
    ]
    if begun is not None and ended is not None:
        total, active, idle = split_duration(ended - begun, summary.idle_seconds)
        average = average_rate(summary)
        facts += [
            ("Started", times.format_datetime(begun)),
            ("Last activity" if summary.counts.pending else "Finished", times.format_end(begun, ended)),
            ("Duration", f"{total}: {active} active, {idle} idle" if idle else total),
            ("Average rate", f"{format_number(average)} a second{' while active' if idle else ''}" if average else ""),
        ]
    facts += [("Run", summary.run_id)]
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", tag("bdi", text))) for name, text in facts if text),
        class_="facts",
    )


def _outcome_tiles(summary: RunSummary) -> Markup | None:
    """The outcomes that there are, whose numbers add up to all messages; a single one is in the heading already."""
    counts = summary.counts
    found_later = sum(count for proof, count in summary.accepted_by_resolution.items() if proof != "answer")
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
                tag("dd", format_share(count, counts.total), class_="share"),
                tag("dd", note, class_="note") if note else None,
                class_=f"tile {kind}",
            )
            for kind, name, count, note in shown
        ),
        class_="tiles",
    )


def _reasons_section(summary: RunSummary) -> Markup | None:
    """The reasons, most frequent first; nothing where there is none."""
    if not summary.reasons:
        return None
    most = summary.reasons[0].messages
    total = sum(trouble.messages for trouble in summary.reasons) + summary.other_reasons
    rows = [_reason_row(trouble, most) for trouble in summary.reasons]
    if summary.other_reasons:
        rows.append(("Others", "all other reasons together", f"{summary.other_reasons:,}", ""))
    return section(
        "troubles",
        f"What went wrong with {pluralize(total, 'message')}",
        tag("p", "The most frequent reasons, each with the first lines of the source.", class_="intro"),
        table(
            ("Outcome", "Reason", "Messages", "Lines"), rows, text_columns=2, caption="Reasons", css_class="troubles"
        ),
    )


def _reason_row(reason: ReasonCount, most: int) -> tuple[str, ...]:
    more = "…" if reason.messages > len(reason.first_lines) else ""
    bar = tag(
        "svg",
        tag("rect", width=percent(reason.messages / most), height="100%", rx="1.5"),
        class_="measure",
        width="100%",
        height="3",
        aria_hidden="true",
    )
    lines = ", ".join(map(str, reason.first_lines))
    return reason.outcome, join_markup(tag("bdi", reason.reason), bar), f"{reason.messages:,}", f"{lines}{more}"


def _unknown_section(summary: RunSummary, name: str, times: TimeFormatter) -> Markup | None:
    unknown = summary.counts.unknown
    if not unknown:
        return None
    shown = len(summary.unknown_messages)
    rows = (
        (
            str(doubt.line),
            doubt.recipient,
            f"{times.local_time(doubt.sent_at):%Y-%m-%d %H:%M:%S}",
            tag("code", doubt.label),
            tag("bdi", doubt.reason or "no reason given"),
        )
        for doubt in summary.unknown_messages
    )
    return section(
        "doubts",
        f"{pluralize(unknown, 'message is', 'messages are')} unknown",
        tag(
            "p",
            "Routee may have accepted them, and no response shows it. They are not sent again before that is known. ",
            _command("bulk", "reconcile", name),
            " looks each of them up; ",
            _command("bulk", "export", name, "--state", "UNKNOWN", "--csv"),
            " lists them all, each with the label that it carries.",
            class_="intro",
        ),
        tag("p", _reconciliation_note(summary.endpoint), class_="intro"),
        table(
            ("Line", "Recipient", "Sent at", "Label", "Why"),
            rows,
            text_columns=5,
            caption="Unknown messages",
            css_class="doubts",
        ),
        tag("p", f"The first {shown} of {unknown:,}.", class_="muted") if shown < unknown else None,
    )


def _reconciliation_note(endpoint: str) -> str | None:
    """What can be shown about a message in doubt, where the endpoint is known."""
    try:
        return explain_reconciliation(endpoint)
    except ValueError:
        return None


def _footer(written_at: float, times: TimeFormatter) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            f"Written by routee-failover on {times.format_datetime(written_at)} {times.format_utc_offset(written_at)} from the ledger of the run. "
            "Numbers of recipients are masked; no text of a message is kept anywhere. Quantiles are within "
            f"{format_number(2.3)}{NARROW_SPACE}%.",
        ),
    )
