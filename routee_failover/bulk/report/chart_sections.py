"""Sections of the report with a chart: each has a heading that states the result, and its data in a table."""

import functools
from collections.abc import Iterable, Sequence

from ..delivery_summary import DELIVERED, FAILED
from .charts import costs_chart, failover_chart, funnel_chart, rate_chart, response_times_chart
from .charts.costs import costs_by_channel, costs_by_country
from .charts.failover import has_links
from .charts.funnel import funnel_stages
from .charts.response_times import quantiles
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
    """Return a section with a heading; `name` is the heading's id."""
    return tag("section", tag("h2", heading, id=name), *content, aria_labelledby=name)


def table(
    headings: Sequence[str],
    rows: Iterable[Iterable[Child]],
    *,
    text_columns: int = 1,
    caption: str,
    css_class: str = "",
) -> Markup:
    """Return a table that scrolls by itself if it is too wide; all columns after `text_columns` contain numbers."""
    classes = [None if column < text_columns else "number" for column, _ in enumerate(headings)]
    return tag(
        "div",
        tag(
            "table",
            tag(
                "thead",
                tag(
                    "tr",
                    *(tag("th", text, scope="col", class_=css) for text, css in zip(headings, classes, strict=True)),
                ),
            ),
            tag(
                "tbody",
                *(
                    tag("tr", *(tag("td", cell, class_=css) for cell, css in zip(row, classes, strict=True)))
                    for row in rows
                ),
            ),
        ),
        class_=f"scrollable {css_class}".rstrip(),
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def numbers_table(
    caption: str, headings: Sequence[str], rows: Iterable[Iterable[Child]], *, text_columns: int = 1
) -> Markup:
    """Return a collapsed table with the data of a chart."""
    return tag(
        "details", tag("summary", "Data table"), table(headings, rows, text_columns=text_columns, caption=caption)
    )


def figure(chart: Markup, *below: Child) -> Markup:
    """Return a figure with a chart and, below it, its legend."""
    return tag("figure", chart, *below)


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """Return a legend; each entry has the CSS class of its colour and a label."""
    return tag(
        "ul",
        *(tag("li", tag("span", class_=f"swatch {css}", aria_hidden="true"), label) for css, label in entries),
        class_="legend",
    )


_MIN_MESSAGES = 20
"""Below this number of messages a rate or a percentile is not meaningful."""
_MIN_BARS = 6


def average_rate(summary: RunSummary) -> float | None:
    """Return messages a second over the active time; `None` for too few messages or too short a time."""
    return (
        summary.sent_count / summary.active_seconds
        if summary.sent_count >= _MIN_MESSAGES and summary.active_seconds >= 1
        else None
    )


def rate_section(summary: RunSummary, times: TimeFormatter) -> Markup | None:
    """Return the section about messages over time; `None` if there are too few."""
    rate, average = summary.rate, average_rate(summary)
    if rate is None or summary.started_at is None or average is None or len(rate.bars) < _MIN_BARS:
        return None
    _, active, idle = split_duration(summary.active_seconds + summary.idle_seconds, summary.idle_seconds)
    intro = (
        f"{pluralize(summary.sent_count, 'message')} in {active}{' of activity' if idle else ''}: "
        f"{format_number(average)} a second. "
    )
    intro += f"{idle} of idle time is not counted. " if idle else ""
    intro += (
        f"Each bar is {format_duration(rate.bar_seconds)}. Times are {times.format_utc_offset(summary.started_at)}."
    )
    rows = (
        (
            f"{times.local_time(period.started_at + index * rate.bar_seconds):%Y-%m-%d %H:%M:%S}",
            *(f"{count:,}" for count in bar),
        )
        for period in rate.periods
        for index, bar in enumerate(period.bars)
    )
    counts = summary.counts
    outcomes = [
        ("good", "accepted", counts.accepted),
        ("bad", "rejected", counts.rejected),
        ("unknown", "unknown", counts.unknown),
    ]
    return section(
        "rate",
        _rate_heading(rate.peak_rate, average),
        tag("p", intro, class_="intro"),
        figure(
            rate_chart(rate, times, "Messages a second, over time"),
            legend((css, label) for css, label, count in outcomes if count),
        ),
        numbers_table(
            "Messages over time", (f"{format_duration(rate.bar_seconds)} from", "Accepted", "Rejected", "Unknown"), rows
        ),
    )


def _rate_heading(peak: float, average: float) -> str:
    """Return the heading of the rate section. No peak is below the average: one within 5 % of it is a steady rate."""
    if peak < average * 1.05:
        return f"A steady {format_number(average)} messages a second"
    return f"Up to {format_number(peak)} messages a second"


def latency_section(summary: RunSummary) -> Markup | None:
    """Return the section about response times; `None` if there was no response."""
    response_times = summary.response_times
    if response_times is None:
        return None
    basis = f"{pluralize(response_times.total, 'response')}, measured from the request"
    without_response = summary.sent_count - response_times.total
    if without_response:
        basis += f"; {pluralize(without_response, 'message has', 'messages have')} no response time"
    if response_times.total < _MIN_MESSAGES:
        heading = f"No response took longer than {format_duration(response_times.maximum)}"
        return section("latency", heading, tag("p", f"{basis}.", class_="intro"))
    intro = (
        f"90{NARROW_SPACE}% came within {format_duration(response_times.p90)}, "
        f"and the slowest took {format_duration(response_times.maximum)}. {basis}."
    )
    return section(
        "latency",
        f"Half of the responses came within {format_duration(response_times.p50)}, "
        f"99{NARROW_SPACE}% within {format_duration(response_times.p99)}",
        tag("p", intro, class_="intro"),
        figure(response_times_chart(response_times, "Response times")),
        numbers_table("Response times", ("Measure", "Time"), _durations(response_times)),
    )


def _durations(durations: DurationStats) -> Iterable[tuple[str, str]]:
    yield from ((name.capitalize(), format_duration(value)) for name, value in quantiles(durations))
    for index, count in enumerate(durations.buckets):
        low = durations.histogram_start * durations.bucket_ratio**index
        yield f"{format_duration(low)} to {format_duration(low * durations.bucket_ratio)}", f"{count:,}"


def delivery_section(summary: RunSummary, reconcile_command: Markup) -> Markup | None:
    """Return the section with the delivery funnel and the delivery times."""
    counts = summary.counts
    delivered, failed = summary.count_accepted(DELIVERED), summary.count_accepted(FAILED)
    unknown = counts.accepted - delivered - failed
    if not counts.accepted:
        heading, intro = "No message was accepted", join_markup("There is nothing to deliver.")
    elif unknown == counts.accepted:
        heading = "No delivery report yet"
        intro = join_markup(
            "It is not known whether the accepted messages were delivered. ", reconcile_command, " asks Routee."
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
    stages = [stage for stage in funnel_stages(summary) if stage.drop_offs]
    if not stages:
        return section("delivery", heading, tag("p", intro, class_="intro"))
    return section(
        "delivery",
        heading,
        tag("p", intro, class_="intro"),
        figure(funnel_chart(stages, "Accepted and delivered messages")),
        numbers_table(
            "Accepted and delivered messages",
            ("Stage", "Messages", "Share", "Not included"),
            ((stage.name, f"{stage.messages:,}", stage.share_text, ", ".join(stage.drop_offs)) for stage in stages),
        ),
    )


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _delivered_by_channel(summary: RunSummary) -> str:
    """Return a sentence with the delivered messages by final channel."""
    counts: dict[str, int] = {}
    for path in summary.failover_paths:
        if path.outcome == DELIVERED:
            counts[path.final_channel] = counts.get(path.final_channel, 0) + path.messages
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    parts = [
        f"{count:,} by {channel_label(name)}" if name else f"{count:,} by an unknown channel" for name, count in ranked
    ]
    return f"{join_words(parts)}. " if parts else ""


def _delivery_times_sentence(summary: RunSummary) -> str:
    times = summary.delivery_times
    if times is None:
        return ""
    if times.total < _MIN_MESSAGES:
        return f"No delivery took longer than {format_duration(times.maximum)}. "
    p50, p99 = format_duration(times.p50), format_duration(times.p99)
    if p50 == p99:
        return f"99{NARROW_SPACE}% of the deliveries took up to {p99}. "
    return f"Half of the deliveries took up to {p50}, 99{NARROW_SPACE}% up to {p99}. "


def failover_section(summary: RunSummary) -> Markup | None:
    """Return the section about failover from the first channel; `None` without delivery reports."""
    if not summary.count_accepted(DELIVERED, FAILED) or not has_links(summary.failover_paths):
        return None
    heading, intro = _failover_heading(summary)
    rows = (
        (
            channel_label(path.first_channel),
            channel_label(path.final_channel),
            path.outcome.capitalize(),
            f"{path.messages:,}",
        )
        for path in summary.failover_paths
    )
    accepted = pluralize(summary.counts.accepted, "accepted message")
    return section(
        "channels",
        heading,
        tag("p", f"{intro}. Percentages in the chart are of {accepted}.", class_="intro"),
        figure(failover_chart(summary.failover_paths, "Failover from the first channel to the outcome")),
        numbers_table(
            "Failover from the first channel to the outcome",
            ("First channel", "Last channel", "Outcome", "Messages"),
            rows,
            text_columns=3,
        ),
    )


def _failover_heading(summary: RunSummary) -> tuple[str, str]:
    """Return heading and intro, from the delivered messages whose first and last channel are known."""
    known = [p for p in summary.failover_paths if p.outcome == DELIVERED and p.first_channel and p.final_channel]
    total = sum(path.messages for path in known)
    failed_over = sum(path.messages for path in known if path.first_channel != path.final_channel)
    if failed_over:
        share = f"{failed_over:,} of {pluralize(total, 'delivered message')}"
        return (
            f"{format_share(failed_over, total)} of the delivered messages had failed over",
            f"{share} arrived on a later channel",
        )
    if total:
        return "No message failed over", "All delivered messages arrived on the first channel"
    return "Delivery by channel", "No delivered message has both its first and its last channel reported"


def costs_section(summary: RunSummary) -> Markup | None:
    """Return the section about costs; `None` if no price is known."""
    if not summary.priced_count:
        return None
    channels = costs_by_channel(summary.costs)
    cost = functools.partial(format_money, currency=summary.currency)
    intro = (
        f"{pluralize(summary.priced_count, 'message')} with a price, "
        f"{cost(summary.total_cost / summary.priced_count)} each on average"
        + (": " + join_words(f"{cost(price)} by {channel_label(channel)}" for channel, _, price in channels))
        + ". Prices are those of Routee's delivery reports, which contain no currency"
        + (f"; {summary.currency} is the currency of the account's balance." if summary.currency else ".")
    )
    heading = f"{cost(summary.total_cost)} in total{_most_expensive_country(summary)}"
    if len(costs_by_country(summary.costs)) == 1:
        return section("costs", heading, tag("p", intro, class_="intro"))
    rows = (
        (
            country.name,
            channel_label(group.channel),
            f"{group.messages:,}",
            cost(group.price),
            cost(group.price / group.messages),
        )
        for country in costs_by_country(summary.costs)
        for group in country.channels
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
            "Cost by country and channel", ("Country", "Channel", "Messages", "Cost", "Average"), rows, text_columns=2
        ),
    )


def _most_expensive_country(summary: RunSummary) -> str:
    first, *others = costs_by_country(summary.costs)
    if not summary.total_cost:
        return ": every message was free"
    return (
        f", {format_share(first.price, summary.total_cost)} of it in {first.name}" if others else f", in {first.name}"
    )
