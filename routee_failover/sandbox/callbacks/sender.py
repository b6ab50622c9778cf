"""The callbacks of all flows: posted when something becomes of a flow, and repeated until they are answered.

The agenda knows when each is due, on the virtual clock; the poster makes the attempts, in real time.
"""

import random
import uuid
from collections.abc import Coroutine
from functools import partial
from typing import Any

import attrs

from ..life.book import AcceptedFlow
from ..life.feed import CallbackTried, Cleared, Event, FlowChanged
from ..life.journeys import CannotAct, Journeys
from ..store.store import Store
from . import messages
from .log import CallbackLog
from .posting import Answer, Poster
from .records import CallbackAttempt, CallbackRecord, Kind
from .turns import Turns

_MINUTE, _HOUR = 60.0, 3600.0
RETRIES = (30.0, *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)), *(n * _HOUR for n in (1, 2, 4, 8, 24)))
"""When a callback that was not answered is posted again, in virtual seconds since it was due.

Routee's other pages speak of "12 retries / 24 h" and list these. INF: they are times since the first attempt, for as
intervals they would last 40 hours; and they hold for failover and OTP flows too, whose pages say nothing.
"""

MOST_ATTEMPTS = 100
"""A callback that is called back by hand again and again keeps its newest attempts."""


class Callbacks:
    """Posts what flows report, keeps every attempt on record, and posts again what was not answered.

    The callbacks of one flow are posted one after the other, so that they arrive in the order in which they were due.
    """

    def __init__(self, journeys: Journeys) -> None:
        self._journeys = journeys
        self._clock, self._agenda = journeys.clock, journeys.agenda
        self._book, self._feed = journeys.book, journeys.feed
        self._log = CallbackLog(when_dropped=journeys.agenda.forget)
        self._poster = Poster()
        self._of_flow = Turns(1)
        self._held: dict[str, list[str]] = {}
        self._feed.listen(self._heard)
        self._book.when_forgotten(self._forget)

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

        Raises `CannotAct` when there is no such message, when it was not delivered, or has no `inboundUrl`.
        """
        elapsed = self._journeys.elapsed(flow)
        url, content = messages.inbound(flow, position, elapsed, text, media=media, filename=filename)
        record = _new(flow, "inbound", url, content, elapsed)
        return self._schedule(flow, record, elapsed)

    def redeliver(self, callback_id: str) -> CallbackRecord:
        """Post a callback again now, whatever came of it; the retries start anew. Raises `CannotAct` when it is unknown
        or forgotten.
        """  # noqa: D205
        record = self._log.find(callback_id)
        flow = None if record is None else self._book.find(record.flow_id)
        if record is None or flow is None:
            raise CannotAct("there is no such callback")
        return self._again(flow, record, self._journeys.elapsed(flow))

    def keep_in(self, store: Store) -> None:
        """Go on with the callbacks that a store has from before, and keep all of them there from now on.

        What waits is posted in its time, and what was under way at once. Those of flows that are not in the book are
        forgotten.
        """
        self._held.clear()
        for record, flow in self._log.keep_in(store, self._book.find):
            self._take_up(flow, record)

    def _take_up(self, flow: AcceptedFlow, record: CallbackRecord) -> None:
        if record.state != "waiting":
            return
        elapsed = self._journeys.elapsed(flow)
        if record.next_at is not None:
            self._plan(flow, record.id, record.next_at)
        elif flow.callback_script.order != "as-is" and flow.line.next_moment(elapsed) is not None:
            self._held.setdefault(flow.id, []).append(record.id)  # it waits for the others
        else:
            self._put_down(flow, attrs.evolve(record, next_at=elapsed), elapsed)

    async def close(self) -> None:
        """Close the connections to receivers."""
        await self._poster.close()

    def _heard(self, event: Event) -> None:
        match event:
            case FlowChanged(flow=flow) if "callback" in flow.body:
                self._changed(event)
            case Cleared():
                self._log.clear()
                self._held.clear()
            case _:
                pass

    def _forget(self, flow: AcceptedFlow) -> None:
        self._log.forget(flow.id)
        self._held.pop(flow.id, None)

    def _changed(self, event: FlowChanged) -> None:
        flow, report = event.flow, messages.report_of(event.flow)
        if report is None or not report.wants(event.state):
            return
        if report.only_final and any(one.kind == "flow" for one in self._log.of(flow.id)):
            return  # what becomes of a message after that is no completion
        record = _new(flow, report.kind, report.url, messages.tracking(flow, event.state), event.at)
        self._script(flow, record, last=report.only_final or flow.line.next_moment(event.at) is None)

    def _script(self, flow: AcceptedFlow, record: CallbackRecord, *, last: bool) -> None:
        """Do with a callback what a rule says: nothing more than posting it, for most."""
        script = flow.callback_script
        if script.lose:
            self._keep(flow, attrs.evolve(record, state="lost"))
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
        return self._put_down(flow, attrs.evolve(record, state="waiting", since=due, retried=0, next_at=due), due)

    def _put_down(self, flow: AcceptedFlow, record: CallbackRecord, due: float) -> CallbackRecord:
        self._keep(flow, record)
        self._plan(flow, record.id, due)
        return record

    def _plan(self, flow: AcceptedFlow, callback_id: str, due: float) -> None:
        at = flow.accepted_at + due
        if due <= self._journeys.elapsed(flow):
            at = min(at, self._clock.now())  # a sum of two floats may lie a hair later, where no standing clock comes
        self._agenda.at(at, partial(self._try, callback_id, due), callback_id)

    def _keep(self, flow: AcceptedFlow, record: CallbackRecord) -> None:
        self._log.put(record)
        self._feed.publish(CallbackTried(flow, record))

    def _try(self, callback_id: str, due: float, _now: float) -> Coroutine[Any, Any, None] | None:
        record = self._log.find(callback_id)
        if record is None or record.next_at != due:  # forgotten, or called back again since then
            return None
        self._log.begin(attrs.evolve(record, next_at=None))
        return self._attempt(callback_id, record.flow_id)

    async def _attempt(self, callback_id: str, flow_id: str) -> None:
        async with self._of_flow.turn(flow_id):
            record, flow = self._log.find(callback_id), self._book.find(flow_id)
            if record is None or flow is None:  # forgotten while it waited for its turn
                return
            at = round(self._journeys.elapsed(flow), 6)
            answer = await self._poster.post(record.url, record.content.encode())
            self._tried(callback_id, at, answer)

    def _tried(self, callback_id: str, at: float, answer: Answer) -> None:
        record = self._log.find(callback_id)
        flow = None if record is None else self._book.find(record.flow_id)
        if record is None or flow is None:
            return
        attempt = CallbackAttempt(at=at, took=answer.took, status=answer.status, error=answer.error)
        record = attrs.evolve(record, attempts=(*record.attempts, attempt)[-MOST_ATTEMPTS:])
        if record.next_at is not None:  # called back again meanwhile
            self._keep(flow, record)
        elif answer.error is None:
            self._keep(flow, attrs.evolve(record, state="delivered"))
        elif record.retried == len(RETRIES):
            self._keep(flow, attrs.evolve(record, state="given up"))
        else:
            due = record.since + RETRIES[record.retried]
            self._put_down(flow, attrs.evolve(record, retried=record.retried + 1, next_at=due), due)


def _new(flow: AcceptedFlow, kind: Kind, url: str, content: str, at: float) -> CallbackRecord:
    return CallbackRecord(id=str(uuid.uuid4()), flow_id=flow.id, kind=kind, url=url, content=content, due_at=at)


def _copy(record: CallbackRecord) -> CallbackRecord:
    return attrs.evolve(record, id=str(uuid.uuid4()))
