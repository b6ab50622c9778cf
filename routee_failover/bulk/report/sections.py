"""The drawn parts of the report: each has a heading that says what is to be seen, and its numbers in a table."""

import functools
from collections.abc import Iterable, Sequence

from ..delivery_summary import DELIVERED, FAILED
from .charts import costs_chart, durations_chart, failover_chart, funnel_chart, rate_chart
from .charts.costs import costs_by_channel, costs_by_country
from .charts.durations import quantiles
from .charts.failover import has_links
from .charts.funnel import funnel_stages
from .charts.svg import channel_css_class, channel_label
from .formatting import (
    NARROW_SPACE,
    TimeFormatter,
    format_duration,
    format_money,
    format_number,
    format_share,
    join_words,
    pluralize,
    split_duration,
)
from .markup import Child, Markup, join_markup, tag
from .model import DurationStats, RunSummary


def section(name: str, heading: str, *content: Child) -> Markup:
    """A part with a heading."""
    return tag("section", tag("h2", heading, id=name), *content, aria_labelledby=name)


def table(
    headings: Sequence[str],
    rows: Iterable[Iterable[Child]],
    *,
    text_columns: int = 1,
    caption: str,
    css_class: str = "",
) -> Markup:
    """A table that scrolls by itself where it is too wide; all but the first `texts` columns hold numbers."""
    kinds = [None if at < text_columns else "number" for at, _ in enumerate(headings)]
    return tag(
        "div",
        tag(
            "table",
            tag(
                "thead",
                tag(
                    "tr",
                    *(tag("th", head, scope="col", class_=kind) for head, kind in zip(headings, kinds, strict=True)),
                ),
            ),
            tag(
                "tbody",
                *(
                    tag("tr", *(tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
                    for row in rows
                ),
            ),
        ),
        class_=f"scrolled {css_class}".rstrip(),
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def numbers_table(
    caption: str, headings: Sequence[str], rows: Iterable[Iterable[Child]], *, text_columns: int = 1
) -> Markup:
    """The same numbers as in the drawing above, for those who would rather read them."""
    return tag(
        "details", tag("summary", "The numbers"), table(headings, rows, text_columns=text_columns, caption=caption)
    )


def figure(chart: Markup, *below: Child) -> Markup:
    """A drawing and what belongs to it."""
    return tag("figure", chart, *below)


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """What the colours mean: class and words of each."""
    return tag(
        "ul",
        *(tag("li", tag("span", class_=f"swatch {kind}", aria_hidden="true"), words) for kind, words in entries),
        class_="legend",
    )


_MIN_MESSAGES = 20
"""Messages below which there is no rate to speak of, nor a hundredth part of them."""
_MIN_BARS = 6


def average_rate(summary: RunSummary) -> float | None:
    """Return messages a second over the active time; `None` for too few or too short a time."""
    return (
        summary.sent_count / summary.active_seconds
        if summary.sent_count >= _MIN_MESSAGES and summary.active_seconds >= 1
        else None
    )


def rate_section(summary: RunSummary, times: TimeFormatter) -> Markup | None:
    """Messages over time."""
    rate, average = summary.rate, average_rate(summary)
    if rate is None or summary.started_at is None or average is None or len(rate.bars) < _MIN_BARS:
        return None
    _, active, idle = split_duration(summary.active_seconds + summary.idle_seconds, summary.idle_seconds)
    intro = f"{pluralize(summary.sent_count, 'message')} in {active}{' of activity' if idle else ''}: {format_number(average)} a second. "
    intro += f"{idle} in which nothing was being sent are not counted. " if idle else ""
    intro += (
        f"Each bar is {format_duration(rate.bar_seconds)}. Times are {times.format_utc_offset(summary.started_at)}."
    )
    rows = (
        (
            f"{times.local_time(stretch.started_at + at * rate.bar_seconds):%Y-%m-%d %H:%M:%S}",
            *(f"{count:,}" for count in bar),
        )
        for stretch in rate.periods
        for at, bar in enumerate(stretch.bars)
    )
    counts = summary.counts
    kinds = [
        ("good", "accepted", counts.accepted),
        ("bad", "rejected", counts.rejected),
        ("doubt", "unknown", counts.unknown),
    ]
    return section(
        "when",
        _rate_heading(rate.peak_rate, average),
        tag("p", intro, class_="intro"),
        figure(
            rate_chart(rate, times, "Messages a second, over time"),
            legend((kind, words) for kind, words, count in kinds if count),
        ),
        numbers_table(
            "Messages over time", (f"{format_duration(rate.bar_seconds)} from", "Accepted", "Rejected", "Unknown"), rows
        ),
    )


def _rate_heading(peak: float, average: float) -> str:
    """The heading of the rate. A window that begins where another does holds as many as the average, or more."""
    if peak < average * 1.05:
        return f"A steady {format_number(average)} messages a second"
    return f"Up to {format_number(peak)} messages a second"


def latency_section(summary: RunSummary) -> Markup | None:
    """How long responses took."""
    answers = summary.response_times
    if answers is None:
        return None
    timed = f"{pluralize(answers.total, 'response')}, timed from the request"
    untimed = summary.sent_count - answers.total
    if untimed:
        timed += f"; {pluralize(untimed, 'message')} had no response to time"
    if answers.total < _MIN_MESSAGES:
        heading = f"No response took longer than {format_duration(answers.maximum)}"
        return section("latency", heading, tag("p", f"{timed}.", class_="intro"))
    intro = f"90{NARROW_SPACE}% came within {format_duration(answers.p90)}, and the slowest took {format_duration(answers.maximum)}. {timed}."
    return section(
        "latency",
        f"Half of the responses came within {format_duration(answers.p50)}, 99{NARROW_SPACE}% within {format_duration(answers.p99)}",
        tag("p", intro, class_="intro"),
        figure(durations_chart(answers, "How long responses took")),
        numbers_table("How long responses took", ("Measure", "Time"), _durations(answers)),
    )


def _durations(durations: DurationStats) -> Iterable[tuple[str, str]]:
    yield from ((name.capitalize(), format_duration(value)) for name, value in quantiles(durations))
    for at, count in enumerate(durations.buckets):
        low = durations.histogram_start * durations.bucket_ratio**at
        yield f"{format_duration(low)} to {format_duration(low * durations.bucket_ratio)}", f"{count:,}"


def delivery_section(summary: RunSummary, reconcile_command: Markup) -> Markup | None:
    """How many messages came how far, and what is known of their delivery."""
    counts = summary.counts
    delivered, failed = summary.count_accepted(DELIVERED), summary.count_accepted(FAILED)
    unknown = counts.accepted - delivered - failed
    if not counts.accepted:
        heading, intro = "None was accepted", join_markup("There is nothing to be delivered.")
    elif unknown == counts.accepted:
        heading = "No delivery report yet"
        intro = join_markup(
            "How the accepted messages were delivered is not known. ", reconcile_command, " asks Routee."
        )
    elif delivered == counts.accepted:
        heading = "All accepted messages were delivered" if delivered > 1 else "The accepted message was delivered"
        intro = join_markup(_delivered_by_channel(summary), _delivery_times_sentence(summary))
    else:
        heading = f"{delivered:,} of {pluralize(counts.accepted, 'accepted message')} {_were(delivered)} delivered"
        intro = join_markup(
            _delivered_by_channel(summary), f"{failed:,} failed. " if failed else "", _delivery_times_sentence(summary)
        )
        if unknown:
            has = "has" if unknown == 1 else "have"
            intro = join_markup(
                intro, f"{unknown:,} {has} no delivery report yet; ", reconcile_command, " asks Routee."
            )
    steps = [step for step in funnel_stages(summary) if step.drop_offs]
    if not steps:
        return section("delivery", heading, tag("p", intro, class_="intro"))
    return section(
        "delivery",
        heading,
        tag("p", intro, class_="intro"),
        figure(funnel_chart(steps, "How many messages came how far")),
        numbers_table(
            "How many messages came how far",
            ("Step", "Messages", "Share", "Not among them"),
            ((step.name, f"{step.messages:,}", step.share_text, ", ".join(step.drop_offs)) for step in steps),
        ),
    )


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _delivered_by_channel(summary: RunSummary) -> str:
    """The delivered messages by the channel that delivered them."""
    by: dict[str, int] = {}
    for journey in summary.failover_paths:
        if journey.outcome == DELIVERED:
            by[journey.final_channel] = by.get(journey.final_channel, 0) + journey.messages
    ranked = sorted(by.items(), key=lambda item: (-item[1], item[0]))
    told = [
        f"{count:,} by {channel_label(name)}" if name else f"{count:,} by a channel not known" for name, count in ranked
    ]
    return f"{join_words(told)}. " if told else ""


def _delivery_times_sentence(summary: RunSummary) -> str:
    times = summary.delivery_times
    if times is None:
        return ""
    if times.total < _MIN_MESSAGES:
        return f"No delivery took longer than {format_duration(times.maximum)}. "
    half, nearly_all = format_duration(times.p50), format_duration(times.p99)
    if half == nearly_all:
        return f"99{NARROW_SPACE}% of the deliveries took up to {nearly_all}. "
    return f"Half of the deliveries took up to {half}, 99{NARROW_SPACE}% up to {nearly_all}. "


def failover_section(summary: RunSummary) -> Markup | None:
    """The channels, first and last."""
    if not summary.count_accepted(DELIVERED, FAILED) or not has_links(summary.failover_paths):
        return None
    heading, intro = _failover_heading(summary)
    rows = (
        (
            channel_label(journey.first_channel),
            channel_label(journey.final_channel),
            journey.outcome.capitalize(),
            f"{journey.messages:,}",
        )
        for journey in summary.failover_paths
    )
    accepted = pluralize(summary.counts.accepted, "accepted message")
    return section(
        "channels",
        heading,
        tag("p", f"{intro}. Percentages in the drawing are of {accepted}.", class_="intro"),
        figure(failover_chart(summary.failover_paths, "From the channel tried first to the delivery")),
        numbers_table(
            "From the channel tried first to the delivery",
            ("First", "Ended on", "Outcome", "Messages"),
            rows,
            text_columns=3,
        ),
    )


def _failover_heading(summary: RunSummary) -> tuple[str, str]:
    """What the channels show, as far as both ends are known."""
    known = [
        way for way in summary.failover_paths if way.outcome == DELIVERED and way.first_channel and way.final_channel
    ]
    whole = sum(way.messages for way in known)
    over = sum(way.messages for way in known if way.first_channel != way.final_channel)
    if over:
        of = f"{over:,} of {pluralize(whole, 'delivered message')}"
        return (
            f"{format_share(over, whole)} of the delivered messages had failed over",
            f"{of} arrived on a later channel",
        )
    if whole:
        return "No message failed over", "All that was delivered arrived on the channel that was tried first"
    return "How the channels delivered", "Of no delivered message both channels are known"


def costs_section(summary: RunSummary) -> Markup | None:
    """What it cost."""
    if not summary.priced_count:
        return None
    channels = costs_by_channel(summary.costs)
    cost = functools.partial(format_money, currency=summary.currency)
    intro = (
        f"{pluralize(summary.priced_count, 'message')} with a price, {cost(summary.total_cost / summary.priced_count)} each on average"
        + (": " + join_words(f"{cost(price)} by {channel_label(channel)}" for channel, _, price in channels))
        + ". Prices are those of Routee's delivery reports, which name no currency"
        + (f"; {summary.currency} is that of the account's balance." if summary.currency else ".")
    )
    heading = f"{cost(summary.total_cost)} in all{_most_expensive(summary)}"
    if len(costs_by_country(summary.costs)) == 1:
        return section("costs", heading, tag("p", intro, class_="intro"))
    rows = (
        (
            country.name,
            channel_label(part.channel),
            f"{part.messages:,}",
            cost(part.price),
            cost(part.price / part.messages),
        )
        for country in costs_by_country(summary.costs)
        for part in country.channels
    )
    return section(
        "costs",
        heading,
        tag("p", intro, class_="intro"),
        figure(
            costs_chart(summary.costs, "Cost by country and channel", summary.currency),
            legend((channel_css_class(channel), channel_label(channel)) for channel, _, _ in channels),
        ),
        numbers_table(
            "Cost by country and channel", ("Country", "Channel", "Messages", "Cost", "Each"), rows, text_columns=2
        ),
    )


def _most_expensive(summary: RunSummary) -> str:
    first, *others = costs_by_country(summary.costs)
    if not summary.total_cost:
        return ": every message was free"
    return (
        f", {format_share(first.price, summary.total_cost)} of it in {first.name}" if others else f", in {first.name}"
    )
