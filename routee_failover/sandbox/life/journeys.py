"""Follows every flow through its life: at each moment of its time line, what became of it is published.

The engine knows the whole line from the start and the agenda knows when its next moment is due; nothing else is kept.
"""

from functools import partial

import attrs

from .agenda import Agenda
from .book import AcceptedFlow, FlowBook
from .clock import VirtualClock, exact
from .engine import FlowState, Forced
from .feed import Cleared, Feed, FlowAccepted, FlowChanged
from .plan import Endpoint, PlannedStep
from .scripts import Ending

ACTIONS: dict[str, Ending] = {
    "deliver": Ending.DELIVERED,
    "seen": Ending.SEEN,
    "fail": Ending.FAILED,
    "expire": Ending.EXPIRED,
}
"""What can be done to a message by hand, and how it ends then."""


class CannotAct(Exception):  # a sentence, like the errors of the whole library
    """The message can no longer take this turn, or was not sent yet."""


@attrs.frozen
class Standing:
    """A flow and how it stands at one moment."""

    flow: AcceptedFlow
    state: FlowState
    elapsed: float
    """Virtual seconds since it was accepted."""

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Its steps in the order of trying."""
        return self.flow.steps

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
        self.feed.publish(FlowAccepted(flow, flow.line.state(0.0)))
        self.follow(flow, _first_told(flow))

    def resume(self, done: float) -> None:
        """Follow the flows of a book that was kept; all that became of them until the moment `done` was published."""
        # Of two that were kept together, a flow may be a little younger than the clock: what was due was not done yet.
        self.clock.advance_to(max((flow.accepted_at for flow in self.book), default=0.0))
        for flow in self.book:
            after = exact(done - flow.accepted_at)
            self.follow(flow, after if after >= 0 else _first_told(flow))

    def follow(self, flow: AcceptedFlow, after: float) -> None:
        """Publish what becomes of the flow later than `after`, in virtual seconds since it was accepted."""
        moment = flow.line.next_moment(after)
        if moment is not None:
            reached = partial(self._reached, flow.id, len(flow.forced), moment)
            self.agenda.at(flow.accepted_at + moment, reached, flow.id)

    def _reached(self, flow_id: str, forced: int, moment: float, _due: float) -> None:
        flow = self.book.find(flow_id)
        if flow is None or len(flow.forced) != forced:  # forgotten, or on another way since then
            return
        self.feed.publish(FlowChanged(flow, moment, flow.line.state(moment)))
        self.follow(flow, moment)

    def standing(self, flow: AcceptedFlow) -> Standing:
        """A flow and how it stands now."""
        elapsed = self.elapsed(flow)
        return Standing(flow, flow.line.state(elapsed), elapsed)

    def elapsed(self, flow: AcceptedFlow) -> float:
        """The virtual seconds since a flow was accepted."""
        return exact(self.clock.now() - flow.accepted_at)

    def latest(self, flow: AcceptedFlow) -> int:
        """The step whose message was sent last. Raises `CannotAct` when none was."""
        messages = self.standing(flow).state.messages
        if not messages:
            raise CannotAct("The flow has sent no message yet")
        return messages[-1].position

    def act(self, flow: AcceptedFlow, position: int, ending: Ending) -> AcceptedFlow:
        """Have a message end like this now, whatever was scripted. Raises `CannotAct` when it cannot."""
        self.agenda.catch_up()  # what was due before is told before
        known = self.book.find(flow.id)
        if known is None:
            raise CannotAct("The flow was forgotten")
        flow = known
        elapsed = self.elapsed(flow)
        message = next((one for one in flow.line.state(elapsed).messages if one.position == position), None)
        if message is None:
            raise CannotAct("This step was not sent yet")
        if ending not in message.open_endings(elapsed, flow.steps[position].step):
            raise CannotAct(f"The message is {message.status(elapsed).name}: it can no longer be made to end like this")
        changed = attrs.evolve(flow, forced=(*flow.forced, Forced(position, elapsed, ending)))
        self.book.replace(changed)
        self.feed.publish(FlowChanged(changed, elapsed, changed.line.state(elapsed)))
        self.follow(changed, elapsed)
        return changed

    def clear(self) -> None:
        """Forget every flow."""
        self.book.clear()
        self.agenda.clear()
        self.feed.publish(Cleared())


def _first_told(flow: AcceptedFlow) -> float:
    """After which moment a new flow is followed: its first is told as it is taken, but not the end of one that ends."""
    return 0.0 if flow.line.ended_at > 0 else -1.0
