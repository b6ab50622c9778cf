"""Claimer of a run's messages: reads rows ahead, checks them, and claims each in the ledger before it is sent."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import attrs

from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, Endpoint, RawFlow
from ..flows.deadline_fitting import total_ttl
from ..ledger import ClaimRequest, ClaimResult, EntryState, Ledger, Transition, TransitionDetails
from ..ledger.entry import RESOLVED_BY_POLICY, build_label, hash_key
from ..secret import mask_phone
from ..webhooks import CallbackSigner
from .max_messages import MessageLimit
from .progress import RowProblem, RunCounters
from .read_ahead import read_chunks
from .ready_queue import ClaimedMessage, ReadyQueue
from .reconciliation import reconcile_after
from .reconciliation.run_endpoint import ENDPOINT_DOCUMENT_NAME, endpoint_document, is_raw
from .run_control import RunControl
from .send_window import NEVER_OPENS, NO_COMMON_HOUR, SendWindow
from .templates.correlation import all_recipients
from .templates.message_fingerprint import Fingerprinter
from .templates.raw_recipients import suppression_problem
from .templates.row import Correlation, Row, Rows

InvalidRowHandler = Callable[[int, str, tuple[Problem, ...]], object]
"""Called with each row that cannot be sent: its line, its masked recipient and its problems."""

_MAX_USEFUL_TTL = reconcile_after.MAX_RECONCILE_AFTER.total_seconds()
"""Seconds; a longer time to live does not change `reconcile_after`."""
_PendingRow = tuple[Row, int, ClaimResult | None]
"""A row, its key hash, and its ledger entry, if there is one."""
_BuiltRow = tuple[Row, ClaimRequest, AnyFlow]
_ClaimableT = TypeVar("_ClaimableT", bound=tuple[Row | None, ClaimRequest, AnyFlow])


@attrs.frozen
class CorrelationFactory:
    """Factory of correlations: the label and callback URL by which each message of a run is found again."""

    run_id: str
    add_labels: bool
    signer: CallbackSigner | None

    def create(self, key_hash: int) -> Correlation:
        """Return the correlation of one message."""
        label = build_label(self.run_id, key_hash)
        return Correlation(
            label if self.add_labels else None, self.signer.url(label) if self.signer is not None else None
        )


class Claimer:
    """Claimer of a source's messages: reads the rows once per pass, and claims their messages in small batches."""

    def __init__(
        self,
        ledger: Ledger,
        correlations: CorrelationFactory,
        fingerprinter: Fingerprinter,
        counters: RunCounters,
        *,
        batch_size: int,
        lease: float,
        send_window: SendWindow | None,
        on_invalid_row: InvalidRowHandler | None,
        control: RunControl,
        suppression_list: Container[str] | None = None,
        message_limit: MessageLimit | None = None,
    ) -> None:
        self._ledger = ledger
        self._correlations = correlations
        self._fingerprinter = fingerprinter
        self._counters = counters
        self._batch_size = batch_size
        self._lease = lease
        self._send_window = send_window
        self._on_invalid_row = on_invalid_row
        self._control = control
        self._suppression_list = suppression_list
        self._message_limit = message_limit
        self.endpoint: Endpoint | None = None
        """Endpoint of all messages of the ledger; known from the first message on."""
        self._raw = False
        """Whether all messages of the ledger are raw flows, which are reconciled in another way than others."""
        self._endpoint_stored = False
        self._max_ttl = 0.0
        """Longest time to live of any message, in seconds, as stored in the ledger."""
        self.claimed_count: int = 0
        """Number of messages that the last pass claimed."""
        self.next_opening: datetime | None = None
        """When the send window of the first deferred recipient opens."""

    async def fill_queue(self, queue: ReadyQueue, rows: Rows, *, is_first_pass: bool) -> None:
        """Claim the messages to be sent and put them into the queue.

        On the first pass over an empty ledger no rows are looked up before they are claimed. Returns early once the run
        is stopping; all that is claimed is then in the queue.
        """
        self._counters.start_pass()
        self.next_opening, self.claimed_count = None, 0
        if self._message_limit is not None:
            self._message_limit.reached = False
        if self.endpoint is None and (document := await self._ledger.get_document(ENDPOINT_DOCUMENT_NAME)) is not None:
            self.endpoint, self._endpoint_stored = Endpoint(document["endpoint"]), True
            self._raw = is_raw(document)
            ttl_document = await self._ledger.get_document(reconcile_after.TTL_DOCUMENT_NAME)
            self._max_ttl = _MAX_USEFUL_TTL if ttl_document is None else ttl_document["seconds"]
        check_ledger = not is_first_pass or (await self._ledger.counts()).total > 0
        async with contextlib.aclosing(read_chunks(rows, self._control, self._batch_size)) as chunks:
            async for chunk in chunks:
                self._counters.read += len(chunk)
                due = (
                    await self._pending_rows(chunk) if check_ledger else [(row, _key_hash(row), None) for row in chunk]
                )
                for start in range(0, len(due), self._batch_size):
                    await queue.wait_for_capacity()
                    if self._control.stopping:
                        return
                    claimed = await self._claim_rows(due[start : start + self._batch_size], is_first_pass=is_first_pass)
                    self.claimed_count += len(claimed)
                    queue.put(claimed)
                    if self._message_limit is not None and self._message_limit.reached:
                        return

    async def reclaim(self, message: ClaimedMessage) -> ClaimedMessage | None:
        """Return the message under a new lease after its former one was released; `None` if it must not be sent now."""
        if self._is_suppressed((message.request.recipient, *all_recipients(message.flow))):
            return None  # counted by the next pass
        lease_expires_at, lease_expires_at_wall_clock = self._lease_expiry_times()
        claims = await self._claim([(None, message.request, message.flow)])
        if not claims:
            return None
        ((_, found),) = claims
        return (
            message._replace(
                claim=found, lease_expires_at=lease_expires_at, lease_expires_at_wall_clock=lease_expires_at_wall_clock
            )
            if found.claimed
            else None
        )

    def is_outside_window(self, message: ClaimedMessage) -> bool:
        """Return whether the recipient's send window has closed since the claim; if so, the row counts as deferred."""
        if self._send_window is None:
            return False
        opens_at = self._opens_at(message.request.recipient, datetime.now(UTC))
        if opens_at is not None:
            self._defer(opens_at)
        return opens_at is not None

    async def _pending_rows(self, chunk: Sequence[Row]) -> list[_PendingRow]:
        """Return the rows of a chunk that have no ledger entry yet, or one that is NEW."""
        # Also by line: a row that was invalid in an earlier pass is not reported again.
        hashed = [(row, _key_hash(row), _line_hash(row)) for row in chunk]
        known = await self._ledger.find([key_hash for _, *hashes in hashed for key_hash in hashes])
        due: list[_PendingRow] = []
        for row, key_hash, line_hash in hashed:
            found = known.get(line_hash) or known.get(key_hash)
            if found is None or found.state is EntryState.NEW:
                due.append((row, key_hash, found))
            else:
                await self._skip(row, found, is_duplicate=False)
        return due

    async def _claim_rows(self, due: Sequence[_PendingRow], *, is_first_pass: bool) -> list[ClaimedMessage]:
        # 1. Build the flows, and sort out rows that are suppressed, deferred or invalid.
        built: list[_BuiltRow] = []
        invalidations: list[Awaitable[object]] = []
        now = datetime.now(UTC)
        has_suppression_list, has_send_window = self._suppression_list is not None, self._send_window is not None
        for row, key_hash, found in due:
            if has_suppression_list and self._is_suppressed((row.recipient,)):
                await self._suppress(row, found)
                continue
            opens_at = self._opens_at(row.recipient, now) if has_send_window and not row.problems else None
            if opens_at is not None and opens_at is not NEVER_OPENS:
                self._defer(opens_at)
                continue
            flow = row.problems or (self._build_flow(row, key_hash) if opens_at is None else NO_COMMON_HOUR)
            if isinstance(flow, tuple):
                invalidations.append(self._mark_invalid(row, flow))
            elif has_suppression_list and self._is_suppressed(all_recipients(flow)):
                await self._suppress(row, found)
            else:
                request = ClaimRequest(
                    key_hash, row.key, row.recipient, row.line, self._fingerprinter.fingerprint(flow)
                )
                built.append((row, request, flow))
        if invalidations:
            await asyncio.gather(*invalidations)
        # 2. Store what reconciliation needs to know.
        if built and not self._endpoint_stored:
            # Before the first entry: reconciliation after a crash has to know which endpoint to search.
            await self._ledger.put_document(ENDPOINT_DOCUMENT_NAME, endpoint_document(self.endpoint, raw=self._raw))
            self._endpoint_stored = True
        if built and self._max_ttl < _MAX_USEFUL_TTL:
            await self._store_max_ttl(max(total_ttl(flow) for _, _, flow in built))
        # 3. Claim the messages.
        lease_expires_at, lease_expires_at_wall_clock = self._lease_expiry_times()
        messages: list[ClaimedMessage] = []
        for (row, request, flow), found in await self._claim(built):
            if found.claimed:
                messages.append(ClaimedMessage(request, found, flow, lease_expires_at, lease_expires_at_wall_clock))
            else:
                # Its key was free when the chunk was looked up, so that this pass has claimed it: a duplicate row.
                # The entry of an earlier run may have changed since.
                await self._skip(row, found, is_duplicate=is_first_pass and found.line != row.line)
        return messages

    async def _store_max_ttl(self, seconds: float) -> None:
        """Store the longest TTL in the ledger: it decides when an unknown message may count as not accepted."""
        if seconds > self._max_ttl:
            self._max_ttl = min(seconds, _MAX_USEFUL_TTL)
            await self._ledger.put_document(reconcile_after.TTL_DOCUMENT_NAME, {"seconds": self._max_ttl})

    async def _claim(self, built: Sequence[_ClaimableT]) -> list[tuple[_ClaimableT, ClaimResult]]:
        """Claim messages up to the message limit.

        A message that the limit holds back is left out, unless it has an entry already.
        """
        if not built:
            return []
        limit = self._message_limit
        if limit is None:
            claims = await self._ledger.claim([request for _, request, _ in built], lease=self._lease)
            return [*zip(built, claims, strict=True)]
        pairs: list[tuple[_ClaimableT, ClaimResult]] = []
        async with limit.lock:
            while built and (available := await limit.available()) > 0:
                batch, built = built[:available], built[available:]
                claims = await self._ledger.claim([request for _, request, _ in batch], lease=self._lease)
                pairs += zip(batch, claims, strict=True)
            known = await self._ledger.find([request.key_hash for _, request, _ in built]) if built else {}
            for candidate in built:
                found = known.get(candidate[1].key_hash)
                if found is None or found.state is EntryState.NEW:
                    limit.reached = True
                else:
                    pairs.append((candidate, found))
        return pairs

    def _is_suppressed(self, numbers: Iterable[str]) -> bool:
        suppression_list = self._suppression_list
        return suppression_list is not None and any(number in suppression_list for number in numbers if number)

    async def _suppress(self, row: Row, found: ClaimResult | None) -> None:
        """Count a suppressed row. A message that may have been accepted becomes UNKNOWN instead of staying NEW."""
        if found is not None and found.fingerprint:
            await self._mark_unknown(
                row, found, "it may have been accepted, and is on the suppression list now: not sent again"
            )
        else:
            self._counters.record_suppressed(is_new=found is not None)

    def _build_flow(self, row: Row, key_hash: int) -> AnyFlow | tuple[Problem, ...]:
        try:
            flow = row.build_flow(self._correlations.create(key_hash))
        except InvalidFlow as error:
            return error.problems
        if self._suppression_list is not None and (problem := suppression_problem(row, flow)) is not None:
            return (problem,)
        if flow.endpoint is not self.endpoint:
            if self.endpoint is not None:
                return (Problem((), f"goes to another endpoint than the run, which is {self.endpoint}"),)
            self.endpoint, self._raw = flow.endpoint, isinstance(flow, RawFlow)
        elif isinstance(flow, RawFlow) is not self._raw:
            return (Problem((), f"is {'not ' if self._raw else ''}a raw flow, unlike the run"),)
        return flow

    def _opens_at(self, recipient: str, now: datetime) -> datetime | None:
        return None if self._send_window is None else self._send_window.opens_at(recipient, now)

    def _defer(self, opens_at: datetime) -> None:
        self._counters.deferred += 1
        self.next_opening = opens_at if self.next_opening is None else min(self.next_opening, opens_at)

    async def _mark_invalid(self, row: Row, problems: tuple[Problem, ...]) -> None:
        reason = "; ".join(map(str, problems))
        self._counters.invalid += 1
        self._counters.problems.append(
            RowProblem(row.line, mask_phone(row.recipient), EntryState.INVALID.lower(), reason)
        )
        if self._on_invalid_row is not None:
            self._on_invalid_row(row.line, mask_phone(row.recipient), problems)
        # Keyed by line, not by key: another row with the same key may be valid.
        await self._ledger.mark_invalid(
            ClaimRequest(_line_hash(row), f"line {row.line}", row.recipient, row.line), reason
        )

    async def _mark_key_conflict(self, row: Row, found: ClaimResult) -> None:
        """Mark a row invalid whose key belongs to another recipient.

        It is no duplicate, since its recipient gets no message.
        """
        self._counters.key_conflicts += 1
        earlier = f"line {found.line}" if found.line != row.line else "a message of an earlier run"
        reason = (
            f"has the key of {earlier}, which is for another recipient: "
            "one message per key is sent, and this one is not"
        )
        await self._mark_invalid(row, (Problem((), reason),))

    async def _skip(self, row: Row, found: ClaimResult, *, is_duplicate: bool) -> None:
        if _is_key_conflict(row, found):
            await self._mark_key_conflict(row, found)
            return
        self._counters.skipped += 1
        if found.state is EntryState.NEW:
            # The policy was to resend it with the same content, and the source has different content now.
            reason = "it may have been accepted, and the source has another text or PIN for it now: not sent again"
            await self._mark_unknown(row, found, reason)
        elif is_duplicate:
            self._counters.duplicates += 1
            reason = f"the same key as line {found.line}; one message per key is sent"
            self._counters.problems.append(RowProblem(row.line, mask_phone(row.recipient), "duplicate", reason))

    async def _mark_unknown(self, row: Row, found: ClaimResult, reason: str) -> None:
        await self._ledger.apply(
            Transition.MARK_UNKNOWN,
            TransitionDetails(found.number, found.attempt, reason, resolved_by=RESOLVED_BY_POLICY),
        )
        self._counters.problems.append(
            RowProblem(row.line, mask_phone(row.recipient), EntryState.UNKNOWN.lower(), reason)
        )

    def _lease_expiry_times(self) -> tuple[float, float]:
        # Read before the claim, so that both end no later than the lease in the ledger.
        return time.monotonic() + self._lease, time.time() + self._lease


def _is_key_conflict(row: Row, found: ClaimResult) -> bool:
    # A NEW entry does not belong to another recipient: it is claimed for this one, or marked UNKNOWN by policy.
    return not row.problems and found.recipient != row.recipient and found.state is not EntryState.NEW


def _key_hash(row: Row) -> int:
    return hash_key(row.key) if row.key and not row.problems else _line_hash(row)


def _line_hash(row: Row) -> int:
    return hash_key(f"\x00line {row.line}")
