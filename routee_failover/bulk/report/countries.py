"""Countries by their two letters, in words, and of a number where Routee told none."""

import functools
from collections.abc import Callable
from importlib.resources import files

from ..phone_numbers import country_of

_PREFIX_LENGTH = 9
"""Letters of a number, its plus included: those that share a calling code, as +1 and +44, have parted by then."""
_MAX_CACHED = 20_000


class CountryLookup:
    """Countries of numbers, asked for once for all that begin alike: to read a million numbers takes a minute."""

    def __init__(self, resolve: Callable[[str], str | None] = country_of) -> None:
        self._resolve = resolve
        self._cache: dict[str, str] = {}

    def lookup(self, number: str) -> str:
        """The two letters; empty where they are not known, as without the `bulk` extra."""
        prefix = number[:_PREFIX_LENGTH]
        country = self._cache.get(prefix)
        if country is None:
            country = self._resolve(number) or ""
            if country and len(self._cache) < _MAX_CACHED:
                self._cache[prefix] = country
        return country


@functools.cache
def _country_names() -> dict[str, str]:
    """ISO 3166 as the time zone database writes it, of the `bulk` extra."""
    try:
        table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8")
    except (ImportError, OSError):
        return {}
    return dict(line.split("\t", 1) for line in table.splitlines() if line and not line.startswith("#"))


def country_name(code: str) -> str:
    """The country's name, or the code where it is none."""
    return _country_names().get(code.upper(), code)
