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

_INITIAL_DELAY = 0.5
_MAX_DELAY = 15.0


class PendingConfirmation:
    """An end that a callback told of."""

    __slots__ = ("digest", "event", "key", "delay", "timer", "expires_at")

    def __init__(
        self, key: tuple[str, str], event: CallbackEvent[AnyFlowRecord], digest: bytes, expires_at: float
    ) -> None:
        self.key: tuple[str, str] = key
        self.event: CallbackEvent[AnyFlowRecord] = event
        self.digest: bytes = digest
        self.expires_at: float = expires_at
        self.delay: float = _INITIAL_DELAY
        self.timer: asyncio.TimerHandle | None = None


class OnConfirmation(Protocol):
    """Told how a doubt ended: with Routee's own record, or with the reason why there is none."""

    def __call__(self, pending: PendingConfirmation, record: AnyFlowRecord | None, reason: str, /) -> None:
        """Make something of it."""


class Confirmer:
    """Every end that is still to be confirmed."""

    def __init__(
        self,
        confirm: Confirm,
        timeout: float,
        on_result: OnConfirmation,
        start_task: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._confirm = confirm
        self._timeout = timeout
        self._on_result = on_result
        self._start_task = start_task
        self._pending: dict[tuple[str, str], PendingConfirmation] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._pending

    def add(self, key: tuple[str, str], event: CallbackEvent[AnyFlowRecord], digest: bytes) -> None:
        """Ask about an end."""
        until = asyncio.get_running_loop().time() + self._timeout
        doubt = self._pending[key] = PendingConfirmation(key, event, digest, until)
        self._start_task(self._confirm_once(doubt))

    def extend(self, key: tuple[str, str]) -> None:
        """It was told again: Routee is asked for as long as for a new one, and soon."""
        doubt, loop = self._pending[key], asyncio.get_running_loop()
        doubt.expires_at, doubt.delay = loop.time() + self._timeout, _INITIAL_DELAY
        # Only ever earlier: whoever repeats it without a pause would put the question off for ever.
        if doubt.timer is not None and doubt.timer.when() > loop.time() + _INITIAL_DELAY:
            doubt.timer.cancel()
            self._schedule(doubt, _INITIAL_DELAY)

    def clear(self) -> list[CallbackEvent[AnyFlowRecord]]:
        """Drop all, and say what they were about."""
        for doubt in self._pending.values():
            if doubt.timer is not None:
                doubt.timer.cancel()
        dropped = [doubt.event for doubt in self._pending.values()]
        self._pending.clear()
        return dropped

    async def _confirm_once(self, pending: PendingConfirmation) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        record: AnyFlowRecord | None
        try:
            async with asyncio.timeout(self._timeout):
                record = await self._confirm(pending.event.record)
        except (Exception, asyncio.CancelledError) as error:  # whatever kept the answer away, the next one may come
            if task.cancelling():
                raise
            record, why = None, f"asking Routee ended in {type(error).__name__}"
        else:
            why = "Routee does not say so"
            record = record if _confirms(record, pending) else None
        if self._pending.get(pending.key) is pending:  # else the inbox has closed meanwhile
            self._handle_result(pending, record, why)

    def _handle_result(self, pending: PendingConfirmation, record: AnyFlowRecord | None, reason: str) -> None:
        left = pending.expires_at - asyncio.get_running_loop().time()
        if record is None and left > 0:
            self._schedule(pending, min(pending.delay, left))  # the last time right at the end
            pending.delay = min(pending.delay * 2, _MAX_DELAY)
        else:
            del self._pending[pending.key]
            self._on_result(pending, record, reason)

    def _schedule(self, pending: PendingConfirmation, delay: float) -> None:
        def ask() -> None:
            pending.timer = None
            self._start_task(self._confirm_once(pending))

        pending.timer = asyncio.get_running_loop().call_later(delay, ask)


def _confirms(record: object, pending: PendingConfirmation) -> bool:
    """Whether a record is of the same flow, and an end."""
    if isinstance(record, FlowRecord):
        identity = ("flow", record.tracking_id)
    elif isinstance(record, OtpRecord):
        identity = ("otp", record.flow_id)
    else:
        return False
    return record.final and identity == pending.key
