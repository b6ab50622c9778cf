"""Callback dispatcher: posts a callback when the status of a flow changes, and retries it for a day if it fails.

The scheduler runs the attempts when they are due on the virtual clock; the poster makes them, in real time.
"""

import random
import uuid
from collections.abc import Coroutine
from functools import partial
from typing import Any

import attrs

from ..simulation.event_bus import CallbackUpdated, FlowChanged, FlowsCleared, SandboxEvent
from ..simulation.flow_store import AcceptedFlow
from ..simulation.lifecycle import ActionConflict, FlowLifecycle
from ..store.base import Store
from . import payloads
from .callback_log import CallbackLog
from .keyed_semaphore import KeyedSemaphore
from .poster import Poster, PostResult
from .records import CallbackAttempt, CallbackKind, CallbackRecord

_MINUTE, _HOUR = 60.0, 3600.0
RETRY_SCHEDULE = (30.0, *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)), *(n * _HOUR for n in (1, 2, 4, 8, 24)))
"""Times of the retries of a callback that did not get a 200, in virtual seconds since it was due.

Routee's other pages speak of "12 retries / 24 h" and list these. INF: they are times since the first attempt, for as
intervals they would last 40 hours; and they hold for failover and OTP flows too, whose pages say nothing.
"""

MAX_RECORDED_ATTEMPTS = 100
"""Number of attempts that a callback keeps, the newest ones: it can be redelivered by hand without limit."""


class CallbackDispatcher:
    """Posts the callbacks of flows, records every attempt, and retries failed ones.

    The callbacks of one flow are posted one at a time, so that they arrive in the order in which they were due.
    """

    def __init__(self, lifecycle: FlowLifecycle) -> None:
        self._lifecycle = lifecycle
        self._clock, self._scheduler = lifecycle.clock, lifecycle.scheduler
        self._flow_store, self._event_bus = lifecycle.flow_store, lifecycle.event_bus
        self._log = CallbackLog(on_evicted=lifecycle.scheduler.cancel)
        self._poster = Poster()
        self._flow_semaphore = KeyedSemaphore(1)
        self._held: dict[str, list[str]] = {}
        self._event_bus.add_listener(self._on_event)
        self._flow_store.on_evicted(self._on_flow_evicted)

    @property
    def log(self) -> CallbackLog:
        """Log with every callback of the stored flows."""
        return self._log

    def reply(
        self,
        flow: AcceptedFlow,
        text: str,
        *,
        position: int | None = None,
        media: str | None = None,
        filename: str | None = None,
    ) -> CallbackRecord:
        """Simulate a reply to the Viber message of a step, or to the latest one: post it to the step's `inboundUrl`.

        Raises `ActionConflict` when there is no such message, when it was not delivered, and when its step has no
        `inboundUrl`.
        """
        elapsed = self._lifecycle.elapsed(flow)
        url, payload = payloads.inbound_payload(flow, position, elapsed, text, media=media, filename=filename)
        record = _new_record(flow, "inbound", url, payload, elapsed)
        return self._schedule(flow, record, elapsed)

    def redeliver(self, callback_id: str) -> CallbackRecord:
        """Post a callback again now, whatever its state; its retries start over.

        Raises `ActionConflict` when there is no such callback.
        """
        record = self._log.find(callback_id)
        flow = None if record is None else self._flow_store.find(record.flow_id)
        if record is None or flow is None:
            raise ActionConflict("there is no such callback")
        return self._restart(flow, record, self._lifecycle.elapsed(flow))

    def attach_store(self, store: Store) -> None:
        """Load the callbacks that a store has, and save every change there from now on.

        Pending ones are posted when they are due, and those that were being posted are posted at once. The callbacks of
        flows that are not stored are deleted.
        """
        self._held.clear()
        for record, flow in self._log.attach_store(store, self._flow_store.find):
            self._resume(flow, record)

    def _resume(self, flow: AcceptedFlow, record: CallbackRecord) -> None:
        if record.state != "pending":
            return
        elapsed = self._lifecycle.elapsed(flow)
        if record.next_at is not None:
            self._schedule_attempt(flow, record.id, record.next_at)
        elif flow.callback_script.order != "as-is" and flow.timeline.next_change_at(elapsed) is not None:
            self._held.setdefault(flow.id, []).append(record.id)  # until all of them are known
        else:
            self._save_and_schedule(flow, attrs.evolve(record, next_at=elapsed), elapsed)

    async def close(self) -> None:
        """Close the connections to receivers."""
        await self._poster.close()

    def _on_event(self, event: SandboxEvent) -> None:
        match event:
            case FlowChanged(flow=flow) if "callback" in flow.body:
                self._on_flow_changed(event)
            case FlowsCleared():
                self._log.clear()
                self._held.clear()
            case _:
                pass

    def _on_flow_evicted(self, flow: AcceptedFlow) -> None:
        self._log.remove_flow(flow.id)
        self._held.pop(flow.id, None)

    def _on_flow_changed(self, event: FlowChanged) -> None:
        flow, target = event.flow, payloads.callback_target(event.flow)
        if target is None or not target.includes(event.state):
            return
        if target.final_only and any(earlier.kind == "flow" for earlier in self._log.for_flow(flow.id)):
            return  # a status change of a message after the completion is no second completion
        record = _new_record(flow, target.kind, target.url, payloads.status_payload(flow, event.state), event.at)
        self._apply_script(flow, record, last=target.final_only or flow.timeline.next_change_at(event.at) is None)

    def _apply_script(self, flow: AcceptedFlow, record: CallbackRecord, *, last: bool) -> None:
        """Apply the rule's script to a callback: drop, hold, reorder, repeat or delay it; most are just scheduled."""
        # 1. Drop it, or hold it back until all callbacks of the flow are known.
        script = flow.callback_script
        if script.drop:
            self._save(flow, attrs.evolve(record, state="dropped"))
            return
        if script.order == "as-is":
            due = [record]
        else:  # reordering needs all of them
            self._save(flow, record)
            held = self._held.setdefault(flow.id, [])
            held.append(record.id)
            if not last:
                return
            known = (self._log.find(callback_id) for callback_id in reversed(held))
            due = [held_record for held_record in known if held_record is not None]
            del self._held[flow.id]
        # 2. Repeat and shuffle.
        due = [copy for original in due for copy in (original, *(_copy(original) for _ in range(script.repeat - 1)))]
        if script.order == "shuffled":
            random.Random(flow.number).shuffle(due)  # noqa: S311  # reproducible
        # 3. Schedule.
        for due_record in due:
            self._schedule(flow, due_record, record.due_at + script.delay)

    def _schedule(self, flow: AcceptedFlow, record: CallbackRecord, due: float) -> CallbackRecord:
        return self._restart(flow, attrs.evolve(record, due_at=due), due)

    def _restart(self, flow: AcceptedFlow, record: CallbackRecord, due: float) -> CallbackRecord:
        """Schedule the first attempt, and start the retries over."""
        return self._save_and_schedule(
            flow, attrs.evolve(record, state="pending", retries_from=due, retry_count=0, next_at=due), due
        )

    def _save_and_schedule(self, flow: AcceptedFlow, record: CallbackRecord, due: float) -> CallbackRecord:
        self._save(flow, record)
        self._schedule_attempt(flow, record.id, due)
        return record

    def _schedule_attempt(self, flow: AcceptedFlow, callback_id: str, due: float) -> None:
        at = flow.accepted_at + due
        if due <= self._lifecycle.elapsed(flow):
            # The sum of two floats may be a little later than now, a time that a stopped clock never reaches.
            at = min(at, self._clock.now())
        self._scheduler.call_at(at, partial(self._start_attempt, callback_id, due), callback_id)

    def _save(self, flow: AcceptedFlow, record: CallbackRecord) -> None:
        self._log.put(record)
        self._event_bus.publish(CallbackUpdated(flow, record))

    def _start_attempt(self, callback_id: str, due: float, _now: float) -> Coroutine[Any, Any, None] | None:
        record = self._log.find(callback_id)
        if record is None or record.next_at != due:  # deleted, or redelivered since then
            return None
        self._log.mark_attempt_started(attrs.evolve(record, next_at=None))
        return self._run_attempt(callback_id, record.flow_id)

    async def _run_attempt(self, callback_id: str, flow_id: str) -> None:
        async with self._flow_semaphore.acquire(flow_id):
            record, flow = self._log.find(callback_id), self._flow_store.find(flow_id)
            if record is None or flow is None:  # deleted while it waited for its turn
                return
            at = round(self._lifecycle.elapsed(flow), 6)
            result = await self._poster.post(record.url, record.payload.encode())
            self._record_attempt(callback_id, at, result)

    def _record_attempt(self, callback_id: str, at: float, result: PostResult) -> None:
        record = self._log.find(callback_id)
        flow = None if record is None else self._flow_store.find(record.flow_id)
        if record is None or flow is None:
            return
        attempt = CallbackAttempt(at=at, duration_ms=result.duration_ms, status=result.status, error=result.error)
        record = attrs.evolve(record, attempts=(*record.attempts, attempt)[-MAX_RECORDED_ATTEMPTS:])
        if record.next_at is not None:  # redelivered meanwhile
            self._save(flow, record)
        elif result.error is None:
            self._save(flow, attrs.evolve(record, state="delivered"))
        elif record.retry_count == len(RETRY_SCHEDULE):
            self._save(flow, attrs.evolve(record, state="failed"))
        else:
            due = record.retries_from + RETRY_SCHEDULE[record.retry_count]
            self._save_and_schedule(flow, attrs.evolve(record, retry_count=record.retry_count + 1, next_at=due), due)


def _new_record(flow: AcceptedFlow, kind: CallbackKind, url: str, payload: str, at: float) -> CallbackRecord:
    return CallbackRecord(id=str(uuid.uuid4()), flow_id=flow.id, kind=kind, url=url, payload=payload, due_at=at)


def _copy(record: CallbackRecord) -> CallbackRecord:
    return attrs.evolve(record, id=str(uuid.uuid4()))
