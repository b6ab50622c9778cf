"""Follows every flow through its life: at each moment of its time line, what became of it is published.

The engine knows the whole line from the start and the agenda knows when its next moment is due; nothing else is kept.
"""

from functools import partial

import attrs

from .event_bus import EventBus, FlowAccepted, FlowChanged, FlowsCleared
from .flow_store import AcceptedFlow, FlowStore
from .outcomes import ScriptedOutcome
from .scheduler import Scheduler
from .step_plan import PlannedStep, SendEndpoint
from .timeline import ForcedOutcome, SimulatedFlowState
from .virtual_clock import VirtualClock, round_to_microseconds

ACTION_OUTCOMES: dict[str, ScriptedOutcome] = {
    "deliver": ScriptedOutcome.DELIVERED,
    "seen": ScriptedOutcome.SEEN,
    "fail": ScriptedOutcome.FAILED,
    "expire": ScriptedOutcome.EXPIRED,
}
"""What can be done to a message by hand, and how it ends then."""


class ActionConflict(Exception):  # a sentence, like the errors of the whole library
    """The message can no longer take this turn, or was not sent yet."""


@attrs.frozen
class FlowSnapshot:
    """A flow and how it stands at one moment."""

    flow: AcceptedFlow
    state: SimulatedFlowState
    elapsed: float
    """Virtual seconds since it was accepted."""

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Its steps in the order of trying."""
        return self.flow.steps

    @property
    def endpoint(self) -> SendEndpoint:
        """Where it was sent."""
        return SendEndpoint(self.flow.endpoint)

    def message_id(self, position: int) -> str:
        """Routee's id of the message of a step; a Viber OTP is a message and a flow at once."""
        return self.flow.id if self.endpoint is SendEndpoint.VIBER_OTP else self.flow.message_ids[position]


@attrs.frozen
class FlowLifecycle:
    """The flows on their way."""

    clock: VirtualClock
    scheduler: Scheduler
    flow_store: FlowStore
    event_bus: EventBus

    def start(self, flow: AcceptedFlow) -> None:
        """Take a flow into the book and follow it from now on."""
        self.flow_store.add(flow)
        self.event_bus.publish(FlowAccepted(flow, flow.timeline.state_at(0.0)))
        self.schedule_next(flow, _first_told(flow))

    def restore(self, published_until: float) -> None:
        """Follow the flows of a book that was kept; all that became of them until the moment `done` was published."""
        # Of two that were kept together, a flow may be a little younger than the clock: what was due was not done yet.
        self.clock.advance_to(max((flow.accepted_at for flow in self.flow_store), default=0.0))
        for flow in self.flow_store:
            after = round_to_microseconds(published_until - flow.accepted_at)
            self.schedule_next(flow, after if after >= 0 else _first_told(flow))

    def schedule_next(self, flow: AcceptedFlow, after: float) -> None:
        """Publish what becomes of the flow later than `after`, in virtual seconds since it was accepted."""
        moment = flow.timeline.next_change_at(after)
        if moment is not None:
            reached = partial(self._reached, flow.id, len(flow.forced_outcomes), moment)
            self.scheduler.call_at(flow.accepted_at + moment, reached, flow.id)

    def _reached(self, flow_id: str, forced: int, moment: float, _due: float) -> None:
        flow = self.flow_store.find(flow_id)
        if flow is None or len(flow.forced_outcomes) != forced:  # forgotten, or on another way since then
            return
        self.event_bus.publish(FlowChanged(flow, moment, flow.timeline.state_at(moment)))
        self.schedule_next(flow, moment)

    def snapshot(self, flow: AcceptedFlow) -> FlowSnapshot:
        """A flow and how it stands now."""
        elapsed = self.elapsed(flow)
        return FlowSnapshot(flow, flow.timeline.state_at(elapsed), elapsed)

    def elapsed(self, flow: AcceptedFlow) -> float:
        """The virtual seconds since a flow was accepted."""
        return round_to_microseconds(self.clock.now() - flow.accepted_at)

    def latest_position(self, flow: AcceptedFlow) -> int:
        """The step whose message was sent last. Raises `ActionConflict` when none was."""
        messages = self.snapshot(flow).state.messages
        if not messages:
            raise ActionConflict("The flow has sent no message yet")
        return messages[-1].position

    def force_outcome(self, flow: AcceptedFlow, position: int, outcome: ScriptedOutcome) -> AcceptedFlow:
        """Have a message end like this now, whatever was scripted. Raises `ActionConflict` when it cannot."""
        self.scheduler.run_due_jobs()  # what was due before is told before
        known = self.flow_store.find(flow.id)
        if known is None:
            raise ActionConflict("The flow was forgotten")
        flow = known
        elapsed = self.elapsed(flow)
        message = next((one for one in flow.timeline.state_at(elapsed).messages if one.position == position), None)
        if message is None:
            raise ActionConflict("This step was not sent yet")
        if outcome not in message.possible_outcomes(elapsed, flow.steps[position].step):
            raise ActionConflict(
                f"The message is {message.status_at(elapsed).name}: it can no longer be made to end like this"
            )
        changed = attrs.evolve(flow, forced_outcomes=(*flow.forced_outcomes, ForcedOutcome(position, elapsed, outcome)))
        self.flow_store.replace(changed)
        self.event_bus.publish(FlowChanged(changed, elapsed, changed.timeline.state_at(elapsed)))
        self.schedule_next(changed, elapsed)
        return changed

    def clear(self) -> None:
        """Forget every flow."""
        self.flow_store.clear()
        self.scheduler.clear()
        self.event_bus.publish(FlowsCleared())


def _first_told(flow: AcceptedFlow) -> float:
    """After which moment a new flow is followed: its first is told as it is taken, but not the end of one that ends."""
    return 0.0 if flow.timeline.ended_at > 0 else -1.0
