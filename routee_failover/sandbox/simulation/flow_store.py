"""Store of the accepted flows: the newest `max_flows` of them, so that an endless sender does not fill the memory."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import attrs

from ..store.base import MemoryStore, Store
from .flow_plan import PlannedStep, SendEndpoint, plan_steps, plan_timeline
from .number_normalization import flow_recipients
from .scripted_outcomes import ScriptedCallbacks, ScriptedMessage
from .timeline import FlowTimeline, ForcedOutcome

_FLOW, _LAST_FLOW_NUMBER = "flow", "last_flow_number"


@attrs.frozen(kw_only=True)
class AcceptedFlow:
    """A flow that the sandbox accepted. Its `repr` omits the body, which may contain a PIN."""

    endpoint: str
    """Endpoint that it was sent to: `standard`, `transactional`, `otp` or `viber-otp`."""
    id: str
    """The trackingId or flowId that the sender received."""
    created_at: datetime
    """When it was accepted (UTC, in real time)."""
    number: int
    """Sequence number among all flows that this sandbox accepted, from 1."""
    body: Mapping[str, Any] = attrs.field(repr=False)
    """Body of the send request, unchanged."""
    accepted_at: float = attrs.field(repr=False)
    """When it was accepted, in seconds of the virtual clock."""
    message_ids: tuple[str, ...] = attrs.field(repr=False)
    """Ids of its messages, in step order; those of messages that are never sent stay unused."""
    scripts: tuple[ScriptedMessage | None, ...] = attrs.field(default=(), repr=False)
    """Scripts that rules gave its steps, in step order; where there is none, the digits of the recipient decide."""
    forced_outcomes: tuple[ForcedOutcome, ...] = attrs.field(default=(), repr=False)
    """Outcomes that were forced on its messages by hand."""
    callback_script: ScriptedCallbacks = attrs.field(default=ScriptedCallbacks(), repr=False)
    """Script that a rule gave its callbacks; without one they are posted as documented."""

    # Cached, because every status change of the flow and every search reads these.

    @cached_property
    def to(self) -> tuple[str, ...]:
        """All its recipients, each once, with a plus."""
        return flow_recipients(self.endpoint, self.body)

    @cached_property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Its steps in the order in which they are attempted, with their scripts."""
        return plan_steps(SendEndpoint(self.endpoint), self.body, self.scripts)

    @cached_property
    def timeline(self) -> FlowTimeline:
        """Its timeline: every status change, past and future, unless another outcome is forced."""
        return plan_timeline(SendEndpoint(self.endpoint), self.steps, self.forced_outcomes)


class FlowStore:
    """Accepted flows by id and by message id, oldest first."""

    def __init__(self, max_flows: int) -> None:
        if max_flows < 1:
            raise ValueError("max_flows must be at least 1: it is the number of flows that the sandbox keeps")
        self._max_flows = max_flows
        self._flows: OrderedDict[str, AcceptedFlow] = OrderedDict()
        self._by_message: dict[str, AcceptedFlow] = {}
        self._last_number = 0
        self._store: Store = MemoryStore()
        self._on_evicted: list[Callable[[AcceptedFlow], None]] = []

    def attach_store(self, store: Store) -> None:
        """Load the flows that a store has, and save every change there from now on."""
        self._store = store
        self._flows.clear()
        self._by_message.clear()
        self._last_number = max(store.load(_LAST_FLOW_NUMBER, int), default=0)
        for flow in store.load(_FLOW, AcceptedFlow):
            self._last_number = max(self._last_number, flow.number)
            self._insert(flow)

    def on_evicted(self, callback: Callable[[AcceptedFlow], None]) -> None:
        """Call `callback` with every flow that is evicted because there are too many."""
        self._on_evicted.append(callback)

    def next_number(self) -> int:
        """Return the number of the next flow. Numbers are not reused after an eviction, a clear or a restart."""
        self._last_number += 1
        return self._last_number

    def add(self, flow: AcceptedFlow) -> None:
        """Add a flow; the oldest one is evicted when there are too many."""
        self._store.save(_FLOW, flow.id, flow)
        self._insert(flow)

    def _insert(self, flow: AcceptedFlow) -> None:
        self._flows[flow.id] = flow
        self._by_message.update(dict.fromkeys(flow.message_ids, flow))
        if len(self._flows) > self._max_flows:
            _, oldest = self._flows.popitem(last=False)
            for message_id in oldest.message_ids:
                del self._by_message[message_id]
            self._store.delete(_FLOW, oldest.id)
            for callback in self._on_evicted:
                callback(oldest)

    def replace(self, flow: AcceptedFlow) -> None:
        """Replace the flow of the same id."""
        self._store.save(_FLOW, flow.id, flow)
        self._flows[flow.id] = flow
        self._by_message.update(dict.fromkeys(flow.message_ids, flow))

    def clear(self) -> None:
        """Delete every flow; numbering continues."""
        self._store.save(_LAST_FLOW_NUMBER, "", self._last_number)
        self._store.clear(_FLOW)
        self._flows.clear()
        self._by_message.clear()

    def find(self, flow_id: str) -> AcceptedFlow | None:
        """Return the flow of this id, whatever its endpoint, or None."""
        return self._flows.get(flow_id)

    def get(self, flow_id: str, *endpoints: SendEndpoint) -> AcceptedFlow | None:
        """Return the flow of this id if it was sent to one of these endpoints, or None."""
        flow = self._flows.get(flow_id)
        return flow if flow is not None and flow.endpoint in endpoints else None

    def find_by_message(self, message_id: str, endpoint: SendEndpoint) -> AcceptedFlow | None:
        """Return the flow that has a message of this id, if it was sent to this endpoint, or None."""
        flow = self._by_message.get(message_id)
        return flow if flow is not None and flow.endpoint == endpoint else None

    def for_endpoints(self, *endpoints: SendEndpoint) -> Iterator[AcceptedFlow]:
        """Iterate over the flows that were sent to these endpoints, oldest first."""
        return (flow for flow in self._flows.values() if flow.endpoint in endpoints)

    def newest_first(self) -> Iterator[AcceptedFlow]:
        """Iterate over the flows, newest first."""
        return reversed(self._flows.values())

    def __len__(self) -> int:
        return len(self._flows)

    def __iter__(self) -> Iterator[AcceptedFlow]:
        return iter(self._flows.values())
