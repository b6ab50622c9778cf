"""Country names by their ISO codes, and the country of a phone number if Routee reported none."""

import functools
from collections.abc import Callable
from importlib.resources import files

from ..phone_numbers import country_of

_PREFIX_LENGTH = 9
"""Characters of a number that determine its country, including the plus: enough for shared codes such as +1 and +44."""
_MAX_CACHED = 20_000


class CountryLookup:
    """Countries of phone numbers, cached by prefix: to parse a million numbers would take a minute."""

    def __init__(self, resolve: Callable[[str], str | None] = country_of) -> None:
        self._resolve = resolve
        self._cache: dict[str, str] = {}

    def lookup(self, number: str) -> str:
        """Return the ISO code; empty if it is not known, for example without the `bulk` extra."""
        prefix = number[:_PREFIX_LENGTH]
        country = self._cache.get(prefix)
        if country is None:
            country = self._resolve(number) or ""
            if country and len(self._cache) < _MAX_CACHED:
                self._cache[prefix] = country
        return country


@functools.cache
def _country_names() -> dict[str, str]:
    """Return the ISO 3166 table of the time zone database, which is part of the `bulk` extra."""
    try:
        table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8")
    except (ImportError, OSError):
        return {}
    return dict(line.split("\t", 1) for line in table.splitlines() if line and not line.startswith("#"))


def country_name(code: str) -> str:
    """Return the name of a country; for an unknown code, the code itself."""
    return _country_names().get(code.upper(), code)
