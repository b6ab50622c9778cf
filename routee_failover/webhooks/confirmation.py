"""Confirmation of final statuses: `confirm` requests the record from Routee until it agrees or the timeout has passed.

Requests are repeated with exponential backoff. There is one at a time for a flow, however many callbacks report its
final status.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, cast

from ..records import FlowRecord, MessageStatus, OtpRecord, ViberOtpRecord
from .event import CallbackEvent

AnyFlowRecord = FlowRecord | OtpRecord | ViberOtpRecord
Confirm = Callable[[Any], Awaitable[AnyFlowRecord]]

_INITIAL_DELAY = 0.5
_MAX_DELAY = 15.0


class PendingConfirmation:
    """A final status that a callback reported and Routee has not confirmed yet."""

    __slots__ = ("delay", "digest", "event", "expires_at", "key", "size", "timer")

    def __init__(self, key: tuple[str, str], event: CallbackEvent[AnyFlowRecord], digest: bytes, size: int) -> None:
        self.key: tuple[str, str] = key
        self.event: CallbackEvent[AnyFlowRecord] = event
        self.digest: bytes = digest
        self.size: int = size
        self.expires_at: float = 0.0
        self.delay: float = _INITIAL_DELAY
        self.timer: asyncio.TimerHandle | None = None


class OnConfirmation(Protocol):
    """Called with the result of a confirmation: Routee's own record, or the reason why there is none."""

    def __call__(self, pending: PendingConfirmation, record: AnyFlowRecord | None, reason: str, /) -> None:
        """Handle the result. `record` is `None` if the confirmation expired."""


class Confirmer:
    """Final statuses that are waiting for Routee's confirmation, by flow. `timeout` is in seconds."""

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

    def add(self, pending: PendingConfirmation) -> None:
        """Start to confirm a final status."""
        pending.expires_at = asyncio.get_running_loop().time() + self._timeout
        self._pending[pending.key] = pending
        self._start_task(self._confirm_once(pending))

    def extend(self, key: tuple[str, str]) -> None:
        """Restart the timeout and the backoff of a final status that was reported again."""
        pending, loop = self._pending[key], asyncio.get_running_loop()
        pending.expires_at, pending.delay = loop.time() + self._timeout, _INITIAL_DELAY
        # Only ever earlier: otherwise callbacks that are repeated without a pause would postpone the request forever.
        if pending.timer is not None and pending.timer.when() > loop.time() + _INITIAL_DELAY:
            pending.timer.cancel()
            self._schedule(pending, _INITIAL_DELAY)

    def clear(self) -> list[PendingConfirmation]:
        """Drop all pending confirmations, and return them."""
        for pending in self._pending.values():
            if pending.timer is not None:
                pending.timer.cancel()
        dropped = list(self._pending.values())
        self._pending.clear()
        return dropped

    async def _confirm_once(self, pending: PendingConfirmation) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        record: AnyFlowRecord | None
        # 1. Request the record from Routee.
        try:
            async with asyncio.timeout(self._timeout):
                record = await self._confirm(pending.event.record)
        except (Exception, asyncio.CancelledError) as error:  # whatever failed, the next request may succeed
            if task.cancelling():
                raise
            record, reason = None, f"the request to Routee ended in {type(error).__name__}"
        else:
            # 2. Check that it confirms the final status.
            reason = "Routee's API does not report it"
            record = record if _confirms(record, pending) else None
        # 3. Report the result, unless the inbox was closed in the meantime.
        if self._pending.get(pending.key) is pending:
            self._handle_result(pending, record, reason)

    def _handle_result(self, pending: PendingConfirmation, record: AnyFlowRecord | None, reason: str) -> None:
        remaining = pending.expires_at - asyncio.get_running_loop().time()
        if record is None and remaining > 0:
            self._schedule(pending, min(pending.delay, remaining))  # the last request is made right at the timeout
            pending.delay = min(pending.delay * 2, _MAX_DELAY)
        else:
            del self._pending[pending.key]
            self._on_result(pending, record, reason)

    def _schedule(self, pending: PendingConfirmation, delay: float) -> None:
        def confirm() -> None:
            pending.timer = None
            self._start_task(self._confirm_once(pending))

        pending.timer = asyncio.get_running_loop().call_later(delay, confirm)


def _confirms(record: object, pending: PendingConfirmation) -> bool:
    """Return whether a record is of the same flow, final, and not behind the status that is to be confirmed."""
    if isinstance(record, FlowRecord):
        key = ("flow", record.tracking_id)
    elif isinstance(record, OtpRecord):
        key = ("otp", record.flow_id)
    elif isinstance(record, ViberOtpRecord):
        key = ("viber-otp", record.tracking_id)
        if (record.status, pending.event.record.status) == (MessageStatus.DELIVERED, MessageStatus.SEEN):
            return False
    else:
        return False
    return record.final and key == pending.key
