"""Countries by their two letters, in words, and of a number where Routee told none."""

import functools
from importlib.resources import files

_PREFIX = 9
"""Letters of a number, its plus included, that its country is taken from: those that share a code part before."""


def country_of(number: str) -> str | None:
    """The two letters of a number's country, by its first digits; `None` without the `bulk` extra."""
    return _country_of(number[:_PREFIX], len(number))


@functools.lru_cache(8192)
def _country_of(prefix: str, length: int) -> str | None:
    try:
        import phonenumbers  # noqa: PLC0415  # of an extra, and heavy
    except ImportError:
        return None
    try:
        number = phonenumbers.parse(prefix.ljust(length, "0"))
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(
        number.country_code or 0
    )


@functools.cache
def _names() -> dict[str, str]:
    """ISO 3166 as the time zone database writes it, of the `bulk` extra."""
    try:
        table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8")
    except (ImportError, OSError):
        return {}
    return dict(line.split("\t", 1) for line in table.splitlines() if line and not line.startswith("#"))


def country_name(code: str) -> str:
    """The country's name, or the code where it is none."""
    return _names().get(code.upper(), code)
