"""Lifecycle of the flows: publishes every status change of a flow when the virtual clock reaches it.

The timeline of a flow is known in full from the start, and the scheduler holds a job for its next change only; there is
no other state.
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
"""Actions on a message, with the outcome that each forces."""


class ActionConflict(Exception):  # no `Error` in the name, like the other errors of this library
    """The action is not possible in the current state, as for a message that was not sent yet or has already ended."""


@attrs.frozen
class FlowSnapshot:
    """Snapshot of a flow: its state at one time."""

    flow: AcceptedFlow
    state: SimulatedFlowState
    elapsed: float
    """Virtual seconds since it was accepted."""

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Its steps in the order in which they are attempted."""
        return self.flow.steps

    @property
    def endpoint(self) -> SendEndpoint:
        """Endpoint that it was sent to."""
        return SendEndpoint(self.flow.endpoint)

    def message_id(self, position: int) -> str:
        """Return Routee's id of the message of a step; a Viber OTP is message and flow in one, with one id."""
        return self.flow.id if self.endpoint is SendEndpoint.VIBER_OTP else self.flow.message_ids[position]


@attrs.frozen
class FlowLifecycle:
    """Moves the flows along their timelines: starts them, publishes their changes, forces outcomes."""

    clock: VirtualClock
    scheduler: Scheduler
    flow_store: FlowStore
    event_bus: EventBus

    def start(self, flow: AcceptedFlow) -> None:
        """Add a flow to the store and publish its changes from now on."""
        self.flow_store.add(flow)
        self.event_bus.publish(FlowAccepted(flow, flow.timeline.state_at(0.0)))
        self.schedule_next(flow, _initially_published_until(flow))

    def restore(self, published_until: float) -> None:
        """Continue the stored flows; their changes up to the virtual time `published_until` have been published."""
        # Flow and clock are saved together, but the saved clock may be a little behind the newest flow: it stops before
        # the first job that was still due.
        self.clock.advance_to(max((flow.accepted_at for flow in self.flow_store), default=0.0))
        for flow in self.flow_store:
            after = round_to_microseconds(published_until - flow.accepted_at)
            self.schedule_next(flow, after if after >= 0 else _initially_published_until(flow))

    def schedule_next(self, flow: AcceptedFlow, after: float) -> None:
        """Schedule the first change of the flow later than `after`, in virtual seconds since it was accepted."""
        change_at = flow.timeline.next_change_at(after)
        if change_at is not None:
            publish_change = partial(self._publish_change, flow.id, len(flow.forced_outcomes), change_at)
            self.scheduler.call_at(flow.accepted_at + change_at, publish_change, flow.id)

    def _publish_change(self, flow_id: str, forced_count: int, change_at: float, _due_at: float) -> None:
        flow = self.flow_store.find(flow_id)
        if flow is None or len(flow.forced_outcomes) != forced_count:  # deleted, or on another timeline since then
            return
        self.event_bus.publish(FlowChanged(flow, change_at, flow.timeline.state_at(change_at)))
        self.schedule_next(flow, change_at)

    def snapshot(self, flow: AcceptedFlow) -> FlowSnapshot:
        """Return the flow with its current state."""
        elapsed = self.elapsed(flow)
        return FlowSnapshot(flow, flow.timeline.state_at(elapsed), elapsed)

    def elapsed(self, flow: AcceptedFlow) -> float:
        """Return the virtual seconds since the flow was accepted."""
        return round_to_microseconds(self.clock.now() - flow.accepted_at)

    def latest_position(self, flow: AcceptedFlow) -> int:
        """Return the position of the step whose message was sent last. Raises `ActionConflict` when none was sent."""
        messages = self.snapshot(flow).state.messages
        if not messages:
            raise ActionConflict("The flow has sent no message yet")
        return messages[-1].position

    def force_outcome(self, flow: AcceptedFlow, position: int, outcome: ScriptedOutcome) -> AcceptedFlow:
        """Make a message end with this outcome now, whatever was scripted, and return the changed flow.

        Raises `ActionConflict` when the flow is gone, when the message was not sent yet, and when it can no longer end
        like this.
        """
        # 1. Publish the changes that were due before this one.
        self.scheduler.run_due_jobs()
        stored = self.flow_store.find(flow.id)
        if stored is None:
            raise ActionConflict("The flow was deleted")
        flow = stored
        # 2. Check that the message was sent and can still reach the outcome.
        elapsed = self.elapsed(flow)
        message = next((sent for sent in flow.timeline.state_at(elapsed).messages if sent.position == position), None)
        if message is None:
            raise ActionConflict("This step was not sent yet")
        if outcome not in message.possible_outcomes(elapsed, flow.steps[position].step):
            raise ActionConflict(
                f"The message is {message.status_at(elapsed).name}: it can no longer be made to end like this"
            )
        # 3. Store the flow with its new timeline, publish the change, and continue from there.
        changed = attrs.evolve(flow, forced_outcomes=(*flow.forced_outcomes, ForcedOutcome(position, elapsed, outcome)))
        self.flow_store.replace(changed)
        self.event_bus.publish(FlowChanged(changed, elapsed, changed.timeline.state_at(elapsed)))
        self.schedule_next(changed, elapsed)
        return changed

    def clear(self) -> None:
        """Delete every flow, and cancel what was scheduled for them."""
        self.flow_store.clear()
        self.scheduler.clear()
        self.event_bus.publish(FlowsCleared())


def _initially_published_until(flow: AcceptedFlow) -> float:
    """Return the time up to which `FlowAccepted` covers a new flow: 0, or -1 if it ends at 0, which is a change."""
    return 0.0 if flow.timeline.ended_at > 0 else -1.0
