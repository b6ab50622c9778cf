"""Numbers as people write them become E.164, or a sentence that does not quote them."""

import sys

import pytest

from routee_failover import InvalidSource
from routee_failover.bulk import numbers
from routee_failover.bulk.numbers import NoNumber, check_region, country_of, e164, time_zones_of


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without phonenumbers."""
    numbers._parsed.cache_clear()
    monkeypatch.setattr(numbers, "_library", lambda: None)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+306912345678", None),
        (" +306912345678\t", None),
        ("+30 691-234 5678", None),
        ("6912345678", "GR"),
        ("691 234 5678", "GR"),
        ("00306912345678", "GR"),
        ("306912345678", "GR"),
    ],
)
def test_a_number_is_written_in_e164(text: str, region: str | None) -> None:
    """However a number is written, it is the same recipient."""
    assert e164(text, region) == "+306912345678"


@pytest.mark.parametrize(
    ("text", "region", "why"),
    [
        ("", None, "must not be empty"),
        ("   ", "GR", "must not be empty"),
        ("6987654321", None, "must be an E.164 number"),
        ("3,06912E+11", "GR", "a spreadsheet has rounded"),
        ("call me", "GR", "is no phone number"),
        ("1234567890", "GR", "is no number of GR"),
        ("6912345678 ext. 5", "GR", "is no number of GR"),
        ("+30 12345", None, "is no number of its country"),
    ],
)
def test_what_is_no_number_says_why_and_not_what(text: str, region: str | None, why: str) -> None:
    """The reason helps whoever has the file, and quotes no number."""
    with pytest.raises(NoNumber, match=why) as caught:
        e164(text, region)
    assert not text.strip() or text.strip() not in str(caught.value)


def test_the_extra_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the library works, and knows that it is not there."""
    numbers._library.cache_clear()
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    try:
        assert not numbers.is_installed()
    finally:
        numbers._library.cache_clear()


def test_an_e164_number_needs_nothing_installed(bare: None) -> None:
    """Without the extra, + and digits pass; other ways to write them name what to install."""
    assert e164("+306912345678", "GR") == "+306912345678"
    with pytest.raises(NoNumber, match=r"routee-failover\[bulk\]"):
        e164("+30 691 234 5678")


def test_a_region_needs_the_extra_and_must_exist(request: pytest.FixtureRequest) -> None:
    """A region that cannot serve ends the run before its first row."""
    check_region(None)
    check_region("GR")
    for wrong in ("gr", "Greece", "XX"):
        with pytest.raises(InvalidSource, match="is no region"):
            check_region(wrong)
    request.getfixturevalue("bare")
    with pytest.raises(InvalidSource, match=r"routee-failover\[bulk\]"):
        check_region("GR")


def test_a_number_tells_its_country_and_its_zones() -> None:
    """Country and zones are known of numbers that belong to one, and of no others."""
    assert (country_of("+306912345678"), time_zones_of("+306912345678")) == ("GR", ("Europe/Athens",))
    assert len(time_zones_of("+61412345678")) > 1
    assert (country_of("+881612345678"), time_zones_of("+881612345678")) == (None, ())
    assert (country_of("nonsense"), time_zones_of("nonsense")) == (None, ())


def test_without_the_extra_nothing_is_known_of_a_number(bare: None) -> None:
    """What cannot be known is not guessed."""
    assert (country_of("+306912345678"), time_zones_of("+306912345678"), numbers.is_installed()) == (None, (), False)
