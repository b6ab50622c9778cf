"""Pages of search results."""

from typing import Self

import attrs

from ._fields import get_bool, get_int, get_objects
from .flow import FlowRecord
from .otp import OtpRecord
from .record import JsonObject, Record


def _repr_count(records: tuple[object, ...]) -> str:
    return f"<{len(records)}>"


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class FlowPage(Record):
    """Page of standard and transactional flows.

    `records` are the flows on the page that match the search. The counts are Routee's, which filters times by the
    minute only: they may include a few flows more
    (https://docs.routee.net/reference/track-multiple-failovers-with-filters-for-a-specific-time-range).
    """

    records: tuple[FlowRecord, ...] = attrs.field(repr=_repr_count)
    number: int | None
    """The number of the page, counted from 0."""
    size: int | None
    """The maximum number of flows on a page."""
    total_pages: int | None
    total_elements: int | None
    """The number of flows on all pages."""
    last: bool | None

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the page from a response; a missing value is `None`."""
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
    """Page of failover OTP flows (https://docs.routee.net/docs/quick-reference)."""

    redact_texts = True

    records: tuple[OtpRecord, ...] = attrs.field(repr=_repr_count)
    total: int | None
    """The number of flows on all pages."""
    limit: int | None
    """The maximum number of flows on a page."""
    offset: int | None
    """The number of flows before this page."""

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the page from a response; a missing value is `None`."""
        return cls(
            records=tuple(OtpRecord.from_dict(flow) for flow in get_objects(data, "results")),
            total=get_int(data, "total"),
            limit=get_int(data, "limit"),
            offset=get_int(data, "offset"),
            data=data,
        )
