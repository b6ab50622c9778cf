"""Pages of records, as the two searches answer them."""

from typing import Self

import attrs

from .flow import FlowRecord
from .otp import OtpRecord
from .record import Json, Record, parts, whole, yes_or_no


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
    def read(cls, answer: Json) -> Self:
        """The page in an answer; whatever it lacks is `None`."""
        return cls(
            records=tuple(FlowRecord.read(flow) for flow in parts(answer, "content")),
            number=whole(answer, "number"),
            size=whole(answer, "size"),
            total_pages=whole(answer, "totalPages"),
            total_elements=whole(answer, "totalElements"),
            last=yes_or_no(answer, "last"),
            answer=answer,
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
    def read(cls, answer: Json) -> Self:
        """The page in an answer; whatever it lacks is `None`."""
        return cls(
            records=tuple(OtpRecord.read(flow) for flow in parts(answer, "results")),
            total=whole(answer, "total"),
            limit=whole(answer, "limit"),
            offset=whole(answer, "offset"),
            answer=answer,
        )
