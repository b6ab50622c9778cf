"""The flows that the sandbox took, the newest `max_flows` of them: an endless sender does not fill the memory."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import attrs

from ..store.base import MemoryStore, Store
from .outcomes import ScriptedCallbacks, ScriptedMessage
from .recipients import flow_recipients
from .step_plan import PlannedStep, SendEndpoint, plan_steps, plan_timeline
from .timeline import FlowTimeline, ForcedOutcome

_FLOW, _NUMBERING = "flow", "numbering"


@attrs.frozen(kw_only=True)
class AcceptedFlow:
    """A flow that the sandbox accepted. Its `repr` shows no body: a PIN may be in it."""

    endpoint: str
    """Where it was sent: `standard`, `transactional`, `otp` or `viber-otp`."""
    id: str
    """The trackingId or flowId that the sender was given."""
    created_at: datetime
    """When it was accepted (UTC, in real time)."""
    number: int
    """Its place among all the flows that this sandbox accepted, counted from 1."""
    body: Mapping[str, Any] = attrs.field(repr=False)
    """The request as it came."""
    accepted_at: float = attrs.field(repr=False)
    """When it was accepted, in seconds of the virtual clock."""
    message_ids: tuple[str, ...] = attrs.field(repr=False)
    """The ids of its messages in the order of trying; those of messages never sent stay unused."""
    scripts: tuple[ScriptedMessage | None, ...] = attrs.field(default=(), repr=False)
    """What rules had to say about its steps in the order of trying; without it, the recipients' digits decide."""
    forced_outcomes: tuple[ForcedOutcome, ...] = attrs.field(default=(), repr=False)
    """What was done to its messages by hand."""
    callback_script: ScriptedCallbacks = attrs.field(default=ScriptedCallbacks(), repr=False)
    """What a rule had to say about its callbacks; without one they are sent as documented."""

    # What follows is read at every moment of the flow's life, and by every search.

    @cached_property
    def to(self) -> tuple[str, ...]:
        """Everybody whom it names, each once, with a plus."""
        return flow_recipients(self.endpoint, self.body)

    @cached_property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Its steps in the order of trying, with what was scripted for them."""
        return plan_steps(SendEndpoint(self.endpoint), self.body, self.scripts)

    @cached_property
    def timeline(self) -> FlowTimeline:
        """Everything that will become of it, as things stand."""
        return plan_timeline(SendEndpoint(self.endpoint), self.steps, self.forced_outcomes)


class FlowStore:
    """Accepted flows by id and by message id, oldest first."""

    def __init__(self, max_flows: int) -> None:
        if max_flows < 1:
            raise ValueError("max_flows must be at least 1: how many flows are remembered")
        self._max_flows = max_flows
        self._flows: OrderedDict[str, AcceptedFlow] = OrderedDict()
        self._by_message: dict[str, AcceptedFlow] = {}
        self._last_number = 0
        self._store: Store = MemoryStore()
        self._on_evicted: list[Callable[[AcceptedFlow], None]] = []

    def attach_store(self, store: Store) -> None:
        """Go on with the flows that a store has from before, and keep all of them there from now on."""
        self._store = store
        self._flows.clear()
        self._by_message.clear()
        self._last_number = max(store.load(_NUMBERING, int), default=0)
        for flow in store.load(_FLOW, AcceptedFlow):
            self._last_number = max(self._last_number, flow.number)
            self._remember(flow)

    def on_evicted(self, callback: Callable[[AcceptedFlow], None]) -> None:
        """Call this with every flow that is forgotten because there are too many."""
        self._on_evicted.append(callback)

    def next_number(self) -> int:
        """The number of the next flow: it counts on when flows are forgotten, and after the sandbox was off."""
        self._last_number += 1
        return self._last_number

    def add(self, flow: AcceptedFlow) -> None:
        """Remember a flow; the oldest one is forgotten when there are too many."""
        self._store.save(_FLOW, flow.id, flow)
        self._remember(flow)

    def _remember(self, flow: AcceptedFlow) -> None:
        self._flows[flow.id] = flow
        self._by_message.update(dict.fromkeys(flow.message_ids, flow))
        if len(self._flows) > self._max_flows:
            _, oldest = self._flows.popitem(last=False)
            for message_id in oldest.message_ids:
                del self._by_message[message_id]
            self._store.delete(_FLOW, oldest.id)
            for do in self._on_evicted:
                do(oldest)

    def replace(self, flow: AcceptedFlow) -> None:
        """Put a flow that was changed in the place of what it was."""
        self._store.save(_FLOW, flow.id, flow)
        self._flows[flow.id] = flow
        self._by_message.update(dict.fromkeys(flow.message_ids, flow))

    def clear(self) -> None:
        """Forget every flow; the next one has a number of its own all the same."""
        self._store.save(_NUMBERING, "", self._last_number)
        self._store.clear(_FLOW)
        self._flows.clear()
        self._by_message.clear()

    def find(self, flow_id: str) -> AcceptedFlow | None:
        """The flow of this id, wherever it was sent."""
        return self._flows.get(flow_id)

    def get(self, flow_id: str, *endpoints: SendEndpoint) -> AcceptedFlow | None:
        """The flow of this id, if it was sent to one of these endpoints."""
        flow = self._flows.get(flow_id)
        return flow if flow is not None and flow.endpoint in endpoints else None

    def find_by_message(self, message_id: str, endpoint: SendEndpoint) -> AcceptedFlow | None:
        """The flow that one of whose messages has this id, if it was sent to this endpoint."""
        flow = self._by_message.get(message_id)
        return flow if flow is not None and flow.endpoint == endpoint else None

    def for_endpoints(self, *endpoints: SendEndpoint) -> Iterator[AcceptedFlow]:
        """The flows that were sent to these endpoints, oldest first."""
        return (flow for flow in self._flows.values() if flow.endpoint in endpoints)

    def newest_first(self) -> Iterator[AcceptedFlow]:
        """The flows, from the newest to the oldest."""
        return reversed(self._flows.values())

    def __len__(self) -> int:
        return len(self._flows)

    def __iter__(self) -> Iterator[AcceptedFlow]:
        return iter(self._flows.values())
