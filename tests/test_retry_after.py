"""`Retry-After` in every form that servers send it: rounded up, and a date measured by the server's own clock."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover._retry_after import MAX_RETRY_AFTER, parse_retry_after

SERVED = "Tue, 15 Nov 1994 08:12:31 GMT"
"""`Date` of a response; its clock differs from that of this machine by decades."""

FORMS: dict[str, tuple[list[str], float | None]] = {
    "whole seconds": (["7"], 7.0),
    "zero": (["0"], 0.0),
    "decimals are rounded up": (["5.5"], 6.0),
    "a little more than a second": (["1.0001"], 2.0),
    "decimals of zero": (["5.000"], 5.0),
    "a point at the end": (["5."], 5.0),
    "a point at the beginning": ([".5"], 1.0),
    "blanks": ([" \t7 "], 7.0),
    "a plus": (["+7"], 7.0),
    "a minus is no pause": (["-7"], None),
    "quotes": (['"7"'], 7.0),
    "a unit": (["7s"], 7.0),
    "a unit as a word": (["7 Seconds"], 7.0),
    "a list counts by its longest": (["5, 10 ,7"], 10.0),
    "a list with a word in it": (["5, soon"], 5.0),
    "two lines": (["5", "10"], 10.0),
    "a number and a date": (["5", "Tue, 15 Nov 1994 08:12:41 GMT"], 10.0),
    "a date": (["Tue, 15 Nov 1994 08:13:31 GMT"], 60.0),
    "two dates": (["Tue, 15 Nov 1994 08:13:31 GMT", "Tue, 15 Nov 1994 08:12:41 GMT"], 60.0),
    "a date without its day": (["15 Nov 1994 08:13:31 GMT"], 60.0),
    "a date with an offset": (["Tue, 15 Nov 1994 09:13:31 +0100"], 60.0),
    "a date without a zone is in GMT": (["Tue, 15 Nov 1994 08:13:31"], 60.0),
    "RFC 850": (["Tuesday, 15-Nov-94 08:13:31 GMT"], 60.0),
    "asctime": (["Tue Nov 15 08:13:31 1994"], 60.0),
    "ISO 8601": (["1994-11-15T08:13:31Z"], 60.0),
    "ISO 8601 with decimals is rounded up": (["1994-11-15T08:13:30.250+00:00"], 60.0),
    "a date that has passed": (["Tue, 15 Nov 1994 08:12:30 GMT"], 0.0),
    "far in the future": (["Fri, 31 Dec 9999 23:59:59 GMT"], MAX_RETRY_AFTER),
    "digits that could be a date": (["20261130"], MAX_RETRY_AFTER),
    "too long": (["100000"], MAX_RETRY_AFTER),
    "more digits than a double has": (["9" * 5000], MAX_RETRY_AFTER),
    "nothing": ([""], None),
    "no line": ([], None),
    "blanks alone": (["  "], None),
    "a word": (["soon"], None),
    "another unit": (["7m"], None),
    "two numbers": (["7 8"], None),
    "two points": (["1.2.3"], None),
    "a sign alone": (["-"], None),
    "not a number": (["nan"], None),
    "infinity": (["inf"], None),
    "hexadecimal": (["0x10"], None),
    "digits of another alphabet": (["\u0667"], None),
    "a superscript": (["²"], None),
    "a date that does not exist": (["Tue, 32 Nov 1994 08:12:31 GMT"], None),
    "a year that does not exist": (["Tue, 15 Nov 99999 08:12:31 GMT"], None),
    "an offset that does not exist": (["Tue, 15 Nov 1994 08:12:31 +9999"], None),
}


@pytest.mark.parametrize(("lines", "seconds"), FORMS.values(), ids=FORMS)
def test_each_form_is_read_and_rounded_up(lines: list[str], seconds: float | None) -> None:
    """Every form that servers send is read, never as less than it says; anything else asks for no pause."""
    assert parse_retry_after(lines, SERVED) == seconds


@pytest.mark.parametrize("date", [None, "", "soon", "Tue, 32 Nov 1994 08:12:31 GMT"])
def test_date_is_compared_with_this_clock_only_without_a_usable_date_header(date: str | None) -> None:
    """Without a usable `Date`, this machine's clock is what is left to compare with."""
    later = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    seconds = parse_retry_after([later], date)
    assert seconds is not None
    assert 7000 < seconds <= 7200


@given(st.lists(st.text() | st.text("0123456789+-., :;=\"'TZGMNovue "), max_size=3), st.none() | st.text())
def test_any_text_is_a_pause_within_bounds_or_none(lines: list[str], date: str | None) -> None:
    """Whatever a server sends, the pause is within its bounds, or there is none."""
    seconds = parse_retry_after(lines, date)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER
