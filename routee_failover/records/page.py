"""Pages of records, as the two searches answer them."""

from typing import Self

import attrs

from ._fields import get_bool, get_int, get_objects
from .flow import FlowRecord
from .otp import OtpRecord
from .record import JsonObject, Record


def _count(records: tuple[object, ...]) -> str:
    return f"<{len(records)}>"


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowPage(Record):
    """A page of standard and transactional flows.

    `records` are those of its flows that the search asks for. The numbers are Routee's, which knows times by the minute
    only: they may count a few flows more
    (https://docs.routee.net/reference/track-multiple-failovers-with-filters-for-a-specific-time-range).
    """

    records: tuple[FlowRecord, ...] = attrs.field(repr=_count)
    number: int | None
    """Counted from 0."""
    size: int | None
    """How many flows a page holds at most."""
    total_pages: int | None
    total_elements: int | None
    """How many flows there are on all pages."""
    last: bool | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """The page in an answer; whatever it lacks is `None`."""
        return cls(
            records=tuple(FlowRecord.from_dict(flow) for flow in get_objects(data, "content")),
            number=get_int(data, "number"),
            size=get_int(data, "size"),
            total_pages=get_int(data, "totalPages"),
            total_elements=get_int(data, "totalElements"),
            last=get_bool(data, "last"),
            data=data,
        )


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpPage(Record):
    """A page of failover OTP flows (https://docs.routee.net/docs/quick-reference)."""

    redact_texts = True

    records: tuple[OtpRecord, ...] = attrs.field(repr=_count)
    total: int | None
    """How many flows there are on all pages."""
    limit: int | None
    """How many flows a page holds at most."""
    offset: int | None
    """How many flows come before this page."""

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """The page in an answer; whatever it lacks is `None`."""
        return cls(
            records=tuple(OtpRecord.from_dict(flow) for flow in get_objects(data, "results")),
            total=get_int(data, "total"),
            limit=get_int(data, "limit"),
            offset=get_int(data, "offset"),
            data=data,
        )
