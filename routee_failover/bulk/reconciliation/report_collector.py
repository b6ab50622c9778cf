"""Collector of delivery reports: reads Routee's list by pages if that takes fewer requests than tracking each flow."""

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
"""Flows per page: fewer requests than with the default of fifty, and within `Config.max_response_size`."""
MAX_TRACKED = 1_000
"""Maximum number of flows that one call tracks one by one; the next call continues after them."""
_CHUNK_SIZE = 20_000
"""Flows that are processed together, so that memory stays bounded."""
_MAX_CONCURRENT = 8
_CLOCK_SKEW = timedelta(hours=1)


class DeliveryReportCollector:
    """Collector of delivery reports: fetches those of accepted flows, and records them in the ledger."""

    def __init__(
        self, routee: RouteeClient, ledger: Ledger, endpoint: Endpoint, wait_for_slot: Callable[[], Awaitable[None]]
    ) -> None:
        self._routee = routee
        self._ledger = ledger
        self._endpoint = endpoint
        self._wait_for_slot = wait_for_slot
        self._tracked_until = 0
        """The entry number of the flow that was tracked last."""
        self._track_budget = 0

    async def collect(self) -> int:
        """Fetch the delivery report of every accepted flow without one, and return how many are still in progress.

        A flow without a known id cannot be tracked, and is not counted.
        """
        in_progress, chunk = 0, dict[str, LedgerEntry]()
        self._track_budget = MAX_TRACKED
        async for entry in self._ledger.entries({EntryState.ACCEPTED}, without_report=True):
            if entry.tracking_id is not None:
                chunk[entry.tracking_id] = entry
            if len(chunk) >= _CHUNK_SIZE:
                in_progress += await self._collect(chunk)
                chunk = {}
        in_progress += await self._collect(chunk)
        if self._track_budget:  # all flows were tracked
            self._tracked_until = 0
        await self._ledger.flush()
        return in_progress

    async def _collect(self, entries_by_id: dict[str, LedgerEntry]) -> int:
        """Fetch the reports of a chunk. If Routee does not respond, the remaining flows count as in progress."""
        chunk = _Chunk(self._ledger, entries_by_id)
        try:
            await self._read_list(chunk)
            await self._track(chunk)
        except (NoResponse, NotSent, Rejected):
            pass  # the next call fetches the rest
        return len(chunk.pending) + chunk.in_progress

    async def _read_list(self, chunk: "_Chunk") -> None:
        """Read Routee's list, if it has fewer pages than there are pending flows."""
        search = self._list_search(chunk)
        if search is None or not chunk.pending:
            return
        await self._wait_for_slot()
        first = await search.page(0)
        total = first.total if isinstance(first, OtpPage) else first.total_elements
        if total is None or total > PAGE_SIZE * len(chunk.pending):
            return
        # The list of OTP flows may be outdated, and tracking a flow makes the service update it: those that the list
        # shows in progress are tracked.
        is_current = not isinstance(search, OtpSearch)
        read = 0
        async for record in search:
            if read % PAGE_SIZE == 0:
                await self._wait_for_slot()
            read += 1
            tracking_id = record.flow_id if isinstance(record, OtpRecord) else record.tracking_id
            chunk.record(tracking_id, record, is_current=is_current)
            if not chunk.pending:
                return

    def _list_search(self, chunk: "_Chunk") -> FlowSearch | OtpSearch | None:
        match self._endpoint:
            case Endpoint.OTP:
                return self._routee.search_otp(page_size=PAGE_SIZE)
            case Endpoint.VIBER_OTP:
                return None
            case _:
                since, until = chunk.first_claimed_at - _CLOCK_SKEW, chunk.last_ended_at + _CLOCK_SKEW
                return self._routee.search(since=since, until=until, page_size=PAGE_SIZE)

    async def _track(self, chunk: "_Chunk") -> None:
        """Track the flows one by one that no list has shown."""
        after = [tracking_id for tracking_id, entry in chunk.pending.items() if entry.number > self._tracked_until]
        batch = after[: self._track_budget]
        if not batch:
            return
        self._track_budget -= len(batch)
        self._tracked_until = chunk.pending[batch[-1]].number
        remaining = iter(batch)

        async def track_remaining() -> None:
            for tracking_id in remaining:
                await self._wait_for_slot()
                try:
                    record: AnyRecord = await self._routee.track(tracking_id, self._endpoint)
                except NotFound:
                    continue  # the record may not exist yet, or not any more
                chunk.record(tracking_id, record, is_current=True)

        tasks = [asyncio.create_task(track_remaining()) for _ in range(min(_MAX_CONCURRENT, len(batch)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()


class _Chunk:
    """Chunk of flows that are processed together."""

    def __init__(self, ledger: Ledger, entries_by_id: dict[str, LedgerEntry]) -> None:
        self._ledger = ledger
        self.pending = entries_by_id
        """The flows without a result, by tracking id."""
        self.in_progress = 0
        """Number of flows that Routee reports as in progress."""
        claimed_times = [entry.claimed_at for entry in entries_by_id.values()] or [0.0]
        ended_times = [entry.ended_at or entry.claimed_at for entry in entries_by_id.values()] or [0.0]
        self.first_claimed_at = datetime.fromtimestamp(min(claimed_times), UTC)
        self.last_ended_at = datetime.fromtimestamp(max(ended_times), UTC)

    def record(self, tracking_id: str | None, flow_record: AnyRecord, *, is_current: bool) -> None:
        """Record what a record shows of a flow. A flow in progress stays pending unless the record is current."""
        entry = self.pending.get(tracking_id) if tracking_id is not None else None
        if entry is None or tracking_id is None:
            return
        report = delivery_report_of(entry.number, flow_record)
        if report is not None:
            self._ledger.record_delivery_report(report)
        elif is_current:
            self.in_progress += 1
        else:
            return
        del self.pending[tracking_id]
