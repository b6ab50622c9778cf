"""What Routee is asked: whole minutes around the range, and an end that newcomers do not move."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import Filter, FlowRecord, InvalidSearch
from routee_failover._search.filters import FilterField
from routee_failover._search.query import FlowQuery, build_flow_query

NOW = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)
ATHENS = timezone(timedelta(hours=2))
MIDNIGHT = datetime(2026, 1, 31, tzinfo=ATHENS)


def _question(where: Any = (), since: Any = None, until: Any = None, **terms: Any) -> FlowQuery:
    return build_flow_query({FilterField[name.upper()]: term for name, term in terms.items()}, where, since, until, NOW)


def _refused(**terms: Any) -> list[str]:
    with pytest.raises(InvalidSearch) as caught:
        _question(**terms)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("since", "until", "begins", "ends"),
    [
        (None, None, None, "2026-01-31T12:06Z"),
        (NOW - timedelta(hours=1), None, "2026-01-31T11:00Z", "2026-01-31T12:06Z"),
        (MIDNIGHT, MIDNIGHT + timedelta(days=1), "2026-01-30T21:59Z", "2026-01-31T22:00Z"),
        (NOW, NOW + timedelta(microseconds=1), "2026-01-31T12:00Z", "2026-01-31T12:01Z"),
        (NOW + timedelta(days=1), None, "2026-02-01T12:00Z", "2026-02-01T12:06Z"),
        (datetime(987, 6, 5, tzinfo=UTC), None, "0987-06-04T23:59Z", "2026-01-31T12:06Z"),
    ],
)
def test_whole_minutes_around_the_range_are_asked_for(
    since: datetime | None, until: datetime | None, begins: str | None, ends: str
) -> None:
    """Routee counts minutes: what it is asked for holds the range, and five minutes of difference between clocks."""
    question = _question(since=since, until=until)
    assert (question.date_start, question.date_end) == (begins, ends)


def test_the_address_of_a_page() -> None:
    """Times as the documentation writes them, the page counted from 0, and no start where there is none."""
    question = _question(since=datetime(2025, 5, 5, 15, 0, 1, tzinfo=UTC))
    assert question.path(3, 20) == (
        "/failover/tracking?dateStart=2025-05-05T15:00Z&dateEnd=2026-01-31T12:06Z&page=3&size=20"
    )
    assert _question().path(0, 10) == "/failover/tracking?dateEnd=2026-01-31T12:06Z&page=0&size=10"


MOMENTS = st.datetimes(datetime(2, 1, 2), datetime(9998, 12, 30), timezones=st.timezones())


@given(MOMENTS, st.timedeltas(timedelta(microseconds=1), timedelta(days=30)), st.floats(0, 1, exclude_max=True))
def test_a_flow_within_the_range_is_asked_for(since: datetime, length: timedelta, place: float) -> None:
    """The minutes that Routee is asked for hold the range, their first moment and their last left out; it is exact."""
    first = since.astimezone(UTC)  # what is added to a local time is added to its clock, which may jump
    question = _question(since=since, until=first + length)
    at = first + min(length * place, length - timedelta(microseconds=1))
    begins, ends = (datetime.fromisoformat(written or "") for written in (question.date_start, question.date_end))
    assert begins < at < ends
    assert question.matches(FlowRecord.from_dict({"createdAt": at.isoformat()}))
    for outside in (first - timedelta(microseconds=1), first + length):
        assert not question.matches(FlowRecord.from_dict({"createdAt": outside.isoformat()}))


def test_a_flow_that_does_not_say_when_it_was_sent_is_wanted() -> None:
    """Nothing is left out for what it does not say."""
    assert _question(since=NOW).matches(FlowRecord.from_dict({}))


def test_terms_and_conditions_must_all_hold() -> None:
    """Each argument is a condition of its own beside those of `where`."""
    question = _question(to="+301", status="Failed", where=[Filter("type", "is", "Viber")])
    assert [(one.field_name, one.search_term) for one in question.filters] == [
        *(("to", "+301"), ("status", "Failed")),
        ("type", "Viber"),
    ]
    assert question.matches(FlowRecord.from_dict({"status": "Failed"}))
    assert not question.matches(FlowRecord.from_dict({"status": "Succeeded"}))


@pytest.mark.parametrize(
    ("terms", "problems"),
    [
        ({"since": datetime(2026, 1, 1)}, ["since: must have a time zone, as datetime.now(UTC) has"]),
        ({"until": date(2026, 1, 1)}, ["until: must be a datetime with a time zone, not date"]),
        ({"until": "2026-01-01"}, ["until: must be a datetime with a time zone, not str"]),
        ({"since": NOW, "until": NOW}, ["since: must be before until"]),
        ({"since": NOW.astimezone(ATHENS), "until": NOW - timedelta(1)}, ["since: must be before until"]),
        ({"since": datetime.min.replace(tzinfo=ATHENS)}, ["since: is beyond what a date can hold"]),
        ({"until": datetime.max.replace(tzinfo=UTC)}, ["until: is beyond what a date can hold"]),
        ({"where": Filter("status", "is", "Failed")}, ["where: must be a list of Filter"]),
        ({"where": 5}, ["where: must be a list of Filter"]),
        ({"where": ["status"]}, ["where[0]: must be a Filter, not str"]),
        (
            {"status": "Failed", "where": [Filter("status", "is", "Succeeded")]},
            ["status: no flow matches both filters"],
        ),
        (
            {"to": 5, "status": "done", "since": NOW, "until": "now", "where": [None]},
            [
                "to: must be text, not int",
                "status: must be one of Queued, InProgress, Succeeded, Failed; a new one is FlowStatus(...)",
                "where[0]: must be a Filter, not NoneType",
                "until: must be a datetime with a time zone, not str",
            ],
        ),
    ],
)
def test_what_cannot_work_is_refused_all_at_once(terms: dict[str, Any], problems: list[str]) -> None:
    """Each problem has the name that the caller knows, and all of them are told together."""
    assert _refused(**terms) == problems
