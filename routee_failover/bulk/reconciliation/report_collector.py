"""How accepted flows ended: read off Routee's lists page by page where that asks less than one question a flow."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from ..._search import FlowSearch, OtpSearch
from ...client import RouteeClient
from ...errors import NoResponse, NotFound, NotSent, Rejected
from ...flows import Endpoint
from ...ledger import EntryState, Ledger, LedgerEntry
from ...records import OtpPage, OtpRecord
from .delivery_report import AnyRecord, delivery_report_of

PAGE_SIZE = 200
"""Flows on a page: fewer questions than with the usual fifty, and within `Config.max_response_size`."""
MAX_TRACKED = 1_000
"""How many flows are asked about one by one at a time; the next call goes on after them."""
_CHUNK_SIZE = 20_000
"""How many flows are asked about at a time, so that memory stays bounded."""
_MAX_CONCURRENT = 8
_CLOCK_SKEW = timedelta(hours=1)


class DeliveryReportCollector:
    """Asks how accepted flows ended, and has the ledger keep it."""

    def __init__(
        self, routee: RouteeClient, ledger: Ledger, endpoint: Endpoint, wait_for_slot: Callable[[], Awaitable[None]]
    ) -> None:
        self._routee = routee
        self._ledger = ledger
        self._endpoint = endpoint
        self._wait_for_slot = wait_for_slot
        self._tracked_until = 0
        """The number of the flow that was asked about by itself last."""
        self._track_budget = 0

    async def collect(self) -> int:
        """Ask about every accepted flow of which nobody has learned how it ended; how many are under way still.

        One whose id nobody knows cannot be asked about, and is not counted.
        """
        under_way, chunk = 0, dict[str, LedgerEntry]()
        self._track_budget = MAX_TRACKED
        async for intent in self._ledger.entries({EntryState.ACCEPTED}, without_report=True):
            if intent.tracking_id is not None:
                chunk[intent.tracking_id] = intent
            if len(chunk) >= _CHUNK_SIZE:
                under_way += await self._collect(chunk)
                chunk = {}
        under_way += await self._collect(chunk)
        if self._track_budget:  # it came to the last of them
            self._tracked_until = 0
        await self._ledger.flush()
        return under_way

    async def _collect(self, asked: dict[str, LedgerEntry]) -> int:
        """Ask about some of them. Where Routee does not answer, those that are left are counted as under way."""
        chunk = _Chunk(self._ledger, asked)
        try:
            await self._read_list(chunk)
            await self._track(chunk)
        except (NoResponse, NotSent, Rejected):
            pass  # the next call asks again
        return len(chunk.pending) + chunk.in_progress

    async def _read_list(self, chunk: "_Chunk") -> None:
        """Go through Routee's list, if it has fewer pages than there are flows to ask about."""
        search = self._list(chunk)
        if search is None or not chunk.pending:
            return
        await self._wait_for_slot()
        first = await search.page(0)
        total = first.total if isinstance(first, OtpPage) else first.total_elements
        if total is None or total > PAGE_SIZE * len(chunk.pending):
            return
        # The list of OTP flows may be behind: tracking one makes the service look anew. What goes on is tracked.
        settles = not isinstance(search, OtpSearch)
        read = 0
        async for record in search:
            if read % PAGE_SIZE == 0:
                await self._wait_for_slot()
            read += 1
            identity = record.flow_id if isinstance(record, OtpRecord) else record.tracking_id
            chunk.record(identity, record, is_current=settles)
            if not chunk.pending:
                return

    def _list(self, chunk: "_Chunk") -> FlowSearch | OtpSearch | None:
        match self._endpoint:
            case Endpoint.OTP:
                return self._routee.search_otp(page_size=PAGE_SIZE)
            case Endpoint.VIBER_OTP:
                return None
            case _:
                since, until = chunk.began - _CLOCK_SKEW, chunk.ended + _CLOCK_SKEW
                return self._routee.search(since=since, until=until, page_size=PAGE_SIZE)

    async def _track(self, chunk: "_Chunk") -> None:
        """Ask one by one about those that no list has told of."""
        after = [identity for identity, one in chunk.pending.items() if one.number > self._tracked_until]
        turn = after[: self._track_budget]
        if not turn:
            return
        self._track_budget -= len(turn)
        self._tracked_until = chunk.pending[turn[-1]].number
        waiting = iter(turn)

        async def ask_on() -> None:
            for identity in waiting:
                await self._wait_for_slot()
                try:
                    record: AnyRecord = await self._routee.track(identity, self._endpoint)
                except NotFound:
                    continue  # a receipt may be older than the record, or the record was forgotten
                chunk.record(identity, record, is_current=True)

        asking = [asyncio.create_task(ask_on()) for _ in range(min(_MAX_CONCURRENT, len(turn)))]
        try:
            await asyncio.gather(*asking)
        finally:
            for task in asking:
                task.cancel()


class _Chunk:
    """Flows that are asked about together."""

    def __init__(self, ledger: Ledger, asked: dict[str, LedgerEntry]) -> None:
        self._ledger = ledger
        self.pending = asked
        """By their ids, those of which nothing was heard."""
        self.in_progress = 0
        """How many are under way, by what Routee said."""
        begun = [intent.claimed_at for intent in asked.values()] or [0.0]
        ended = [intent.ended_at or intent.claimed_at for intent in asked.values()] or [0.0]
        self.began = datetime.fromtimestamp(min(begun), UTC)
        self.ended = datetime.fromtimestamp(max(ended), UTC)

    def record(self, tracking_id: str | None, flow_record: AnyRecord, *, is_current: bool) -> None:
        """Take what a record says of a flow. Unless it settles, one that goes on stays among those to ask about."""
        intent = self.pending.get(tracking_id) if tracking_id is not None else None
        if intent is None or tracking_id is None:
            return
        fate = delivery_report_of(intent.number, flow_record)
        if fate is not None:
            self._ledger.record_delivery_report(fate)
        elif is_current:
            self.in_progress += 1
        else:
            return
        del self.pending[tracking_id]
