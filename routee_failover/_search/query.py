"""Query of a flow search: filters and time range, as sent to Routee and as checked against the returned records.

Routee's time range has a resolution of one minute. Whole minutes are requested, and records outside the exact range are
dropped here.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from itertools import combinations
from typing import Any
from urllib.parse import quote, urlencode

import attrs

from ..errors import InvalidSearch, Problem
from ..records import FlowRecord
from .filters import Filter, FilterField, SearchOperator

MINUTE = timedelta(minutes=1)
CLOCK_SKEW = timedelta(minutes=5)
"""How far Routee's clock may be ahead of ours before current flows would count as future ones."""


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowQuery:
    """A valid query for flows."""

    filters: tuple[Filter, ...]
    since: datetime | None
    until: datetime | None
    date_start: str | None
    """The first minute that is requested."""
    date_end: str
    """The last minute that is requested. It is set even if the caller gave no end: else flows that are sent while the
    search runs would keep it running."""

    def path(self, page: int, size: int) -> str:
        """Return path and query string of one page."""
        parameters = {"dateStart": self.date_start, "dateEnd": self.date_end, "page": page, "size": size}
        given = {name: value for name, value in parameters.items() if value is not None}
        return "/failover/tracking?" + urlencode(given, quote_via=quote, safe=":")

    def matches(self, record: FlowRecord) -> bool:
        """Return whether a record is within the time range and contradicts no filter."""
        created = record.created_at
        if created is not None and ((self.since and created < self.since) or (self.until and created >= self.until)):
            return False
        return not any(condition.contradicted_by(record) for condition in self.filters)


def build_flow_query(
    terms: Mapping[FilterField, Any],
    where: Iterable[Filter],
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> FlowQuery:
    """Build a query. Raises `InvalidSearch` with all its problems."""
    problems: list[Problem] = []
    filters = tuple(_filters(terms, where, problems))
    for first, second in combinations(filters, 2):
        if first.conflicts_with(second):
            problems.append(Problem((_argument_name(first.field_name),), "no flow matches both filters"))
    since_utc, until_utc = (
        _to_utc_or_problem(name, value, problems) for name, value in (("since", since), ("until", until))
    )
    if since_utc is not None and until_utc is not None and since_utc >= until_utc:
        problems.append(Problem(("since",), "must be before until"))
    if problems:
        raise InvalidSearch("search", problems)
    return FlowQuery(
        filters=filters,
        since=since_utc,
        until=until_utc,
        date_start=None if since_utc is None else _minute_before(since_utc),
        date_end=_minute_after(until_utc if until_utc is not None else max(now, since_utc or now) + CLOCK_SKEW),
    )


def _filters(terms: Mapping[FilterField, Any], where: Iterable[Filter], problems: list[Problem]) -> Iterator[Filter]:
    for field, term in terms.items():
        if term is not None:
            try:
                yield Filter(field, SearchOperator.IS, term)
            except InvalidSearch as error:
                problems.extend(Problem((_argument_name(field),), problem.reason) for problem in error.problems)
    if isinstance(where, Filter) or not isinstance(where, Iterable):
        problems.append(Problem(("where",), "must be a list of Filter"))
        return
    for position, condition in enumerate(where):
        if isinstance(condition, Filter):
            yield condition
        else:
            problems.append(Problem(("where", position), f"must be a Filter, not {type(condition).__name__}"))


def _argument_name(field: FilterField) -> str:
    """Return the name of the search argument for a field."""
    return field.name.lower()


def _to_utc_or_problem(name: str, value: object, problems: list[Problem]) -> datetime | None:
    """Return a time in UTC; append a problem and return None if it is not valid."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        problems.append(Problem((name,), f"must be a datetime with a time zone, not {type(value).__name__}"))
    elif value.utcoffset() is None:
        problems.append(Problem((name,), "must have a time zone, as datetime.now(UTC) has"))
    else:
        in_utc = _to_utc(value)
        if in_utc is not None:
            return in_utc
        problems.append(Problem((name,), "is beyond what a date can hold"))
    return None


def _to_utc(time: datetime) -> datetime | None:
    """Return a time in UTC; None if it is not representable with a margin of one minute before and after it."""
    try:
        in_utc = time.astimezone(UTC)
    except OverflowError:
        return None
    return in_utc if MINYEAR < in_utc.year < MAXYEAR else None


def _minute_before(time: datetime) -> str:
    """Return the last whole minute before a time: whether Routee's range includes its start is not documented."""
    return _format_minute(time - timedelta(microseconds=1))


def _minute_after(time: datetime) -> str:
    """Return the first whole minute at or after a time."""
    return _format_minute(time + MINUTE - timedelta(microseconds=1))


def _format_minute(time: datetime) -> str:
    return time.replace(tzinfo=None).isoformat(timespec="minutes") + "Z"
