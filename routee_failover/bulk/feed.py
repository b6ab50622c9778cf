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
from .brakes import Brakes
from .fingerprint import Fingerprints
from .hours import NEVER, NO_COMMON_HOUR, SendWindow
from .message_limit import MessageLimit
from .progress import Tally, Trouble
from .row import Row, Rows, Stamp
from .row_reader import chunks_of
from .settling import settle_after
from .stamp import recipients_of
from .window import Item, ReadyWindow

Refused = Callable[[int, str, tuple[Problem, ...]], object]
"""Told of each row that cannot be sent: its line, its recipient masked, and why."""

_ENOUGH = settle_after.LONGEST.total_seconds()
"""Seconds of a time to live beyond which a longer one changes nothing."""
_Due = tuple[Row, int, ClaimResult | None]
"""A row, its tag, and how the ledger has it, where it does."""
_Made = tuple[Row, ClaimRequest, AnyFlow]
_Claimable = TypeVar("_Claimable", bound=tuple[Row | None, ClaimRequest, AnyFlow])


@attrs.frozen
class Marks:
    """What messages of a run carry so that they are found again."""

    run_id: str
    labels: bool
    signer: CallbackSigner | None

    def stamp(self, tag: int) -> Stamp:
        """The label and the address of one message."""
        label = build_label(self.run_id, tag)
        return Stamp(label if self.labels else None, self.signer.url(label) if self.signer is not None else None)


class Feed:
    """The messages of a source, claimed in small groups. It can be gone through several times: once a pass."""

    def __init__(
        self,
        ledger: Ledger,
        marks: Marks,
        fingerprints: Fingerprints,
        tally: Tally,
        *,
        group: int,
        lease: float,
        window: SendWindow | None,
        refused: Refused | None,
        brakes: Brakes,
        suppressed: Container[str] | None = None,
        limit: MessageLimit | None = None,
    ) -> None:
        self._ledger = ledger
        self._marks = marks
        self._fingerprints = fingerprints
        self._tally = tally
        self._group = group
        self._lease = lease
        self._window = window
        self._refused = refused
        self._brakes = brakes
        self._suppressed = suppressed
        self._limit = limit
        self.endpoint: Endpoint | None = None
        """Where all messages of the ledger go; known with the first one."""
        self._endpoint_kept = False
        self._lives = 0.0
        """The longest time to live of a message, in seconds, as the ledger has it."""
        self.taken: int = 0
        """How many messages the last pass has claimed."""
        self.opens: datetime | None = None
        """When the hours of the first deferred recipient begin."""

    async def fill(self, ready: ReadyWindow, rows: Rows, *, first: bool) -> None:
        """Put what is to be sent into the window. On the first pass over an empty ledger nothing is looked up before.

        It ends early, with nothing left claimed beside what is in the window, once the run is stopping.
        """
        self._tally.new_pass()
        self.opens, self.taken = None, 0
        if self._limit is not None:
            self._limit.reached = False
        if self.endpoint is None and (where := await self._ledger.get_document("endpoint")) is not None:
            self.endpoint, self._endpoint_kept = Endpoint(where["endpoint"]), True
            lives = await self._ledger.get_document(settle_after.DOCUMENT)
            self._lives = _ENOUGH if lives is None else lives["seconds"]
        look_up = not first or (await self._ledger.counts()).total > 0
        async with contextlib.aclosing(chunks_of(rows, self._brakes)) as chunks:
            async for chunk in chunks:
                self._tally.read += len(chunk)
                due = await self._due(chunk) if look_up else [(row, _tag(row), None) for row in chunk]
                for start in range(0, len(due), self._group):
                    await ready.room()
                    if self._brakes.stopping:
                        return
                    claimed = await self._claimed(due[start : start + self._group], first=first)
                    self.taken += len(claimed)
                    ready.put(claimed)
                    if self._limit is not None and self._limit.reached:
                        return

    async def claim_again(self, item: Item) -> Item | None:
        """The same message under a new lease, once its former one was given back; `None` where it may not leave now."""
        if self._is_suppressed(recipients_of(item.flow)):
            return None  # the next pass counts it
        leave_by, leave_by_clock = self._lease_ends()
        claims = await self._claim([(None, item.wanted, item.flow)])
        if not claims:
            return None
        ((_, found),) = claims
        return item._replace(found=found, leave_by=leave_by, leave_by_clock=leave_by_clock) if found.claimed else None

    def is_shut(self, item: Item) -> bool:
        """Whether the hours of a recipient have ended since the message was claimed."""
        opens = self._opens(item.wanted.recipient, datetime.now(UTC))
        if opens is not None:
            self._defer(opens)
        return opens is not None

    async def _due(self, chunk: Sequence[Row]) -> list[_Due]:
        """The rows of a chunk that the ledger does not say everything about already."""
        # By its line, too: a row of which no flow could be made in an earlier pass is not told again.
        tagged = [(row, _tag(row), _tag_of_line(row)) for row in chunk]
        known = await self._ledger.find([tag for _, *tags in tagged for tag in tags])
        due: list[_Due] = []
        for row, tag, tag_of_line in tagged:
            found = known.get(tag_of_line) or known.get(tag)
            if found is None or found.state is EntryState.NEW:
                due.append((row, tag, found))
            else:
                await self._pass_over(row, found, twice=False)
        return due

    async def _claimed(self, due: Sequence[_Due], *, first: bool) -> list[Item]:
        made: list[_Made] = []
        refusals: list[Awaitable[object]] = []
        now = datetime.now(UTC)
        for row, tag, found in due:
            if self._is_suppressed((row.recipient,)):
                await self._suppress(row, found)
                continue
            opens = None if row.problems else self._opens(row.recipient, now)
            if opens is not None and opens is not NEVER:
                self._defer(opens)
                continue
            flow = row.problems or (self._make(row, tag) if opens is None else NO_COMMON_HOUR)
            if isinstance(flow, tuple):
                refusals.append(self._refuse(row, flow))
            elif self._suppressed is not None and self._is_suppressed(recipients_of(flow)):
                await self._suppress(row, found)
            else:
                wanted = ClaimRequest(tag, row.key, row.recipient, row.line, self._fingerprints.of(flow))
                made.append((row, wanted, flow))
        if refusals:
            await asyncio.gather(*refusals)
        if made and not self._endpoint_kept:
            # Before the first intent: who finds doubts in the ledger has to know where to ask about them.
            await self._ledger.put_document("endpoint", {"endpoint": str(self.endpoint)})
            self._endpoint_kept = True
        if made and self._lives < _ENOUGH:
            await self._keep_time_to_live(max(total_ttl(flow) for _, _, flow in made))
        leave_by, leave_by_clock = self._lease_ends()
        items: list[Item] = []
        for (row, wanted, flow), found in await self._claim(made):
            if found.claimed:
                items.append(Item(wanted, found, flow, leave_by, leave_by_clock))
            else:
                # Its key was free a moment ago: it is there twice. What an earlier run has left may have moved since.
                await self._pass_over(row, found, twice=first and found.line != row.line)
        return items

    async def _keep_time_to_live(self, seconds: float) -> None:
        """Keep the longest one in the ledger, which says when a message of unknown outcome may count as not taken."""
        if seconds > self._lives:
            self._lives = min(seconds, _ENOUGH)
            await self._ledger.put_document(settle_after.DOCUMENT, {"seconds": self._lives})

    async def _claim(self, made: Sequence[_Claimable]) -> list[tuple[_Claimable, ClaimResult]]:
        """Claim them, up to the message limit. What it keeps back is left out; what is in the ledger is not."""
        if not made:
            return []
        limit = self._limit
        if limit is None:
            claims = await self._ledger.claim([wanted for _, wanted, _ in made], lease=self._lease)
            return [*zip(made, claims, strict=True)]
        pairs: list[tuple[_Claimable, ClaimResult]] = []
        async with limit.lock:
            while made and (free := await limit.free()) > 0:
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
        listed = self._suppressed
        return listed is not None and any(number in listed for number in numbers if number)

    async def _suppress(self, row: Row, found: ClaimResult | None) -> None:
        """Count a row that is not sent. What may have been accepted is UNKNOWN, not waiting to be sent once more."""
        if found is not None and found.fingerprint:
            await self._doubt(
                row, found, "it may have been accepted, and is on the suppression list now: not sent again"
            )
        else:
            self._tally.suppress(is_new=found is not None)

    def _make(self, row: Row, tag: int) -> AnyFlow | tuple[Problem, ...]:
        try:
            flow = row.make(self._marks.stamp(tag))
        except InvalidFlow as error:
            return error.problems
        if flow.endpoint is not self.endpoint:
            if self.endpoint is not None:
                return (Problem((), f"goes to another endpoint than the run, which is {self.endpoint}"),)
            self.endpoint = flow.endpoint
        return flow

    def _opens(self, recipient: str, now: datetime) -> datetime | None:
        return None if self._window is None else self._window.opens(recipient, now)

    def _defer(self, opens: datetime) -> None:
        self._tally.deferred += 1
        self.opens = opens if self.opens is None else min(self.opens, opens)

    async def _refuse(self, row: Row, problems: tuple[Problem, ...]) -> None:
        why = "; ".join(map(str, problems))
        self._tally.invalid += 1
        self._tally.problems.append(Trouble(row.line, mask_phone(row.recipient), EntryState.INVALID.lower(), why))
        if self._refused is not None:
            self._refused(row.line, mask_phone(row.recipient), problems)
        # By its line and not by its key: another row may have that key, and be as it should.
        await self._ledger.mark_invalid(
            ClaimRequest(_tag_of_line(row), f"line {row.line}", row.recipient, row.line), why
        )

    async def _refuse_key(self, row: Row, found: ClaimResult) -> None:
        """Reject a row whose key is taken by another recipient: it is no duplicate, for this recipient gets nothing."""
        self._tally.key_conflicts += 1
        where = f"line {found.line}" if found.line != row.line else "a message of an earlier run"
        why = (
            f"has the key of {where}, which is for another recipient: one message per key is sent, and this one is not"
        )
        await self._refuse(row, (Problem((), why),))

    async def _pass_over(self, row: Row, found: ClaimResult, *, twice: bool) -> None:
        if _is_key_conflict(row, found):
            await self._refuse_key(row, found)
            return
        self._tally.skipped += 1
        if found.state is EntryState.NEW:
            # By the caller's policy it was to be sent once more, with the same content; the source has another now.
            why = "it may have been accepted, and the source has another text or PIN for it now: not sent again"
            await self._doubt(row, found, why)
        elif twice:
            self._tally.duplicates += 1
            why = f"the same key as line {found.line}; one message per key is sent"
            self._tally.problems.append(Trouble(row.line, mask_phone(row.recipient), "duplicate", why))

    async def _doubt(self, row: Row, found: ClaimResult, why: str) -> None:
        await self._ledger.apply(
            Transition.MARK_UNKNOWN, TransitionDetails(found.number, found.attempt, why, resolved_by=RESOLVED_BY_POLICY)
        )
        self._tally.problems.append(Trouble(row.line, mask_phone(row.recipient), EntryState.UNKNOWN.lower(), why))

    def _lease_ends(self) -> tuple[float, float]:
        # Before the claim: what the ledger's clock says of the lease is later than this.
        return time.monotonic() + self._lease, time.time() + self._lease


def _is_key_conflict(row: Row, found: ClaimResult) -> bool:
    # One that is NEW is not for another yet: it is claimed for this recipient, or is in doubt by the caller's policy.
    return not row.problems and found.recipient != row.recipient and found.state is not EntryState.NEW


def _tag(row: Row) -> int:
    return hash_key(row.key) if row.key and not row.problems else _tag_of_line(row)


def _tag_of_line(row: Row) -> int:
    return hash_key(f"\x00line {row.line}")
