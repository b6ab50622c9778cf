"""Flow query: whole minutes around the time range, and a fixed end that new flows do not move."""

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


def _query(where: Any = (), since: Any = None, until: Any = None, **terms: Any) -> FlowQuery:
    return build_flow_query({FilterField[name.upper()]: term for name, term in terms.items()}, where, since, until, NOW)


def _problems_of(**terms: Any) -> list[str]:
    with pytest.raises(InvalidSearch) as caught:
        _query(**terms)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("since", "until", "date_start", "date_end"),
    [
        (None, None, None, "2026-01-31T12:06Z"),
        (NOW - timedelta(hours=1), None, "2026-01-31T11:00Z", "2026-01-31T12:06Z"),
        (MIDNIGHT, MIDNIGHT + timedelta(days=1), "2026-01-30T21:59Z", "2026-01-31T22:00Z"),
        (NOW, NOW + timedelta(microseconds=1), "2026-01-31T12:00Z", "2026-01-31T12:01Z"),
        (NOW + timedelta(days=1), None, "2026-02-01T12:00Z", "2026-02-01T12:06Z"),
        (datetime(987, 6, 5, tzinfo=UTC), None, "0987-06-04T23:59Z", "2026-01-31T12:06Z"),
    ],
)
def test_query_requests_whole_minutes_around_the_range(
    since: datetime | None, until: datetime | None, date_start: str | None, date_end: str
) -> None:
    """Routee's resolution is one minute: the requested range holds the exact one, and five minutes of clock skew."""
    query = _query(since=since, until=until)
    assert (query.date_start, query.date_end) == (date_start, date_end)


def test_path_of_a_page_has_documented_times_and_zero_based_number() -> None:
    """Times are written as in the documentation, pages count from 0, and the start is optional."""
    query = _query(since=datetime(2025, 5, 5, 15, 0, 1, tzinfo=UTC))
    assert query.path(3, 20) == (
        "/failover/tracking?dateStart=2025-05-05T15:00Z&dateEnd=2026-01-31T12:06Z&page=3&size=20"
    )
    assert _query().path(0, 10) == "/failover/tracking?dateEnd=2026-01-31T12:06Z&page=0&size=10"


TIMES = st.datetimes(datetime(2, 1, 2), datetime(9998, 12, 30), timezones=st.timezones())


@given(TIMES, st.timedeltas(timedelta(microseconds=1), timedelta(days=30)), st.floats(0, 1, exclude_max=True))
def test_flow_within_the_range_is_requested_and_matches(since: datetime, length: timedelta, fraction: float) -> None:
    """The requested minutes contain the range strictly; matching is exact at both ends."""
    first = since.astimezone(UTC)  # arithmetic with local times ignores daylight saving time
    query = _query(since=since, until=first + length)
    created = first + min(length * fraction, length - timedelta(microseconds=1))
    requested_from, requested_to = (datetime.fromisoformat(text or "") for text in (query.date_start, query.date_end))
    assert requested_from < created < requested_to
    assert query.matches(FlowRecord.from_dict({"createdAt": created.isoformat()}))
    for outside in (first - timedelta(microseconds=1), first + length):
        assert not query.matches(FlowRecord.from_dict({"createdAt": outside.isoformat()}))


def test_record_without_a_creation_time_matches() -> None:
    """A missing field does not exclude a record."""
    assert _query(since=NOW).matches(FlowRecord.from_dict({}))


def test_arguments_and_where_are_combined_with_and() -> None:
    """Each argument is a filter of its own in addition to those of `where`."""
    query = _query(to="+301", status="Failed", where=[Filter("type", "is", "Viber")])
    assert [(condition.field_name, condition.search_term) for condition in query.filters] == [
        *(("to", "+301"), ("status", "Failed")),
        ("type", "Viber"),
    ]
    assert query.matches(FlowRecord.from_dict({"status": "Failed"}))
    assert not query.matches(FlowRecord.from_dict({"status": "Succeeded"}))


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
                "status: must be one of Queued, InProgress, Succeeded, Failed; pass a new one as FlowStatus(...)",
                "where[0]: must be a Filter, not NoneType",
                "until: must be a datetime with a time zone, not str",
            ],
        ),
    ],
)
def test_invalid_query_lists_all_its_problems(terms: dict[str, Any], problems: list[str]) -> None:
    """Each problem has the name of the argument, and all of them are raised together."""
    assert _problems_of(**terms) == problems
