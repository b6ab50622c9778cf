"""The report as one self-contained HTML page: no scripts, no links, no external resources."""

import base64
import hashlib
import re
import shlex
from collections.abc import Iterator
from importlib.resources import files

from ..delivery_summary import DELIVERED, FAILED
from ..display_text import sanitize
from ..reconciliation import explain_reconciliation
from .chart_sections import (
    average_rate,
    costs_section,
    delivery_section,
    failover_section,
    latency_section,
    rate_section,
    section,
    table,
)
from .formatting import NARROW_SPACE, TimeFormatter, format_number, format_share, join_words, pluralize, split_duration
from .markup import Markup, join_markup, percent, tag
from .model import ReasonCount, RunSummary


def render_page(summary: RunSummary, *, ledger_name: str, written_at: float, times: TimeFormatter) -> str:
    """Return the page. `ledger_name` is the ledger's path in a shell; `written_at` is now, in seconds since 1970."""
    ledger_name = sanitize(ledger_name, 400)
    file_name = re.split(r"[/\\]", ledger_name)[-1]
    style = files(__name__.rpartition(".")[0]).joinpath("report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # The policy allows this style sheet only, in case a text from outside became markup after all.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = f"{file_name}: {_headline(summary)}"
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
        _header(summary, file_name),
        tag("main", _run_facts(summary, times), _outcome_tiles(summary), *_sections(summary, ledger_name, times)),
        _footer(written_at, times),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _sections(summary: RunSummary, name: str, times: TimeFormatter) -> Iterator[Markup | None]:
    reconcile_command = _command("bulk", "reconcile", name, "--ends")
    if not summary.counts.total:
        yield section("empty", "Nothing has been sent yet", tag("p", "The ledger has no rows.", class_="intro"))
        return
    yield rate_section(summary, times)
    yield latency_section(summary)
    yield delivery_section(summary, reconcile_command)
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
    return (
        f"{counts.accepted:,} of {pluralize(counts.total, 'message')} "
        f"{'was' if counts.accepted == 1 else 'were'} accepted"
    )


def _header(summary: RunSummary, name: str) -> Markup:
    headline = _headline(summary)
    return tag(
        "header",
        tag("p", "Bulk run ", tag("bdi", name), class_="run-name"),
        tag("h1", headline[0].upper() + headline[1:]),
        tag("p", _outcome_sentence(summary), class_="subtitle"),
    )


def _outcome_sentence(summary: RunSummary) -> str:
    """Return the outcomes in one sentence: all that occur, and no others."""
    counts = summary.counts
    if not counts.total:
        return "This report has nothing to show."
    pronoun = "it" if counts.unknown == 1 else "them"
    suppressed_rows = pluralize(summary.suppressed, "row is", "rows are")
    suppressed = f"{suppressed_rows} on the suppression list. " if summary.suppressed else ""
    outcomes = [
        f"{pluralize(counts.rejected, 'was', 'were')} rejected by Routee" if counts.rejected else "",
        f"{pluralize(counts.invalid, 'is', 'are')} invalid" if counts.invalid else "",
        f"{pluralize(counts.expired, 'has', 'have')} expired" if counts.expired else "",
        f"{pluralize(counts.pending, 'is', 'are')} not sent yet" if counts.pending else "",
        f"{pluralize(counts.unknown, 'is', 'are')} unknown (Routee may have accepted {pronoun})"
        if counts.unknown
        else "",
    ]
    present = [outcome for outcome in outcomes if outcome]
    text = f"{join_words(present)}. " if present else "No message was rejected, invalid or unknown. "
    return text + suppressed + _delivery_sentence(summary)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _delivery_sentence(summary: RunSummary) -> str:
    delivered, failed = summary.count_accepted(DELIVERED), summary.count_accepted(FAILED)
    unknown = summary.counts.accepted - delivered - failed
    if not delivered and not failed:
        return "No accepted message has a delivery report yet." if unknown > 1 else ""
    if delivered == summary.counts.accepted:
        return "All accepted messages were delivered." if delivered > 1 else "It was delivered."
    parts = [
        f"{delivered:,} {_were(delivered)} delivered",
        f"{failed:,} failed" if failed else "",
        f"{pluralize(unknown, 'has', 'have')} no delivery report yet" if unknown else "",
    ]
    return f"Of the accepted messages, {join_words(part for part in parts if part)}."


def _run_facts(summary: RunSummary, times: TimeFormatter) -> Markup:
    started_at, ended_at = summary.started_at, summary.ended_at
    facts = [
        ("Endpoint", f"{summary.endpoint}, raw flows" if summary.raw else summary.endpoint),
        ("Recipients", summary.source),
        ("Flow", summary.flow),
    ]
    if started_at is not None and ended_at is not None:
        total, active, idle = split_duration(ended_at - started_at, summary.idle_seconds)
        average = average_rate(summary)
        facts += [
            ("Started", times.format_datetime(started_at)),
            ("Last activity" if summary.counts.pending else "Finished", times.format_end(started_at, ended_at)),
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
    """Return a tile for each outcome that occurs; together they are all messages. A single one is in the headline."""
    counts = summary.counts
    confirmed_later = sum(count for source, count in summary.accepted_by_resolution.items() if source != "response")
    tiles = [
        ("good", "Accepted", counts.accepted, f"{confirmed_later:,} confirmed later" if confirmed_later else None),
        ("bad", "Rejected", counts.rejected, "by Routee"),
        ("unknown", "Unknown", counts.unknown, "see below"),
        (
            "neutral",
            "Not sent",
            counts.pending,
            f"{counts.sending:,} in flight" if counts.sending else "resume sends them",
        ),
        ("neutral", "Expired", counts.expired, "deadline passed"),
        ("neutral", "Invalid", counts.invalid, "row cannot be sent"),
    ]
    present = [tile for tile in tiles if tile[2]]
    if len(present) < 2:
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
            for kind, name, count, note in present
        ),
        class_="tiles",
    )


def _reasons_section(summary: RunSummary) -> Markup | None:
    """Return the table of reasons, most frequent first; `None` if there are none."""
    if not summary.reasons:
        return None
    max_messages = summary.reasons[0].messages
    total = sum(reason.messages for reason in summary.reasons) + summary.other_reasons
    rows = [_reason_row(reason, max_messages) for reason in summary.reasons]
    if summary.other_reasons:
        rows.append(("Others", "all other reasons together", f"{summary.other_reasons:,}", ""))
    return section(
        "reasons",
        f"Problems with {pluralize(total, 'message')}",
        tag("p", "The most frequent reasons, each with its first lines in the source.", class_="intro"),
        table(("Outcome", "Reason", "Messages", "Lines"), rows, text_columns=2, caption="Reasons", css_class="reasons"),
    )


def _reason_row(reason: ReasonCount, max_messages: int) -> tuple[str, ...]:
    more = "…" if reason.messages > len(reason.first_lines) else ""
    bar = tag(
        "svg",
        tag("rect", width=percent(reason.messages / max_messages), height="100%", rx="1.5"),
        class_="share-bar",
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
            str(message.line),
            message.recipient,
            f"{times.local_time(message.sent_at):%Y-%m-%d %H:%M:%S}",
            tag("code", message.label),
            tag("bdi", message.reason or "no reason given"),
        )
        for message in summary.unknown_messages
    )
    return section(
        "unknown",
        f"{pluralize(unknown, 'message has', 'messages have')} an unknown outcome",
        tag(
            "p",
            "Routee may have accepted them, but no response confirmed it. They are not resent until that is known. ",
            _command("bulk", "reconcile", name),
            " looks them up; ",
            _command("bulk", "export", name, "--state", "UNKNOWN", "--csv"),
            " lists all of them with their labels.",
            class_="intro",
        ),
        tag("p", _reconciliation_note(summary.endpoint, raw=summary.raw), class_="intro"),
        table(
            ("Line", "Recipient", "Sent at", "Label", "Reason"),
            rows,
            text_columns=5,
            caption="Unknown messages",
            css_class="unknown-messages",
        ),
        tag("p", f"The first {shown} of {unknown:,}.", class_="muted") if shown < unknown else None,
    )


def _reconciliation_note(endpoint: str, *, raw: bool) -> str | None:
    """Return what reconciliation can prove on this endpoint; `None` if the endpoint is not known."""
    try:
        return explain_reconciliation(endpoint, raw=raw)
    except ValueError:
        return None


def _footer(written_at: float, times: TimeFormatter) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            f"Written by routee-failover on {times.format_datetime(written_at)} {times.format_utc_offset(written_at)} "
            "from the ledger of the run. "
            "Phone numbers are masked, and message texts are not stored. Quantiles are accurate to "
            f"{format_number(2.3)}{NARROW_SPACE}%.",
        ),
    )
