"""Final statuses that are not believed before Routee itself says them too: `confirm` asks, again and again for a while.

One flow is asked about once at a time, however many callbacks announce its end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, cast

from ..records import FlowRecord, OtpRecord
from .event import CallbackEvent

AnyFlowRecord = FlowRecord | OtpRecord
Confirm = Callable[[Any], Awaitable[AnyFlowRecord]]

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0


class Doubt:
    """An end that a callback told of."""

    __slots__ = ("digest", "event", "identity", "pause", "timer", "until")

    def __init__(
        self, identity: tuple[str, str], event: CallbackEvent[AnyFlowRecord], digest: bytes, until: float
    ) -> None:
        self.identity: tuple[str, str] = identity
        self.event: CallbackEvent[AnyFlowRecord] = event
        self.digest: bytes = digest
        self.until: float = until
        self.pause: float = _FIRST_PAUSE
        self.timer: asyncio.TimerHandle | None = None


class Settle(Protocol):
    """Told how a doubt ended: with Routee's own record, or with the reason why there is none."""

    def __call__(self, doubt: Doubt, record: AnyFlowRecord | None, why: str, /) -> None:
        """Make something of it."""


class Doubts:
    """Every end that is still to be confirmed."""

    def __init__(
        self, confirm: Confirm, within: float, settle: Settle, start: Callable[[Coroutine[Any, Any, None]], object]
    ) -> None:
        self._confirm = confirm
        self._within = within
        self._settle = settle
        self._start = start
        self._doubts: dict[tuple[str, str], Doubt] = {}

    def __len__(self) -> int:
        return len(self._doubts)

    def __contains__(self, identity: tuple[str, str]) -> bool:
        return identity in self._doubts

    def add(self, identity: tuple[str, str], event: CallbackEvent[AnyFlowRecord], digest: bytes) -> None:
        """Ask about an end."""
        until = asyncio.get_running_loop().time() + self._within
        doubt = self._doubts[identity] = Doubt(identity, event, digest, until)
        self._start(self._ask(doubt))

    def renew(self, identity: tuple[str, str]) -> None:
        """It was told again: Routee is asked for as long as for a new one, and soon."""
        doubt, loop = self._doubts[identity], asyncio.get_running_loop()
        doubt.until, doubt.pause = loop.time() + self._within, _FIRST_PAUSE
        # Only ever earlier: whoever repeats it without a pause would put the question off for ever.
        if doubt.timer is not None and doubt.timer.when() > loop.time() + _FIRST_PAUSE:
            doubt.timer.cancel()
            self._ask_later(doubt, _FIRST_PAUSE)

    def clear(self) -> list[CallbackEvent[AnyFlowRecord]]:
        """Drop all, and say what they were about."""
        for doubt in self._doubts.values():
            if doubt.timer is not None:
                doubt.timer.cancel()
        dropped = [doubt.event for doubt in self._doubts.values()]
        self._doubts.clear()
        return dropped

    async def _ask(self, doubt: Doubt) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        record: AnyFlowRecord | None
        try:
            async with asyncio.timeout(self._within):
                record = await self._confirm(doubt.event.record)
        except (Exception, asyncio.CancelledError) as error:  # whatever kept the answer away, the next one may come
            if task.cancelling():
                raise
            record, why = None, f"asking Routee ended in {type(error).__name__}"
        else:
            why = "Routee does not say so"
            record = record if _confirms(record, doubt) else None
        if self._doubts.get(doubt.identity) is doubt:  # else the inbox has closed meanwhile
            self._weigh(doubt, record, why)

    def _weigh(self, doubt: Doubt, record: AnyFlowRecord | None, why: str) -> None:
        left = doubt.until - asyncio.get_running_loop().time()
        if record is None and left > 0:
            self._ask_later(doubt, min(doubt.pause, left))  # the last time right at the end
            doubt.pause = min(doubt.pause * 2, _LONGEST_PAUSE)
        else:
            del self._doubts[doubt.identity]
            self._settle(doubt, record, why)

    def _ask_later(self, doubt: Doubt, pause: float) -> None:
        def ask() -> None:
            doubt.timer = None
            self._start(self._ask(doubt))

        doubt.timer = asyncio.get_running_loop().call_later(pause, ask)


def _confirms(record: object, doubt: Doubt) -> bool:
    """Whether a record is of the same flow, and an end."""
    if isinstance(record, FlowRecord):
        identity = ("flow", record.tracking_id)
    elif isinstance(record, OtpRecord):
        identity = ("otp", record.flow_id)
    else:
        return False
    return record.final and identity == doubt.identity
