"""What messages cost, by country, each bar parted by the channel that they ended on."""

from collections.abc import Iterator
from typing import NamedTuple

from ..countries import country_name
from ..formatting import format_money, format_share
from ..markup import Markup
from ..model import CostGroup
from .svg import channel_css_class, channel_label, rectangle, svg_chart, svg_text, truncate

_ROW = 44
_BAR = 12
MAX_COUNTRIES = 12


class CountryCosts(NamedTuple):
    """What one country cost, by channel, the dearest first."""

    name: str
    channels: tuple[CostGroup, ...]

    @property
    def price(self) -> float:
        """Of all channels."""
        return sum(part.price for part in self.channels)


def costs_by_country(costs: tuple[CostGroup, ...]) -> list[CountryCosts]:
    """The dearest first; without a known country it is named so."""
    found: dict[str, list[CostGroup]] = {}
    for cost in costs:
        found.setdefault(cost.country, []).append(cost)
    countries = [
        CountryCosts(country_name(code) if code else "Country not known", tuple(parts)) for code, parts in found.items()
    ]
    return sorted(countries, key=lambda country: (-country.price, country.name))


def costs_by_channel(costs: tuple[CostGroup, ...]) -> list[tuple[str, int, float]]:
    """Channel, how many and what they cost, the dearest first."""
    found: dict[str, tuple[int, float]] = {}
    for cost in costs:
        count, price = found.get(cost.channel, (0, 0.0))
        found[cost.channel] = count + cost.messages, price + cost.price
    ranked = sorted(found.items(), key=lambda item: (-item[1][1], item[0]))
    return [(channel, count, price) for channel, (count, price) in ranked]


def costs_chart(costs: tuple[CostGroup, ...], title: str, currency: str) -> Markup:
    """A bar for each of the dearest countries, and one for the rest."""
    countries = costs_by_country(costs)
    rows = countries[:MAX_COUNTRIES]
    if len(countries) > MAX_COUNTRIES + 1:
        rest = countries[MAX_COUNTRIES:]
        rows.append(CountryCosts(f"{len(rest)} other countries", _merge_countries(rest)))
    else:
        rows = countries
    order = [channel for channel, _, _ in costs_by_channel(costs)]
    told = ", ".join(f"{row.name} {format_money(row.price, currency)}" for row in rows)
    return svg_chart("costs", title, f"{told}.", _ROW * len(rows) - 8, *_rows(rows, order, currency))


def _merge_countries(countries: list[CountryCosts]) -> tuple[CostGroup, ...]:
    parts = costs_by_channel(tuple(part for country in countries for part in country.channels))
    return tuple(CostGroup("", channel, count, price) for channel, count, price in parts)


def _rows(rows: list[CountryCosts], order: list[str], currency: str) -> Iterator[Markup]:
    most = max(row.price for row in rows) or 1.0
    whole = sum(row.price for row in rows)
    for at, row in enumerate(rows):
        y = _ROW * at + 15
        yield svg_text(truncate(row.name, 22), 0, y, css_class="strong")
        yield svg_text(f"{format_money(row.price, currency)} · {format_share(row.price, whole)}", 1, y, anchor="end")
        x = 0.0
        for part in sorted(row.channels, key=lambda part: order.index(part.channel)):
            tip = f"{channel_label(part.channel)}: {format_money(part.price, currency)} for {part.messages:,}"
            yield rectangle(x, y + 8, max(part.price, 0) / most, _BAR, channel_css_class(part.channel), tooltip=tip)
            x += max(part.price, 0) / most
