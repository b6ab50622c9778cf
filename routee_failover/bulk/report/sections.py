"""The drawn parts of the report: each has a heading that says what is to be seen, and its numbers in a table."""

import functools
from collections.abc import Iterable, Sequence

from ..delivery_summary import DELIVERED, FAILED
from .charts import costs_chart, durations_chart, funnel_chart, journeys_chart, rate_chart
from .charts.costs import by_channel, by_country
from .charts.durations import quantiles
from .charts.frame import channel_kind, channel_name
from .charts.funnel import funnel_steps
from .charts.journeys import has_bands
from .markup import Child, Markup, joined, tag
from .values import Durations, Summary
from .wording import THIN, Clock, listed, many, money, number, parted, seconds, share


def section(name: str, heading: str, *content: Child) -> Markup:
    """A part with a heading."""
    return tag("section", tag("h2", heading, id=name), *content, aria_labelledby=name)


def table(
    heads: Sequence[str], rows: Iterable[Iterable[Child]], *, texts: int = 1, caption: str, kind: str = ""
) -> Markup:
    """A table that scrolls by itself where it is too wide; all but the first `texts` columns hold numbers."""
    kinds = [None if at < texts else "number" for at, _ in enumerate(heads)]
    return tag(
        "div",
        tag(
            "table",
            tag(
                "thead",
                tag(
                    "tr", *(tag("th", head, scope="col", class_=kind) for head, kind in zip(heads, kinds, strict=True))
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
        class_=f"scrolled {kind}".rstrip(),
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def numbers(caption: str, heads: Sequence[str], rows: Iterable[Iterable[Child]], *, texts: int = 1) -> Markup:
    """The same numbers as in the drawing above, for those who would rather read them."""
    return tag("details", tag("summary", "The numbers"), table(heads, rows, texts=texts, caption=caption))


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


_FEWEST = 20
"""Messages below which there is no rate to speak of, nor a hundredth part of them."""
_FEWEST_BARS = 6


def average_rate(summary: Summary) -> float | None:
    """Return messages a second over the active time; `None` for too few or too short a time."""
    return summary.sent / summary.active if summary.sent >= _FEWEST and summary.active >= 1 else None


def rate_section(summary: Summary, clock: Clock) -> Markup | None:
    """Messages over time."""
    rate, average = summary.rate, average_rate(summary)
    if rate is None or summary.begun is None or average is None or len(rate.bars) < _FEWEST_BARS:
        return None
    _, active, idle = parted(summary.active + summary.idle, summary.idle)
    lede = f"{many(summary.sent, 'message')} in {active}{' of activity' if idle else ''}: {number(average)} a second. "
    lede += f"{idle} in which nothing was being sent are not counted. " if idle else ""
    lede += f"Each bar is {seconds(rate.width)}. Times are {clock.zone(summary.begun)}."
    rows = (
        (
            f"{clock.at(stretch.begin + at * rate.width):%Y-%m-%d %H:%M:%S}",
            *(f"{count:,}" for count in bar),
        )
        for stretch in rate.stretches
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
        _pace(rate.peak, average),
        tag("p", lede, class_="lede"),
        figure(
            rate_chart(rate, clock, "Messages a second, over time"),
            legend((kind, words) for kind, words, count in kinds if count),
        ),
        numbers("Messages over time", (f"{seconds(rate.width)} from", "Accepted", "Rejected", "Unknown"), rows),
    )


def _pace(peak: float, average: float) -> str:
    """The heading of the rate. A window that begins where another does holds as many as the average, or more."""
    if peak < average * 1.05:
        return f"A steady {number(average)} messages a second"
    return f"Up to {number(peak)} messages a second"


def latency_section(summary: Summary) -> Markup | None:
    """How long responses took."""
    answers = summary.answers
    if answers is None:
        return None
    timed = f"{many(answers.rows, 'response')}, timed from the request"
    untimed = summary.sent - answers.rows
    if untimed:
        timed += f"; {many(untimed, 'message')} had no response to time"
    if answers.rows < _FEWEST:
        heading = f"No response took longer than {seconds(answers.most)}"
        return section("latency", heading, tag("p", f"{timed}.", class_="lede"))
    lede = f"90{THIN}% came within {seconds(answers.p90)}, and the slowest took {seconds(answers.most)}. {timed}."
    return section(
        "latency",
        f"Half of the responses came within {seconds(answers.p50)}, 99{THIN}% within {seconds(answers.p99)}",
        tag("p", lede, class_="lede"),
        figure(durations_chart(answers, "How long responses took")),
        numbers("How long responses took", ("Measure", "Time"), _durations(answers)),
    )


def _durations(durations: Durations) -> Iterable[tuple[str, str]]:
    yield from ((name.capitalize(), seconds(value)) for name, value in quantiles(durations))
    for at, count in enumerate(durations.columns):
        low = durations.begin * durations.ratio**at
        yield f"{seconds(low)} to {seconds(low * durations.ratio)}", f"{count:,}"


def delivery_section(summary: Summary, ask: Markup) -> Markup | None:
    """How many messages came how far, and what is known of their delivery."""
    counts = summary.counts
    delivered, failed = summary.accepted(DELIVERED), summary.accepted(FAILED)
    unknown = counts.accepted - delivered - failed
    if not counts.accepted:
        heading, lede = "None was accepted", joined("There is nothing to be delivered.")
    elif unknown == counts.accepted:
        heading = "No delivery report yet"
        lede = joined("How the accepted messages were delivered is not known. ", ask, " asks Routee.")
    elif delivered == counts.accepted:
        heading = "All accepted messages were delivered" if delivered > 1 else "The accepted message was delivered"
        lede = joined(_by_channel(summary), _delivery_times(summary))
    else:
        heading = f"{delivered:,} of {many(counts.accepted, 'accepted message')} {_were(delivered)} delivered"
        lede = joined(_by_channel(summary), f"{failed:,} failed. " if failed else "", _delivery_times(summary))
        if unknown:
            has = "has" if unknown == 1 else "have"
            lede = joined(lede, f"{unknown:,} {has} no delivery report yet; ", ask, " asks Routee.")
    steps = [step for step in funnel_steps(summary) if step.lost]
    if not steps:
        return section("delivery", heading, tag("p", lede, class_="lede"))
    return section(
        "delivery",
        heading,
        tag("p", lede, class_="lede"),
        figure(funnel_chart(steps, "How many messages came how far")),
        numbers(
            "How many messages came how far",
            ("Step", "Messages", "Share", "Not among them"),
            ((step.name, f"{step.rows:,}", step.share, ", ".join(step.lost)) for step in steps),
        ),
    )


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _by_channel(summary: Summary) -> str:
    """The delivered messages by the channel that delivered them."""
    by: dict[str, int] = {}
    for journey in summary.journeys:
        if journey.outcome == DELIVERED:
            by[journey.ended] = by.get(journey.ended, 0) + journey.rows
    ranked = sorted(by.items(), key=lambda item: (-item[1], item[0]))
    told = [
        f"{count:,} by {channel_name(name)}" if name else f"{count:,} by a channel not known" for name, count in ranked
    ]
    return f"{listed(told)}. " if told else ""


def _delivery_times(summary: Summary) -> str:
    times = summary.deliveries
    if times is None:
        return ""
    if times.rows < _FEWEST:
        return f"No delivery took longer than {seconds(times.most)}. "
    half, nearly_all = seconds(times.p50), seconds(times.p99)
    if half == nearly_all:
        return f"99{THIN}% of the deliveries took up to {nearly_all}. "
    return f"Half of the deliveries took up to {half}, 99{THIN}% up to {nearly_all}. "


def journeys_section(summary: Summary) -> Markup | None:
    """The channels, first and last."""
    if not summary.accepted(DELIVERED, FAILED) or not has_bands(summary.journeys):
        return None
    heading, lede = _failovers(summary)
    rows = (
        (channel_name(journey.first), channel_name(journey.ended), journey.outcome.capitalize(), f"{journey.rows:,}")
        for journey in summary.journeys
    )
    accepted = many(summary.counts.accepted, "accepted message")
    return section(
        "channels",
        heading,
        tag("p", f"{lede}. Percentages in the drawing are of {accepted}.", class_="lede"),
        figure(journeys_chart(summary.journeys, "From the channel tried first to the delivery")),
        numbers(
            "From the channel tried first to the delivery", ("First", "Ended on", "Outcome", "Messages"), rows, texts=3
        ),
    )


def _failovers(summary: Summary) -> tuple[str, str]:
    """What the channels show, as far as both ends are known."""
    known = [way for way in summary.journeys if way.outcome == DELIVERED and way.first and way.ended]
    whole = sum(way.rows for way in known)
    over = sum(way.rows for way in known if way.first != way.ended)
    if over:
        of = f"{over:,} of {many(whole, 'delivered message')}"
        return f"{share(over, whole)} of the delivered messages had failed over", f"{of} arrived on a later channel"
    if whole:
        return "No message failed over", "All that was delivered arrived on the channel that was tried first"
    return "How the channels delivered", "Of no delivered message both channels are known"


def costs_section(summary: Summary) -> Markup | None:
    """What it cost."""
    if not summary.priced:
        return None
    channels = by_channel(summary.costs)
    cost = functools.partial(money, currency=summary.currency)
    lede = (
        f"{many(summary.priced, 'message')} with a price, {cost(summary.total_cost / summary.priced)} each on average"
        + (": " + listed(f"{cost(price)} by {channel_name(channel)}" for channel, _, price in channels))
        + ". Prices are those of Routee's delivery reports, which name no currency"
        + (f"; {summary.currency} is that of the account's balance." if summary.currency else ".")
    )
    heading = f"{cost(summary.total_cost)} in all{_dearest(summary)}"
    if len(by_country(summary.costs)) == 1:
        return section("costs", heading, tag("p", lede, class_="lede"))
    rows = (
        (country.name, channel_name(part.channel), f"{part.rows:,}", cost(part.price), cost(part.price / part.rows))
        for country in by_country(summary.costs)
        for part in country.parts
    )
    return section(
        "costs",
        heading,
        tag("p", lede, class_="lede"),
        figure(
            costs_chart(summary.costs, "Cost by country and channel", summary.currency),
            legend((channel_kind(channel), channel_name(channel)) for channel, _, _ in channels),
        ),
        numbers("Cost by country and channel", ("Country", "Channel", "Messages", "Cost", "Each"), rows, texts=2),
    )


def _dearest(summary: Summary) -> str:
    first, *others = by_country(summary.costs)
    if not summary.total_cost:
        return ": every message was free"
    return f", {share(first.price, summary.total_cost)} of it in {first.name}" if others else f", in {first.name}"
