"""What messages cost, by country, each bar parted by the channel that they ended on."""

from collections.abc import Iterator
from typing import NamedTuple

from ..countries import country_name
from ..markup import Markup
from ..values import Cost
from ..wording import money, share
from .frame import block, channel_kind, channel_name, cut, drawing, words

_ROW = 44
_BAR = 12
MOST_COUNTRIES = 12


class CountryCosts(NamedTuple):
    """What one country cost, by channel, the dearest first."""

    name: str
    parts: tuple[Cost, ...]

    @property
    def price(self) -> float:
        """Of all channels."""
        return sum(part.price for part in self.parts)


def by_country(costs: tuple[Cost, ...]) -> list[CountryCosts]:
    """The dearest first; without a known country it is named so."""
    found: dict[str, list[Cost]] = {}
    for cost in costs:
        found.setdefault(cost.country, []).append(cost)
    countries = [
        CountryCosts(country_name(code) if code else "Country not known", tuple(parts)) for code, parts in found.items()
    ]
    return sorted(countries, key=lambda country: (-country.price, country.name))


def by_channel(costs: tuple[Cost, ...]) -> list[tuple[str, int, float]]:
    """Channel, how many and what they cost, the dearest first."""
    found: dict[str, tuple[int, float]] = {}
    for cost in costs:
        count, price = found.get(cost.channel, (0, 0.0))
        found[cost.channel] = count + cost.rows, price + cost.price
    ranked = sorted(found.items(), key=lambda item: (-item[1][1], item[0]))
    return [(channel, count, price) for channel, (count, price) in ranked]


def costs_chart(costs: tuple[Cost, ...], title: str, currency: str) -> Markup:
    """A bar for each of the dearest countries, and one for the rest."""
    countries = by_country(costs)
    rows = countries[:MOST_COUNTRIES]
    if len(countries) > MOST_COUNTRIES + 1:
        rest = countries[MOST_COUNTRIES:]
        rows.append(CountryCosts(f"{len(rest)} other countries", _together(rest)))
    else:
        rows = countries
    order = [channel for channel, _, _ in by_channel(costs)]
    told = ", ".join(f"{row.name} {money(row.price, currency)}" for row in rows)
    return drawing("costs", title, f"{told}.", _ROW * len(rows) - 8, *_rows(rows, order, currency))


def _together(countries: list[CountryCosts]) -> tuple[Cost, ...]:
    parts = by_channel(tuple(part for country in countries for part in country.parts))
    return tuple(Cost("", channel, count, price) for channel, count, price in parts)


def _rows(rows: list[CountryCosts], order: list[str], currency: str) -> Iterator[Markup]:
    most = max(row.price for row in rows) or 1.0
    whole = sum(row.price for row in rows)
    for at, row in enumerate(rows):
        y = _ROW * at + 15
        yield words(cut(row.name, 22), 0, y, kind="strong")
        yield words(f"{money(row.price, currency)} · {share(row.price, whole)}", 1, y, anchor="end")
        x = 0.0
        for part in sorted(row.parts, key=lambda part: order.index(part.channel)):
            tip = f"{channel_name(part.channel)}: {money(part.price, currency)} for {part.rows:,}"
            yield block(x, y + 8, max(part.price, 0) / most, _BAR, channel_kind(part.channel), tip=tip)
            x += max(part.price, 0) / most
