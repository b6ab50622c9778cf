"""Follows every flow through its life: at each moment of its time line, what became of it is published.

The engine knows the whole line from the start and the agenda knows when its next moment is due; nothing else is kept.
"""

from functools import partial

import attrs

from .agenda import Agenda
from .book import AcceptedFlow, FlowBook
from .clock import VirtualClock
from .engine import FlowState, Forced, TimeLine
from .feed import Cleared, Feed, FlowAccepted, FlowChanged
from .plan import Endpoint, PlannedStep, planned_steps, time_line
from .scripts import Ending


class CannotAct(Exception):  # a sentence, like the errors of the whole library
    """The message can no longer take this turn, or was not sent yet."""


@attrs.frozen
class Standing:
    """A flow and how it stands at one moment."""

    flow: AcceptedFlow
    steps: tuple[PlannedStep, ...]
    state: FlowState
    elapsed: float
    """Virtual seconds since it was accepted."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it was sent."""
        return Endpoint(self.flow.endpoint)

    def message_id(self, position: int) -> str:
        """Routee's id of the message of a step; a Viber OTP is a message and a flow at once."""
        return self.flow.id if self.endpoint is Endpoint.VIBER_OTP else self.flow.message_ids[position]


@attrs.frozen
class Journeys:
    """The flows on their way."""

    clock: VirtualClock
    agenda: Agenda
    book: FlowBook
    feed: Feed

    def start(self, flow: AcceptedFlow) -> None:
        """Take a flow into the book and follow it from now on."""
        self.book.add(flow)
        _, line = _line(flow)
        self.feed.publish(FlowAccepted(flow, line.state(0.0)))
        self._follow(flow, line, 0.0)

    def follow(self, flow: AcceptedFlow, after: float) -> None:
        """Publish what becomes of the flow later than `after`, in virtual seconds since it was accepted."""
        self._follow(flow, _line(flow)[1], after)

    def _follow(self, flow: AcceptedFlow, line: TimeLine, after: float) -> None:
        moment = line.next_moment(after)
        if moment is not None:
            self.agenda.at(flow.accepted_at + moment, partial(self._reached, flow.id, len(flow.forced), moment))

    def _reached(self, flow_id: str, forced: int, moment: float, _due: float) -> None:
        flow = self.book.find(flow_id)
        if flow is None or len(flow.forced) != forced:  # forgotten, or on another way since then
            return
        _, line = _line(flow)
        self.feed.publish(FlowChanged(flow, moment, line.state(moment)))
        self._follow(flow, line, moment)

    def state(self, flow: AcceptedFlow) -> tuple[tuple[PlannedStep, ...], FlowState]:
        """The steps of a flow and how it stands now."""
        standing = self.standing(flow)
        return standing.steps, standing.state

    def standing(self, flow: AcceptedFlow) -> Standing:
        """A flow, its steps, and how it stands now."""
        steps, line = _line(flow)
        elapsed = self.elapsed(flow)
        return Standing(flow, steps, line.state(elapsed), elapsed)

    def elapsed(self, flow: AcceptedFlow) -> float:
        """The virtual seconds since a flow was accepted."""
        return self.clock.now() - flow.accepted_at

    def act(self, flow: AcceptedFlow, position: int, ending: Ending) -> AcceptedFlow:
        """Have a message end like this now, whatever was scripted. Raises `CannotAct` when it cannot."""
        elapsed = self.elapsed(flow)
        steps, line = _line(flow)
        message = next((one for one in line.state(elapsed).messages if one.position == position), None)
        if message is None or ending not in message.open_endings(elapsed, steps[position].step):
            raise CannotAct
        changed = attrs.evolve(flow, forced=(*flow.forced, Forced(position, elapsed, ending)))
        self.book.replace(changed)
        _, line = _line(changed)
        self.feed.publish(FlowChanged(changed, elapsed, line.state(elapsed)))
        self._follow(changed, line, elapsed)
        return changed

    def clear(self) -> None:
        """Forget every flow."""
        self.book.clear()
        self.agenda.clear()
        self.feed.publish(Cleared())


def _line(flow: AcceptedFlow) -> tuple[tuple[PlannedStep, ...], TimeLine]:
    endpoint = Endpoint(flow.endpoint)
    steps = planned_steps(endpoint, flow.body, flow.scripts)
    return steps, time_line(endpoint, steps, flow.forced)
