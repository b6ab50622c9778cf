"""From rows to messages that may be sent: read ahead a little, checked, and each written to the ledger as an intent."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import attrs

from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, Endpoint
from ..flows.deadline import total_ttl
from ..ledger import ClaimRequest, ClaimResult, EntryState, Ledger, Transition, TransitionDetails
from ..ledger.entry import RESOLVED_BY_POLICY, build_label, hash_key
from ..secret import mask_phone
from ..webhooks import CallbackSigner
from .message_limit import MessageLimit
from .progress import RowProblem, RunCounters
from .ready_queue import ClaimedMessage, ReadyQueue
from .reconciliation import reconcile_after
from .row_reader import read_chunks
from .run_control import RunControl
from .send_window import NEVER_OPENS, NO_COMMON_HOUR, SendWindow
from .templates.correlation import all_recipients
from .templates.fingerprint import Fingerprinter
from .templates.row import Correlation, Row, Rows

InvalidRowHandler = Callable[[int, str, tuple[Problem, ...]], object]
"""Told of each row that cannot be sent: its line, its recipient masked, and why."""

_MAX_USEFUL_TTL = reconcile_after.MAX_RECONCILE_AFTER.total_seconds()
"""Seconds of a time to live beyond which a longer one changes nothing."""
_Due = tuple[Row, int, ClaimResult | None]
"""A row, its tag, and how the ledger has it, where it does."""
_Made = tuple[Row, ClaimRequest, AnyFlow]
_Claimable = TypeVar("_Claimable", bound=tuple[Row | None, ClaimRequest, AnyFlow])


@attrs.frozen
class CorrelationFactory:
    """What messages of a run carry so that they are found again."""

    run_id: str
    add_labels: bool
    signer: CallbackSigner | None

    def create(self, key_hash: int) -> Correlation:
        """The label and the address of one message."""
        label = build_label(self.run_id, key_hash)
        return Correlation(
            label if self.add_labels else None, self.signer.url(label) if self.signer is not None else None
        )


class Claimer:
    """The messages of a source, claimed in small groups. It can be gone through several times: once a pass."""

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
        """Where all messages of the ledger go; known with the first one."""
        self._endpoint_stored = False
        self._max_ttl = 0.0
        """The longest time to live of a message, in seconds, as the ledger has it."""
        self.claimed_count: int = 0
        """How many messages the last pass has claimed."""
        self.next_opening: datetime | None = None
        """When the hours of the first deferred recipient begin."""

    async def fill_queue(self, queue: ReadyQueue, rows: Rows, *, is_first_pass: bool) -> None:
        """Put what is to be sent into the window. On the first pass over an empty ledger nothing is looked up before.

        It ends early, with nothing left claimed beside what is in the window, once the run is stopping.
        """
        self._counters.start_pass()
        self.next_opening, self.claimed_count = None, 0
        if self._message_limit is not None:
            self._message_limit.reached = False
        if self.endpoint is None and (where := await self._ledger.get_document("endpoint")) is not None:
            self.endpoint, self._endpoint_stored = Endpoint(where["endpoint"]), True
            lives = await self._ledger.get_document(reconcile_after.TTL_DOCUMENT_NAME)
            self._max_ttl = _MAX_USEFUL_TTL if lives is None else lives["seconds"]
        look_up = not is_first_pass or (await self._ledger.counts()).total > 0
        async with contextlib.aclosing(read_chunks(rows, self._control)) as chunks:
            async for chunk in chunks:
                self._counters.read += len(chunk)
                due = await self._due(chunk) if look_up else [(row, _key_hash(row), None) for row in chunk]
                for start in range(0, len(due), self._batch_size):
                    await queue.wait_for_capacity()
                    if self._control.stopping:
                        return
                    claimed = await self._claimed(due[start : start + self._batch_size], first=is_first_pass)
                    self.claimed_count += len(claimed)
                    queue.put(claimed)
                    if self._message_limit is not None and self._message_limit.reached:
                        return

    async def reclaim(self, message: ClaimedMessage) -> ClaimedMessage | None:
        """The same message under a new lease, once its former one was given back; `None` where it may not leave now."""
        if self._is_suppressed(all_recipients(message.flow)):
            return None  # the next pass counts it
        leave_by, leave_by_clock = self._lease_ends()
        claims = await self._claim([(None, message.request, message.flow)])
        if not claims:
            return None
        ((_, found),) = claims
        return (
            message._replace(claim=found, lease_ends_at=leave_by, lease_ends_at_wall_clock=leave_by_clock)
            if found.claimed
            else None
        )

    def is_outside_window(self, message: ClaimedMessage) -> bool:
        """Whether the hours of a recipient have ended since the message was claimed."""
        opens = self._opens(message.request.recipient, datetime.now(UTC))
        if opens is not None:
            self._defer(opens)
        return opens is not None

    async def _due(self, chunk: Sequence[Row]) -> list[_Due]:
        """The rows of a chunk that the ledger does not say everything about already."""
        # By its line, too: a row of which no flow could be made in an earlier pass is not told again.
        tagged = [(row, _key_hash(row), _line_hash(row)) for row in chunk]
        known = await self._ledger.find([tag for _, *tags in tagged for tag in tags])
        due: list[_Due] = []
        for row, tag, tag_of_line in tagged:
            found = known.get(tag_of_line) or known.get(tag)
            if found is None or found.state is EntryState.NEW:
                due.append((row, tag, found))
            else:
                await self._skip(row, found, twice=False)
        return due

    async def _claimed(self, due: Sequence[_Due], *, first: bool) -> list[ClaimedMessage]:
        made: list[_Made] = []
        refusals: list[Awaitable[object]] = []
        now = datetime.now(UTC)
        for row, tag, found in due:
            if self._is_suppressed((row.recipient,)):
                await self._suppress(row, found)
                continue
            opens = None if row.problems else self._opens(row.recipient, now)
            if opens is not None and opens is not NEVER_OPENS:
                self._defer(opens)
                continue
            flow = row.problems or (self._make(row, tag) if opens is None else NO_COMMON_HOUR)
            if isinstance(flow, tuple):
                refusals.append(self._mark_invalid(row, flow))
            elif self._suppression_list is not None and self._is_suppressed(all_recipients(flow)):
                await self._suppress(row, found)
            else:
                wanted = ClaimRequest(tag, row.key, row.recipient, row.line, self._fingerprinter.fingerprint(flow))
                made.append((row, wanted, flow))
        if refusals:
            await asyncio.gather(*refusals)
        if made and not self._endpoint_stored:
            # Before the first intent: who finds doubts in the ledger has to know where to ask about them.
            await self._ledger.put_document("endpoint", {"endpoint": str(self.endpoint)})
            self._endpoint_stored = True
        if made and self._max_ttl < _MAX_USEFUL_TTL:
            await self._store_max_ttl(max(total_ttl(flow) for _, _, flow in made))
        leave_by, leave_by_clock = self._lease_ends()
        items: list[ClaimedMessage] = []
        for (row, wanted, flow), found in await self._claim(made):
            if found.claimed:
                items.append(ClaimedMessage(wanted, found, flow, leave_by, leave_by_clock))
            else:
                # Its key was free a moment ago: it is there twice. What an earlier run has left may have moved since.
                await self._skip(row, found, twice=first and found.line != row.line)
        return items

    async def _store_max_ttl(self, seconds: float) -> None:
        """Keep the longest one in the ledger, which says when a message of unknown outcome may count as not taken."""
        if seconds > self._max_ttl:
            self._max_ttl = min(seconds, _MAX_USEFUL_TTL)
            await self._ledger.put_document(reconcile_after.TTL_DOCUMENT_NAME, {"seconds": self._max_ttl})

    async def _claim(self, made: Sequence[_Claimable]) -> list[tuple[_Claimable, ClaimResult]]:
        """Claim them, up to the message limit. What it keeps back is left out; what is in the ledger is not."""
        if not made:
            return []
        limit = self._message_limit
        if limit is None:
            claims = await self._ledger.claim([wanted for _, wanted, _ in made], lease=self._lease)
            return [*zip(made, claims, strict=True)]
        pairs: list[tuple[_Claimable, ClaimResult]] = []
        async with limit.lock:
            while made and (free := await limit.available()) > 0:
                part, made = made[:free], made[free:]
                claims = await self._ledger.claim([wanted for _, wanted, _ in part], lease=self._lease)
                pairs += zip(part, claims, strict=True)
            known = await self._ledger.find([wanted.key_hash for _, wanted, _ in made]) if made else {}
            for each in made:
                found = known.get(each[1].key_hash)
                if found is None or found.state is EntryState.NEW:
                    limit.reached = True
                else:
                    pairs.append((each, found))
        return pairs

    def _is_suppressed(self, numbers: Iterable[str]) -> bool:
        listed = self._suppression_list
        return listed is not None and any(number in listed for number in numbers if number)

    async def _suppress(self, row: Row, found: ClaimResult | None) -> None:
        """Count a row that is not sent. What may have been accepted is UNKNOWN, not waiting to be sent once more."""
        if found is not None and found.fingerprint:
            await self._mark_unknown(
                row, found, "it may have been accepted, and is on the suppression list now: not sent again"
            )
        else:
            self._counters.record_suppressed(is_new=found is not None)

    def _make(self, row: Row, tag: int) -> AnyFlow | tuple[Problem, ...]:
        try:
            flow = row.build_flow(self._correlations.create(tag))
        except InvalidFlow as error:
            return error.problems
        if flow.endpoint is not self.endpoint:
            if self.endpoint is not None:
                return (Problem((), f"goes to another endpoint than the run, which is {self.endpoint}"),)
            self.endpoint = flow.endpoint
        return flow

    def _opens(self, recipient: str, now: datetime) -> datetime | None:
        return None if self._send_window is None else self._send_window.opens_at(recipient, now)

    def _defer(self, opens: datetime) -> None:
        self._counters.deferred += 1
        self.next_opening = opens if self.next_opening is None else min(self.next_opening, opens)

    async def _mark_invalid(self, row: Row, problems: tuple[Problem, ...]) -> None:
        why = "; ".join(map(str, problems))
        self._counters.invalid += 1
        self._counters.problems.append(RowProblem(row.line, mask_phone(row.recipient), EntryState.INVALID.lower(), why))
        if self._on_invalid_row is not None:
            self._on_invalid_row(row.line, mask_phone(row.recipient), problems)
        # By its line and not by its key: another row may have that key, and be as it should.
        await self._ledger.mark_invalid(ClaimRequest(_line_hash(row), f"line {row.line}", row.recipient, row.line), why)

    async def _mark_key_conflict(self, row: Row, found: ClaimResult) -> None:
        """Reject a row whose key is taken by another recipient: it is no duplicate, for this recipient gets nothing."""
        self._counters.key_conflicts += 1
        where = f"line {found.line}" if found.line != row.line else "a message of an earlier run"
        why = (
            f"has the key of {where}, which is for another recipient: one message per key is sent, and this one is not"
        )
        await self._mark_invalid(row, (Problem((), why),))

    async def _skip(self, row: Row, found: ClaimResult, *, twice: bool) -> None:
        if _is_key_conflict(row, found):
            await self._mark_key_conflict(row, found)
            return
        self._counters.skipped += 1
        if found.state is EntryState.NEW:
            # By the caller's policy it was to be sent once more, with the same content; the source has another now.
            why = "it may have been accepted, and the source has another text or PIN for it now: not sent again"
            await self._mark_unknown(row, found, why)
        elif twice:
            self._counters.duplicates += 1
            why = f"the same key as line {found.line}; one message per key is sent"
            self._counters.problems.append(RowProblem(row.line, mask_phone(row.recipient), "duplicate", why))

    async def _mark_unknown(self, row: Row, found: ClaimResult, why: str) -> None:
        await self._ledger.apply(
            Transition.MARK_UNKNOWN, TransitionDetails(found.number, found.attempt, why, resolved_by=RESOLVED_BY_POLICY)
        )
        self._counters.problems.append(RowProblem(row.line, mask_phone(row.recipient), EntryState.UNKNOWN.lower(), why))

    def _lease_ends(self) -> tuple[float, float]:
        # Before the claim: what the ledger's clock says of the lease is later than this.
        return time.monotonic() + self._lease, time.time() + self._lease


def _is_key_conflict(row: Row, found: ClaimResult) -> bool:
    # One that is NEW is not for another yet: it is claimed for this recipient, or is in doubt by the caller's policy.
    return not row.problems and found.recipient != row.recipient and found.state is not EntryState.NEW


def _key_hash(row: Row) -> int:
    return hash_key(row.key) if row.key and not row.problems else _line_hash(row)


def _line_hash(row: Row) -> int:
    return hash_key(f"\x00line {row.line}")
