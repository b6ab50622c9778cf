"""From rows to messages that may be sent: read ahead a little, checked, and each written to the ledger as an intent."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import attrs

from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, Endpoint
from ..ledger import Ending, Found, Ledger, Move, State, Wanted
from ..ledger.intent import POLICY, label_of, tag_of
from ..secret import mask_phone
from ..webhooks import CallbackSigner
from .brakes import Brakes
from .fingerprint import Fingerprints
from .hours import SendWindow
from .progress import Tally, Trouble
from .row import Row, Rows, Stamp
from .window import Item, ReadyWindow

Refused = Callable[[int, str, tuple[Problem, ...]], object]
"""Told of each row that cannot be sent: its line, its recipient masked, and why."""

_READ = 256
"""Rows that are read at once."""
_READ_WITHIN = 0.05
"""Seconds after which what was read so far goes on, for sources that trickle."""


@attrs.frozen
class Marks:
    """What messages of a run carry so that they are found again."""

    run_id: str
    labels: bool
    signer: CallbackSigner | None

    def stamp(self, tag: int) -> Stamp:
        """The label and the address of one message."""
        label = label_of(self.run_id, tag)
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
        self.endpoint: Endpoint | None = None
        """Where all messages of the ledger go; known with the first one."""
        self._endpoint_kept = False
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
        if self.endpoint is None and (where := await self._ledger.get("endpoint")) is not None:
            self.endpoint, self._endpoint_kept = Endpoint(where["endpoint"]), True
        look_up = not first or (await self._ledger.counts()).total > 0
        async with contextlib.aclosing(_chunks(rows, self._brakes)) as chunks:
            async for chunk in chunks:
                self._tally.read += len(chunk)
                due = await self._due(chunk) if look_up else [(row, _tag(row)) for row in chunk]
                for start in range(0, len(due), self._group):
                    await ready.room()
                    if self._brakes.stopping:
                        return
                    claimed = await self._claimed(due[start : start + self._group], first=first)
                    self.taken += len(claimed)
                    ready.put(claimed)

    async def claim_again(self, item: Item) -> Item | None:
        """The same message under a new lease, once its former one was given back; `None` where another has it."""
        leave_by, leave_by_clock = self._lease_ends()
        (found,) = await self._ledger.claim([item.wanted], lease=self._lease)
        return item._replace(found=found, leave_by=leave_by, leave_by_clock=leave_by_clock) if found.mine else None

    def is_shut(self, item: Item) -> bool:
        """Whether the hours of a recipient have ended since the message was claimed."""
        return self._window is not None and self._defers(item.wanted.recipient, datetime.now(UTC))

    async def _due(self, chunk: Sequence[Row]) -> list[tuple[Row, int]]:
        """The rows of a chunk that the ledger does not say everything about already."""
        # By its line, too: a row of which no flow could be made in an earlier pass is not told again.
        tagged = [(row, _tag(row), _tag_of_line(row)) for row in chunk]
        known = await self._ledger.find([tag for _, *tags in tagged for tag in tags])
        due: list[tuple[Row, int]] = []
        for row, tag, tag_of_line in tagged:
            found = known.get(tag_of_line) or known.get(tag)
            if found is None or found.state is State.NEW:
                due.append((row, tag))
            else:
                await self._pass_over(row, found, twice=False)
        return due

    async def _claimed(self, due: Sequence[tuple[Row, int]], *, first: bool) -> list[Item]:
        made: list[tuple[Row, Wanted, AnyFlow]] = []
        refusals: list[Awaitable[object]] = []
        now = datetime.now(UTC)
        for row, tag in due:
            if not row.problems and self._defers(row.recipient, now):
                continue
            flow = row.problems or self._make(row, tag)
            if isinstance(flow, tuple):
                refusals.append(self._refuse(row, flow))
            else:
                wanted = Wanted(tag, row.key, row.recipient, row.line, self._fingerprints.of(flow))
                made.append((row, wanted, flow))
        if refusals:
            await asyncio.gather(*refusals)
        if made and not self._endpoint_kept:
            # Before the first intent: who finds doubts in the ledger has to know where to ask about them.
            await self._ledger.put("endpoint", {"endpoint": str(self.endpoint)})
            self._endpoint_kept = True
        leave_by, leave_by_clock = self._lease_ends()
        claims = await self._ledger.claim([wanted for _, wanted, _ in made], lease=self._lease) if made else []
        items: list[Item] = []
        for (row, wanted, flow), found in zip(made, claims, strict=True):
            if found.mine:
                items.append(Item(wanted, found, flow, leave_by, leave_by_clock))
            else:
                # Its key was free a moment ago: it is there twice. What an earlier run has left may have moved since.
                await self._pass_over(row, found, twice=first and found.line != row.line)
        return items

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

    def _defers(self, recipient: str, now: datetime) -> bool:
        opens = self._window.opens(recipient, now) if self._window is not None else None
        if opens is None:
            return False
        self._tally.deferred += 1
        self.opens = opens if self.opens is None else min(self.opens, opens)
        return True

    async def _refuse(self, row: Row, problems: tuple[Problem, ...]) -> None:
        why = "; ".join(map(str, problems))
        self._tally.invalid += 1
        self._tally.problems.append(Trouble(row.line, mask_phone(row.recipient), State.INVALID.lower(), why))
        if self._refused is not None:
            self._refused(row.line, mask_phone(row.recipient), problems)
        # By its line and not by its key: another row may have that key, and be as it should.
        await self._ledger.refuse(Wanted(_tag_of_line(row), f"line {row.line}", row.recipient, row.line), why)

    async def _pass_over(self, row: Row, found: Found, *, twice: bool) -> None:
        self._tally.skipped += 1
        recipient = mask_phone(row.recipient)
        if found.state is State.NEW:
            # By the caller's policy it was to be sent once more, with the same content; the source has another now.
            why = "it may have been accepted, and the source has another text or PIN for it now: not sent again"
            await self._ledger.settle(Move.DOUBT, Ending(found.number, found.attempt, why, proof=POLICY))
            self._tally.problems.append(Trouble(row.line, recipient, State.UNKNOWN.lower(), why))
        elif twice:
            self._tally.duplicates += 1
            why = f"the same key as line {found.line}; one message per key is sent"
            self._tally.problems.append(Trouble(row.line, recipient, "duplicate", why))

    def _lease_ends(self) -> tuple[float, float]:
        # Before the claim: what the ledger's clock says of the lease is later than this.
        return time.monotonic() + self._lease, time.time() + self._lease


def _tag(row: Row) -> int:
    return tag_of(row.key) if row.key and not row.problems else _tag_of_line(row)


def _tag_of_line(row: Row) -> int:
    return tag_of(f"\x00line {row.line}")


async def _chunks(rows: Rows, brakes: Brakes) -> AsyncGenerator[list[Row], None]:
    """The rows in lists. What can block is drawn in a thread; nothing waits long for a list to be full.

    Who stops the run does not wait for a source that is silent.
    """
    if isinstance(rows, AsyncIterable):
        async with contextlib.aclosing(_drawn(aiter(rows), brakes)) as drawn:
            async for chunk in drawn:
                yield chunk
        return
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, "routee-bulk-source")  # one, because many sources are bound to theirs
    try:
        iterator = await loop.run_in_executor(thread, iter, rows)
        while True:
            taking = loop.run_in_executor(thread, _take, iterator)
            if not await brakes.or_stopped(taking):
                return
            chunk, failure = taking.result()
            if chunk:
                yield chunk
            if failure is not None:
                raise failure
            if not chunk:
                return
    finally:
        thread.shutdown(wait=False)


def _take(rows: Iterator[Row]) -> tuple[list[Row], Exception | None]:
    """The next rows, and what the source failed in after them: those that it gave are not lost for that."""
    taken: list[Row] = []
    until = time.monotonic() + _READ_WITHIN
    try:
        for row in rows:
            taken.append(row)
            if len(taken) >= _READ or time.monotonic() >= until:
                break
    except Exception as error:  # noqa: BLE001  # it is raised where the rows before it are through
        return taken, error
    return taken, None


async def _drawn(rows: AsyncIterator[Row], brakes: Brakes) -> AsyncGenerator[list[Row], None]:
    """Whatever is there at once, in one list; a drawing that takes longer is waited for, not cancelled."""
    drawing: asyncio.Future[Row] | None = None
    try:
        while True:
            taken: list[Row] = []
            while len(taken) < _READ:
                drawing = drawing or asyncio.ensure_future(anext(rows))
                if not taken:
                    if not await brakes.or_stopped(drawing):
                        return
                else:
                    await asyncio.sleep(0)
                    if not drawing.done():
                        break
                try:
                    row = drawing.result()
                except Exception as error:  # it is raised once the rows before it are through
                    if taken:
                        yield taken
                    if isinstance(error, StopAsyncIteration):
                        return
                    raise
                drawing = None
                taken.append(row)
            yield taken
    finally:
        if drawing is not None:
            drawing.cancel()
