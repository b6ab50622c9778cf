"""The drawn parts of the report: each has a heading that says what is to be seen, and its numbers in a table."""

from collections.abc import Iterable, Sequence

from .charts import costs_chart, durations_chart, funnel_chart, journeys_chart, rate_chart
from .charts.costs import by_channel, by_country
from .charts.durations import quantiles
from .charts.frame import channel_kind, channel_name
from .charts.funnel import funnel_steps
from .markup import Child, Markup, joined, tag
from .values import DELIVERED, FAILED, NOT_TOLD, Durations, Summary
from .wording import THIN, Clock, listed, many, money, number, seconds, share


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
"""Answers below which nobody speaks of a rate, or of the hundredth part of them."""


def rate_section(summary: Summary, clock: Clock) -> Markup | None:
    """Answers over time."""
    rate = summary.rate
    if rate is None or summary.begun is None or sum(bar.total for bar in rate.bars) < _FEWEST:
        return None
    heading = f"Up to {number(rate.peak)} answers a second"
    counts = summary.counts
    answered = counts.accepted + counts.rejected
    busy = sum(len(stretch.bars) for stretch in rate.stretches) * rate.width
    lede = f"{many(answered, 'answer')} in {seconds(busy)}, {number(answered / busy)} a second on average"
    lede += (
        f"; pauses are not counted. Each bar is {seconds(rate.width)}."
        if len(rate.stretches) > 1
        else f". Each bar is {seconds(rate.width)}."
    )
    rows = (
        (
            f"{clock.at(stretch.begin + at * rate.width):%Y-%m-%d %H:%M:%S}",
            *(f"{count:,}" for count in bar),
        )
        for stretch in rate.stretches
        for at, bar in enumerate(stretch.bars)
    )
    kinds = [
        ("good", "accepted", counts.accepted),
        ("bad", "rejected", counts.rejected),
        ("doubt", "unknown", counts.unknown),
    ]
    return section(
        "when",
        heading,
        tag("p", lede, f" Times are {clock.zone(summary.begun)}.", class_="lede"),
        figure(
            rate_chart(rate, clock, "Answers a second, over time"),
            legend((kind, words) for kind, words, count in kinds if count),
        ),
        numbers("Answers over time", (f"{seconds(rate.width)} from", "Accepted", "Rejected", "Unknown"), rows),
    )


def latency_section(summary: Summary) -> Markup | None:
    """How long answers took."""
    answers = summary.answers
    if answers is None:
        return None
    lede = f"{many(answers.rows, 'answer')}, timed from the request on."
    if summary.counts.unknown:
        lede += f" The {summary.counts.unknown:,} unknown are not in it: they had no answer to time."
    return section(
        "latency",
        f"Half of the answers came within {seconds(answers.p50)}, 99{THIN}% within {seconds(answers.p99)}"
        if answers.rows >= _FEWEST
        else f"No answer took longer than {seconds(answers.most)}",
        tag("p", lede, class_="lede"),
        figure(durations_chart(answers, "How long answers took")),
        numbers("How long answers took", ("Measure", "Time"), _durations(answers)),
    )


def _durations(durations: Durations) -> Iterable[tuple[str, str]]:
    yield from ((name.capitalize(), seconds(value)) for name, value in quantiles(durations))
    for at, count in enumerate(durations.columns):
        low = durations.begin * durations.ratio**at
        yield f"{seconds(low)} to {seconds(low * durations.ratio)}", f"{count:,}"


def funnel_section(summary: Summary, ask: Markup) -> Markup:
    """How many rows came how far."""
    counts = summary.counts
    accepted = counts.accepted
    known = accepted - summary.fated(NOT_TOLD)
    if not accepted:
        heading, lede = "None was accepted", joined("Nothing is on its way to anybody.")
    elif not known:
        heading = f"{share(accepted, counts.total)} of the rows were accepted"
        lede = joined("How they ended is not known yet, and was not asked for. ", ask, " asks Routee.")
    else:
        heading = f"{share(summary.fated(DELIVERED), known)} of those followed to their end were delivered"
        lede = joined(f"How it ended is known of {'all ' if accepted > 1 else ''}{many(accepted, 'accepted message')}.")
        if known < accepted:
            lede = joined(f"How it ended is known of {known:,} of {many(accepted, 'accepted message')}. ", ask)
            lede = joined(lede, " asks for the others.")
    steps = funnel_steps(summary)
    return section(
        "funnel",
        heading,
        tag("p", lede, class_="lede"),
        figure(funnel_chart(summary, "How many rows came how far")),
        numbers(
            "How many rows came how far",
            ("Step", "Rows", "Of all", "Lost before it"),
            (
                (step.name, f"{step.rows:,}", share(step.rows, counts.total), ", ".join(step.lost) or "none")
                for step in steps
            ),
        ),
    )


def journeys_section(summary: Summary) -> Markup | None:
    """The channels, first and last."""
    followed = summary.fated(DELIVERED, FAILED)
    if not followed:
        return None
    heading, lede = _failovers(summary)
    failed = summary.fated(FAILED)
    lost = f"{share(failed, followed)} of what has ended reached nobody" if failed else "all that has ended has arrived"
    lede = f"{lede}; {lost}."
    if summary.deliveries is not None:
        times = summary.deliveries
        lede += f" Half of the deliveries came within {seconds(times.p50)}, 99{THIN}% within {seconds(times.p99)}."
    rows = (
        (channel_name(journey.first), channel_name(journey.ended), journey.fate.capitalize(), f"{journey.rows:,}")
        for journey in summary.journeys
    )
    return section(
        "channels",
        heading,
        tag("p", lede, class_="lede"),
        figure(journeys_chart(summary.journeys, "From the channel tried first to the end")),
        numbers("From the channel tried first to the end", ("First", "Ended on", "How", "Messages"), rows, texts=3),
    )


def _failovers(summary: Summary) -> tuple[str, str]:
    """What the channels show, as far as both ends are told."""
    told = [way for way in summary.journeys if way.fate == DELIVERED and way.first and way.ended]
    whole = sum(way.rows for way in told)
    over = sum(way.rows for way in told if way.first != way.ended)
    if over:
        arrived = f"{many(over, 'message')} arrived on another channel than the first"
        return f"{share(over, whole)} of the delivered had failed over", arrived
    if whole:
        return "No message failed over", "The first channel was enough"
    by_end: dict[str, int] = {}
    for way in summary.journeys:
        if way.fate == DELIVERED:
            by_end[way.ended] = by_end.get(way.ended, 0) + way.rows
    most = max(by_end, key=lambda channel: by_end[channel], default="")
    heading = f"{share(by_end[most], sum(by_end.values()))} arrived by {channel_name(most)}" if most else "Channels"
    return heading, "Which channel was tried first is not told"


def costs_section(summary: Summary) -> Markup | None:
    """What it cost."""
    if not summary.priced:
        return None
    channels = by_channel(summary.costs)
    mean = summary.total_cost / summary.priced
    lede = (
        f"{many(summary.priced, 'message')} with a price, {money(mean)} each on average, in the account's currency: "
        + listed(f"{money(price)} by {channel_name(channel)}" for channel, _, price in channels)
        + ". Prices are those that Routee told with the end of each flow."
    )
    rows = (
        (country.name, channel_name(part.channel), f"{part.rows:,}", money(part.price), money(part.price / part.rows))
        for country in by_country(summary.costs)
        for part in country.parts
    )
    return section(
        "costs",
        f"{money(summary.total_cost)} in all, {_dearest(summary)}",
        tag("p", lede, class_="lede"),
        figure(
            costs_chart(summary.costs, "Cost by country and channel"),
            legend((channel_kind(channel), channel_name(channel)) for channel, _, _ in channels),
        ),
        numbers("Cost by country and channel", ("Country", "Channel", "Messages", "Cost", "Each"), rows, texts=2),
    )


def _dearest(summary: Summary) -> str:
    first = by_country(summary.costs)[0]
    return f"{share(first.price, summary.total_cost)} of it in {first.name}" if summary.total_cost else "all of it free"
