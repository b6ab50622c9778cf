"""What a search for flows asks: conditions and a time range, as Routee takes them and as the records are held to them.

Routee takes times by the minute. It is asked for whole minutes, and what lies outside the exact range is left out here.
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
"""How far Routee's clock may be ahead of ours before flows of this moment are taken for flows of the future."""


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowQuery:
    """A search for flows that can work."""

    filters: tuple[Filter, ...]
    since: datetime | None
    until: datetime | None
    date_start: str | None
    """The minute that Routee is asked from."""
    date_end: str
    """The minute that Routee is asked to: also where the caller set no end, so that flows which are sent while the
    search runs do not keep it running."""

    def path(self, page: int, size: int) -> str:
        """The address of one page."""
        query = {"dateStart": self.date_start, "dateEnd": self.date_end, "page": page, "size": size}
        given = {name: value for name, value in query.items() if value is not None}
        return "/failover/tracking?" + urlencode(given, quote_via=quote, safe=":")

    def matches(self, record: FlowRecord) -> bool:
        """Whether a flow is within the range, and says nothing that speaks against the conditions."""
        at = record.created_at
        if at is not None and ((self.since and at < self.since) or (self.until and at >= self.until)):
            return False
        return not any(condition.contradicted_by(record) for condition in self.filters)


def build_flow_query(
    terms: Mapping[FilterField, Any],
    where: Iterable[Filter],
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> FlowQuery:
    """The question, or `InvalidSearch` with all that is wrong with it."""
    problems: list[Problem] = []
    filters = tuple(_filters(terms, where, problems))
    for one, other in combinations(filters, 2):
        if one.conflicts_with(other):
            problems.append(Problem((_name(one.field_name),), "no flow meets both conditions"))
    begins, ends = (_moment(name, value, problems) for name, value in (("since", since), ("until", until)))
    if begins is not None and ends is not None and begins >= ends:
        problems.append(Problem(("since",), "must be before until"))
    if problems:
        raise InvalidSearch("search", problems)
    return FlowQuery(
        filters=filters,
        since=begins,
        until=ends,
        date_start=None if begins is None else _minute_before(begins),
        date_end=_minute_after(ends if ends is not None else max(now, begins or now) + CLOCK_SKEW),
    )


def _filters(terms: Mapping[FilterField, Any], where: Iterable[Filter], problems: list[Problem]) -> Iterator[Filter]:
    for field, term in terms.items():
        if term is not None:
            try:
                yield Filter(field, SearchOperator.IS, term)
            except InvalidSearch as refused:
                problems.extend(Problem((_name(field),), problem.reason) for problem in refused.problems)
    if isinstance(where, Filter) or not isinstance(where, Iterable):
        problems.append(Problem(("where",), "must be a list of Filter"))
        return
    for position, condition in enumerate(where):
        if isinstance(condition, Filter):
            yield condition
        else:
            problems.append(Problem(("where", position), f"must be a Filter, not {type(condition).__name__}"))


def _name(field: FilterField) -> str:
    """The field as the caller names it."""
    return field.name.lower()


def _moment(name: str, value: object, problems: list[Problem]) -> datetime | None:
    """The moment in UTC."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        problems.append(Problem((name,), f"must be a datetime with a time zone, not {type(value).__name__}"))
    elif value.utcoffset() is None:
        problems.append(Problem((name,), "must have a time zone, as datetime.now(UTC) has"))
    else:
        found = _in_utc(value)
        if found is not None:
            return found
        problems.append(Problem((name,), "is beyond what a date can hold"))
    return None


def _in_utc(moment: datetime) -> datetime | None:
    """The moment in UTC, if there is one, with room for a minute before and after it."""
    try:
        found = moment.astimezone(UTC)
    except OverflowError:
        return None
    return found if MINYEAR < found.year < MAXYEAR else None


def _minute_before(moment: datetime) -> str:
    """The last whole minute before a moment: whether Routee's range holds its first moment is not documented."""
    return _written(moment - timedelta(microseconds=1))


def _minute_after(moment: datetime) -> str:
    """The first whole minute at a moment or after it."""
    return _written(moment + MINUTE - timedelta(microseconds=1))


def _written(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="minutes") + "Z"
