"""The callbacks of all flows: posted when something becomes of a flow, and repeated until they are answered.

The agenda knows when each is due, on the virtual clock; the poster makes the attempts, in real time.
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
"""When a callback that was not answered is posted again, in virtual seconds since it was due.

Routee's other pages speak of "12 retries / 24 h" and list these. INF: they are times since the first attempt, for as
intervals they would last 40 hours; and they hold for failover and OTP flows too, whose pages say nothing.
"""

MAX_RECORDED_ATTEMPTS = 100
"""A callback that is called back by hand again and again keeps its newest attempts."""


class CallbackDispatcher:
    """Posts what flows report, keeps every attempt on record, and posts again what was not answered.

    The callbacks of one flow are posted one after the other, so that they arrive in the order in which they were due.
    """

    def __init__(self, lifecycle: FlowLifecycle) -> None:
        self._lifecycle = lifecycle
        self._clock, self._scheduler = lifecycle.clock, lifecycle.scheduler
        self._flow_store, self._event_bus = lifecycle.flow_store, lifecycle.event_bus
        self._log = CallbackLog(on_evicted=lifecycle.scheduler.cancel)
        self._poster = Poster()
        self._flow_semaphore = KeyedSemaphore(1)
        self._held: dict[str, list[str]] = {}
        self._event_bus.add_listener(self._heard)
        self._flow_store.on_evicted(self._forget)

    @property
    def log(self) -> CallbackLog:
        """Every callback of the flows in the book."""
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
        """Have the person answer the Viber message of a step, or that sent last: the step's `inboundUrl` is told.

        Raises `ActionConflict` when there is no such message, when it was not delivered, or has no `inboundUrl`.
        """
        elapsed = self._lifecycle.elapsed(flow)
        url, content = payloads.inbound_payload(flow, position, elapsed, text, media=media, filename=filename)
        record = _new(flow, "inbound", url, content, elapsed)
        return self._schedule(flow, record, elapsed)

    def redeliver(self, callback_id: str) -> CallbackRecord:
        """Post a callback again now, whatever came of it; the retries start anew. Raises `ActionConflict` when it is unknown
        or forgotten.
        """  # noqa: D205
        record = self._log.find(callback_id)
        flow = None if record is None else self._flow_store.find(record.flow_id)
        if record is None or flow is None:
            raise ActionConflict("there is no such callback")
        return self._again(flow, record, self._lifecycle.elapsed(flow))

    def attach_store(self, store: Store) -> None:
        """Go on with the callbacks that a store has from before, and keep all of them there from now on.

        What waits is posted in its time, and what was under way at once. Those of flows that are not in the book are
        forgotten.
        """
        self._held.clear()
        for record, flow in self._log.attach_store(store, self._flow_store.find):
            self._take_up(flow, record)

    def _take_up(self, flow: AcceptedFlow, record: CallbackRecord) -> None:
        if record.state != "pending":
            return
        elapsed = self._lifecycle.elapsed(flow)
        if record.next_at is not None:
            self._plan(flow, record.id, record.next_at)
        elif flow.callback_script.order != "as-is" and flow.timeline.next_change_at(elapsed) is not None:
            self._held.setdefault(flow.id, []).append(record.id)  # it waits for the others
        else:
            self._put_down(flow, attrs.evolve(record, next_at=elapsed), elapsed)

    async def close(self) -> None:
        """Close the connections to receivers."""
        await self._poster.close()

    def _heard(self, event: SandboxEvent) -> None:
        match event:
            case FlowChanged(flow=flow) if "callback" in flow.body:
                self._changed(event)
            case FlowsCleared():
                self._log.clear()
                self._held.clear()
            case _:
                pass

    def _forget(self, flow: AcceptedFlow) -> None:
        self._log.remove_flow(flow.id)
        self._held.pop(flow.id, None)

    def _changed(self, event: FlowChanged) -> None:
        flow, report = event.flow, payloads.callback_target(event.flow)
        if report is None or not report.includes(event.state):
            return
        if report.final_only and any(one.kind == "flow" for one in self._log.for_flow(flow.id)):
            return  # what becomes of a message after that is no completion
        record = _new(flow, report.kind, report.url, payloads.status_payload(flow, event.state), event.at)
        self._script(flow, record, last=report.final_only or flow.timeline.next_change_at(event.at) is None)

    def _script(self, flow: AcceptedFlow, record: CallbackRecord, *, last: bool) -> None:
        """Do with a callback what a rule says: nothing more than posting it, for most."""
        script = flow.callback_script
        if script.drop:
            self._keep(flow, attrs.evolve(record, state="dropped"))
            return
        if script.order == "as-is":
            due = [record]
        else:  # they can change places once all of them are known
            self._keep(flow, record)
            held = self._held.setdefault(flow.id, [])
            held.append(record.id)
            if not last:
                return
            known = (self._log.find(callback_id) for callback_id in reversed(held))
            due = [one for one in known if one is not None]
            del self._held[flow.id]
        due = [copy for one in due for copy in (one, *(_copy(one) for _ in range(script.repeat - 1)))]
        if script.order == "shuffled":
            random.Random(flow.number).shuffle(due)  # noqa: S311  # the same each time
        for one in due:
            self._schedule(flow, one, record.due_at + script.delay)

    def _schedule(self, flow: AcceptedFlow, record: CallbackRecord, due: float) -> CallbackRecord:
        return self._again(flow, attrs.evolve(record, due_at=due), due)

    def _again(self, flow: AcceptedFlow, record: CallbackRecord, due: float) -> CallbackRecord:
        """Begin with the first attempt, whatever there was before."""
        return self._put_down(
            flow, attrs.evolve(record, state="pending", retries_from=due, retry_count=0, next_at=due), due
        )

    def _put_down(self, flow: AcceptedFlow, record: CallbackRecord, due: float) -> CallbackRecord:
        self._keep(flow, record)
        self._plan(flow, record.id, due)
        return record

    def _plan(self, flow: AcceptedFlow, callback_id: str, due: float) -> None:
        at = flow.accepted_at + due
        if due <= self._lifecycle.elapsed(flow):
            at = min(at, self._clock.now())  # a sum of two floats may lie a hair later, where no standing clock comes
        self._scheduler.call_at(at, partial(self._try, callback_id, due), callback_id)

    def _keep(self, flow: AcceptedFlow, record: CallbackRecord) -> None:
        self._log.put(record)
        self._event_bus.publish(CallbackUpdated(flow, record))

    def _try(self, callback_id: str, due: float, _now: float) -> Coroutine[Any, Any, None] | None:
        record = self._log.find(callback_id)
        if record is None or record.next_at != due:  # forgotten, or called back again since then
            return None
        self._log.mark_attempt_started(attrs.evolve(record, next_at=None))
        return self._attempt(callback_id, record.flow_id)

    async def _attempt(self, callback_id: str, flow_id: str) -> None:
        async with self._flow_semaphore.acquire(flow_id):
            record, flow = self._log.find(callback_id), self._flow_store.find(flow_id)
            if record is None or flow is None:  # forgotten while it waited for its turn
                return
            at = round(self._lifecycle.elapsed(flow), 6)
            answer = await self._poster.post(record.url, record.payload.encode())
            self._tried(callback_id, at, answer)

    def _tried(self, callback_id: str, at: float, answer: PostResult) -> None:
        record = self._log.find(callback_id)
        flow = None if record is None else self._flow_store.find(record.flow_id)
        if record is None or flow is None:
            return
        attempt = CallbackAttempt(at=at, duration_ms=answer.duration_ms, status=answer.status, error=answer.error)
        record = attrs.evolve(record, attempts=(*record.attempts, attempt)[-MAX_RECORDED_ATTEMPTS:])
        if record.next_at is not None:  # called back again meanwhile
            self._keep(flow, record)
        elif answer.error is None:
            self._keep(flow, attrs.evolve(record, state="delivered"))
        elif record.retry_count == len(RETRY_SCHEDULE):
            self._keep(flow, attrs.evolve(record, state="given up"))
        else:
            due = record.retries_from + RETRY_SCHEDULE[record.retry_count]
            self._put_down(flow, attrs.evolve(record, retry_count=record.retry_count + 1, next_at=due), due)


def _new(flow: AcceptedFlow, kind: CallbackKind, url: str, content: str, at: float) -> CallbackRecord:
    return CallbackRecord(id=str(uuid.uuid4()), flow_id=flow.id, kind=kind, url=url, payload=content, due_at=at)


def _copy(record: CallbackRecord) -> CallbackRecord:
    return attrs.evolve(record, id=str(uuid.uuid4()))
