"""Chart of costs by country, each bar divided by final channel."""

from collections.abc import Iterator
from typing import NamedTuple

from ..country_lookup import country_name
from ..formatting import format_money, format_share
from ..markup import Markup
from ..model import CostGroup
from .svg import channel_css_class, channel_label, rectangle, svg_chart, svg_text, truncate

_ROW_HEIGHT = 44
_BAR_HEIGHT = 12
MAX_COUNTRIES = 12


class CountryCosts(NamedTuple):
    """Costs of one country by channel, most expensive first."""

    name: str
    channels: tuple[CostGroup, ...]

    @property
    def price(self) -> float:
        """Total of all channels."""
        return sum(group.price for group in self.channels)


def costs_by_country(costs: tuple[CostGroup, ...]) -> list[CountryCosts]:
    """Return the costs by country, most expensive first."""
    by_code: dict[str, list[CostGroup]] = {}
    for cost in costs:
        by_code.setdefault(cost.country, []).append(cost)
    countries = [
        CountryCosts(country_name(code) if code else "Country not known", tuple(groups))
        for code, groups in by_code.items()
    ]
    return sorted(countries, key=lambda country: (-country.price, country.name))


def costs_by_channel(costs: tuple[CostGroup, ...]) -> list[tuple[str, int, float]]:
    """Return channel, number of messages and price, most expensive first."""
    by_channel: dict[str, tuple[int, float]] = {}
    for cost in costs:
        count, price = by_channel.get(cost.channel, (0, 0.0))
        by_channel[cost.channel] = count + cost.messages, price + cost.price
    ranked = sorted(by_channel.items(), key=lambda item: (-item[1][1], item[0]))
    return [(channel, count, price) for channel, (count, price) in ranked]


def costs_chart(costs: tuple[CostGroup, ...], title: str, currency: str) -> Markup:
    """Return a bar for each of the most expensive countries, and one for the others together."""
    countries = costs_by_country(costs)
    rows = countries[:MAX_COUNTRIES]
    if len(countries) > MAX_COUNTRIES + 1:
        others = countries[MAX_COUNTRIES:]
        rows.append(CountryCosts(f"{len(others)} other countries", _merge_countries(others)))
    else:
        rows = countries
    channels = [channel for channel, _, _ in costs_by_channel(costs)]
    description = ", ".join(f"{row.name} {format_money(row.price, currency)}" for row in rows)
    return svg_chart("costs", title, f"{description}.", _ROW_HEIGHT * len(rows) - 8, *_rows(rows, channels, currency))


def _merge_countries(countries: list[CountryCosts]) -> tuple[CostGroup, ...]:
    groups = costs_by_channel(tuple(group for country in countries for group in country.channels))
    return tuple(CostGroup("", channel, count, price) for channel, count, price in groups)


def _rows(rows: list[CountryCosts], channels: list[str], currency: str) -> Iterator[Markup]:
    highest = max(row.price for row in rows) or 1.0
    total = sum(row.price for row in rows)
    for index, row in enumerate(rows):
        y = _ROW_HEIGHT * index + 15
        yield svg_text(truncate(row.name, 22), 0, y, css_class="strong")
        yield svg_text(f"{format_money(row.price, currency)} · {format_share(row.price, total)}", 1, y, anchor="end")
        x = 0.0
        for group in sorted(row.channels, key=lambda group: channels.index(group.channel)):
            text = f"{channel_label(group.channel)}: {format_money(group.price, currency)} for {group.messages:,}"
            yield rectangle(
                x, y + 8, max(group.price, 0) / highest, _BAR_HEIGHT, channel_css_class(group.channel), tooltip=text
            )
            x += max(group.price, 0) / highest
