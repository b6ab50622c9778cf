"""Messages are sent within the send window of the recipient's local time, in every time zone and at clock changes."""

import time as time_module
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import InvalidSource
from routee_failover.bulk import phone_numbers
from routee_failover.bulk.send_window import EVERY_DAY, NEVER_OPENS, SendWindow, has_single_utc_offset

ATHENS, NEW_YORK = ZoneInfo("Europe/Athens"), ZoneInfo("America/New_York")
RUSSIAN, TOLL_FREE = "+79161234567", "+18002345678"
GREEK, BRITISH, AUSTRALIAN, NOWHERE = "+306912345678", "+447911123456", "+61412345678", "+881612345678"
ZONES_BY_NUMBER = {
    GREEK: ("Europe/Athens",),
    "+12125550100": ("America/New_York",),
    "+5511987654321": ("America/Sao_Paulo",),
    "+919876543210": ("Asia/Calcutta",),
    AUSTRALIAN: (
        *("Australia/Adelaide", "Australia/Brisbane", "Australia/Eucla", "Australia/Lord_Howe", "Australia/Perth"),
        *("Australia/Sydney", "Indian/Christmas", "Indian/Cocos"),
    ),
}


def at(text: str, zone: str = "Europe/Athens") -> datetime:
    """Return an instant, given in the local time of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-06-01 08:59:59", "2026-06-01 09:00"),
        ("2026-06-01 09:00:00", None),
        ("2026-06-01 19:59:59", None),
        ("2026-06-01 20:00:00", "2026-06-02 09:00"),
    ],
)
def test_window_includes_its_start_and_excludes_its_end(now: str, opening: str | None) -> None:
    """The first minute is inside, the last one named is outside, and a late message waits for the next morning."""
    opens_at = SendWindow.parse("09:00-20:00").opens_at(GREEK, at(now))
    assert opens_at == (opening and at(opening))


def test_window_past_midnight_belongs_to_the_day_it_starts_on() -> None:
    """A window from Friday evening is open on Saturday before its end, and not a night later."""
    window = SendWindow.parse("fri 22:00-02:00")
    assert window.opens_at(GREEK, at("2026-06-06 01:30")) is None  # a Saturday
    assert window.opens_at(GREEK, at("2026-06-07 01:30")) == at("2026-06-12 22:00")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("09:00-20:00", EVERY_DAY),
        ("mon-fri 09:00-20:00", {0, 1, 2, 3, 4}),
        ("SAT,sun 09:00-20:00", {5, 6}),
        ("fri-mon,wed 09:00-20:00", {4, 5, 6, 0, 2}),
    ],
)
def test_days_are_parsed_as_names_and_ranges(text: str, days: frozenset[int]) -> None:
    """Days are a list of names and ranges, which may pass the end of the week."""
    assert SendWindow.parse(text) == SendWindow(time(9), time(20), frozenset(days))


def test_window_ending_at_24_00_lasts_until_midnight() -> None:
    """24:00 is the end of a day, and from midnight to midnight is the whole day."""
    assert SendWindow.parse("18:00-24:00").opens_at(GREEK, at("2026-06-01 23:59")) is None
    saturday = SendWindow.parse("sat 00:00-24:00 Europe/Athens")
    assert saturday.opens_at(GREEK, at("2026-06-06 23:59")) is None
    assert saturday.opens_at(GREEK, at("2026-06-07 00:00")) == at("2026-06-13 00:00")


@pytest.mark.parametrize("text", ["", "9-20", "09:00", "25:00-26:00", "foo 09:00-20:00", "09:00-20:00 Mars/Base"])
def test_invalid_window_text_is_refused(text: str) -> None:
    """A text that is no send window is refused before the run, with the expected format."""
    with pytest.raises(InvalidSource, match="is no send window"):
        SendWindow.parse(text)


def test_window_without_a_day_is_refused() -> None:
    """A window that never opens is a mistake."""
    with pytest.raises(InvalidSource, match="needs a day"):
        SendWindow(time(9), time(20), frozenset())


def test_time_zone_unknown_to_this_machine_leaves_the_number_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time zone tables differ between machines; if one of a number's zones is missing, none of its hours is certain."""
    monkeypatch.setattr(phone_numbers, "time_zones_of", lambda _: ("Mars/Base", "Europe/Athens"))
    noon = at("2026-06-01 12:00")
    assert SendWindow.parse("09:00-20:00").opens_at("+99912345670000", noon) is NEVER_OPENS
    assert SendWindow.parse("09:00-20:00 Europe/Athens").opens_at("+99912345670000", noon) is None
    assert not has_single_utc_offset("+99912345670000")


def test_window_must_be_open_in_all_time_zones_of_a_number() -> None:
    """A number that may be anywhere in Australia is written to while the window is open in all of it."""
    window = SendWindow.parse("09:00-20:00")
    assert window.opens_at(AUSTRALIAN, at("2026-06-01 09:30", "Australia/Sydney")) == at(
        "2026-06-01 09:00", "Indian/Cocos"
    )


def test_number_without_a_time_zone_uses_the_default_zone_or_never_opens() -> None:
    """If nothing is known about a number, the default zone applies, and without one the window never opens."""
    morning = at("2026-06-01 08:00", "America/New_York")
    window = SendWindow.parse("09:00-20:00 America/New_York")
    assert window.opens_at(NOWHERE, morning) == at("2026-06-01 09:00", NEW_YORK.key)
    assert SendWindow.parse("09:00-20:00").opens_at(NOWHERE, morning) is NEVER_OPENS
    assert SendWindow.parse("00:00-24:00").opens_at(NOWHERE, morning) is None


@pytest.mark.parametrize("number", [RUSSIAN, TOLL_FREE, AUSTRALIAN])
def test_zones_without_a_common_hour_use_a_default_zone_of_theirs_or_never_open(number: str) -> None:
    """The default zone applies only if it is one of the number's zones; this machine's zone never does."""
    window = SendWindow.parse("09:00-09:30")
    elsewhere = SendWindow.parse("09:00-09:30 Europe/Athens")
    start = datetime(2026, 6, 1, tzinfo=UTC)
    for minutes in range(0, 24 * 60, 7):
        now = start + timedelta(minutes=minutes)
        assert window.opens_at(number, now) is NEVER_OPENS
        assert elsewhere.opens_at(number, now) is NEVER_OPENS
    home = phone_numbers.time_zones_of(number)[0]
    own = SendWindow.parse(f"09:00-09:30 {home}")
    assert own.opens_at(number, at("2026-06-01 09:10", home)) is None
    assert own.opens_at(number, at("2026-06-01 09:40", home)) == at("2026-06-02 09:00", home)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Moscow", "Pacific/Auckland"])
def test_local_time_zone_of_this_machine_is_ignored(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever zone the machine is in, no recipient in Russia is written to at 06:14 in Moscow."""
    monkeypatch.setenv("TZ", zone)
    time_module.tzset()
    try:
        window = SendWindow.parse("09:00-20:00")
        opens_at = window.opens_at(RUSSIAN, at("2026-06-01 06:14", "Europe/Moscow"))
        assert opens_at is not None
        assert opens_at is NEVER_OPENS or all(
            time(9) <= opens_at.astimezone(ZoneInfo(name)).time() < time(20)
            for name in phone_numbers.time_zones_of(RUSSIAN)
        )
    finally:
        monkeypatch.undo()
        time_module.tzset()


@pytest.mark.parametrize(
    ("number", "is_certain"),
    [
        (GREEK, True),
        ("+12125550100", True),
        ("+4915123456789", True),
        (AUSTRALIAN, False),
        (RUSSIAN, False),
        (TOLL_FREE, False),
        (NOWHERE, False),
        ("nonsense", False),
    ],
)
def test_single_utc_offset_requires_one_known_time_zone(number: str, is_certain: bool) -> None:
    """Only if one offset is known at any given time is the local time of a number's owner certain."""
    assert has_single_utc_offset(number) is is_certain


def test_zones_with_equal_offsets_all_year_count_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two names for one local time are no uncertainty; zones that differ for a part of the year are."""
    monkeypatch.setattr(phone_numbers, "time_zones_of", lambda _: ("Europe/Athens", "Europe/Helsinki"))
    assert has_single_utc_offset("+99955545670001")
    monkeypatch.setattr(phone_numbers, "time_zones_of", lambda _: ("America/Phoenix", "America/Denver"))
    assert not has_single_utc_offset("+99866645670001")


def test_window_requires_a_default_zone_without_phonenumbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local times are never guessed: if the zone of a number cannot be known, a default zone is required."""
    monkeypatch.setattr(phone_numbers, "is_installed", lambda: False)
    with pytest.raises(InvalidSource, match="phonenumbers"):
        SendWindow.parse("09:00-20:00")
    assert SendWindow.parse("09:00-20:00 Europe/Athens").default_zone == ATHENS


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-03-29T00:30+00:00", "2026-03-29T01:00+00:00"),  # 02:30, and half an hour later it is 04:00
        ("2026-10-25T00:10+00:00", None),  # 03:10, for the first time
        ("2026-10-25T00:40+00:00", "2026-10-25T01:00+00:00"),  # 03:40, and then again 03:00
        ("2026-10-25T01:10+00:00", None),
    ],
)
def test_opening_follows_daylight_saving_changes(now: str, opening: str | None) -> None:
    """A skipped time is not waited for, and a repeated time counts twice."""
    zone = "Europe/Athens"
    window = SendWindow.parse(f"03:00-04:30 {zone}" if "-03-" in now else f"03:00-03:30 {zone}")
    opens_at = window.opens_at(GREEK, datetime.fromisoformat(now))
    assert opens_at == (opening and datetime.fromisoformat(opening))


_times = st.times().map(lambda value: value.replace(second=0, microsecond=0))
_windows = st.builds(
    SendWindow, start=_times, end=_times, days=st.frozensets(st.integers(0, 6), min_size=1), default_zone=st.just(UTC)
)
_instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda value: value.replace(tzinfo=UTC))


def _is_open(window: SendWindow, number: str, instant: datetime) -> bool:
    """Reference implementation: the local time of every zone of the number is within the window."""
    for name in ZONES_BY_NUMBER[number]:
        local = instant.astimezone(ZoneInfo(name))
        start = local.date() if window.start < window.end or local.time() >= window.start else None
        day = (start or local.date() - timedelta(days=1)).weekday()
        inside = local.time() < window.end if start is None else local.time() >= window.start
        if window.start < window.end:
            inside = window.start <= local.time() < window.end
        if not inside or day not in window.days:
            return False
    return True


@given(_windows, st.sampled_from(sorted(ZONES_BY_NUMBER)), _instants)
def test_opening_is_the_first_time_at_which_all_zones_are_open(window: SendWindow, number: str, now: datetime) -> None:
    """The window is open then, at no time before, and the result is the same for all times in between."""
    opens_at = window.opens_at(number, now)
    if opens_at is None:
        assert _is_open(window, number, now)
        return
    if opens_at is NEVER_OPENS:
        hours = [now + timedelta(minutes=30 * step) for step in range(48 * 8)]
        assert not any(_is_open(window, number, instant) for instant in hours)
        return
    assert opens_at > now
    assert not _is_open(window, number, now)
    steps = [now + (opens_at - now) * step / 97 for step in range(97)]
    assert not any(_is_open(window, number, instant) for instant in steps)
    assert [window.opens_at(number, instant) for instant in steps[1:5]] == [opens_at] * 4
    assert window.opens_at(number, opens_at) is None
    assert _is_open(window, number, opens_at)
