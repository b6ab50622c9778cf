"""Inbox of the recipients, as a test uses it: the code for a number, the next flow, the texts that were delivered."""

from typing import Any

from .admin.flow_views import current_flow_detail, pin_for_recipient
from .admin.message_preview import contains_pin, message_preview, one_line_preview
from .callbacks.dispatcher import CallbackDispatcher
from .context import SandboxCounters
from .errors import SandboxError
from .loop_thread import LoopThread, awaits_on_loop, runs_on_loop
from .simulation.flow_store import AcceptedFlow
from .simulation.lifecycle import FlowLifecycle
from .simulation.number_normalization import normalize_number, step_recipients
from .simulation.waiters import FlowWaiter

DEFAULT_TIMEOUT = 5.0
_MAX_LISTED_FLOWS = 5


class InboxTimeout(SandboxError):
    """The expected flow or message did not arrive in time. The text lists what arrived, without PINs and messages."""


class Inbox:
    """The messages that recipients received.

    Its methods wait for what has not arrived yet, for `timeout` real seconds at most, and then raise `InboxTimeout`. A
    number may be written with or without its plus, and with blanks.
    """

    def __init__(
        self,
        lifecycle: FlowLifecycle,
        dispatcher: CallbackDispatcher,
        counters: SandboxCounters,
        loop_thread: LoopThread,
    ) -> None:
        self._lifecycle, self._dispatcher, self._counters, self._loop_thread = (
            lifecycle,
            dispatcher,
            counters,
            loop_thread,
        )
        self._flow_store = lifecycle.flow_store
        self._waiter = FlowWaiter(lifecycle.flow_store, lifecycle.event_bus)
        self._last_pin_flow: dict[str, int] = {}
        self._last_next_flow: dict[str | None, int] = {}

    @awaits_on_loop
    async def pin_for(self, number: str, *, timeout: float = DEFAULT_TIMEOUT) -> str:
        """Return the latest one-time password that was sent to a number.

        It is returned as soon as its flow was accepted, and only once: the next call waits for another one, so that a
        second login in a test does not get the code of the first.
        """
        __tracebackhide__ = True
        to, last_number = normalize_number(number), self._last_pin_flow.get(normalize_number(number), 0)
        flow = await self._waiter.wait_for_newest(
            lambda candidate: candidate.number > last_number and contains_pin(candidate, to), timeout
        )
        if flow is None:
            suffix = "; the PIN that was sent before has been returned already" if last_number else ""
            raise self._timeout_error(f"no PIN for {to} has arrived within {timeout:g} s{suffix}")
        self._last_pin_flow[to] = flow.number
        return pin_for_recipient(self._lifecycle.snapshot(flow), to)[0]

    @awaits_on_loop
    async def next_flow(self, number: str | None = None, *, timeout: float = DEFAULT_TIMEOUT) -> AcceptedFlow:
        """Return the oldest flow to a number that was not returned yet; without a number, the oldest to any number."""
        __tracebackhide__ = True
        to = None if number is None else normalize_number(number)
        last_number = self._last_next_flow.get(to, 0)
        flow = await self._waiter.wait_for_oldest(
            lambda candidate: candidate.number > last_number and (to is None or to in candidate.to), timeout
        )
        if flow is None:
            raise self._timeout_error(
                f"no new flow{'' if to is None else f' to {to}'} has arrived within {timeout:g} s"
            )
        self._last_next_flow[to] = flow.number
        return flow

    @awaits_on_loop
    async def texts_to(self, number: str, *, count: int = 1, timeout: float = DEFAULT_TIMEOUT) -> list[str]:
        """Return the texts of the messages that were delivered to a number, oldest first, once there are `count`."""
        __tracebackhide__ = True
        to = normalize_number(number)
        texts = await self._waiter.wait_until(
            lambda: self._delivered_texts(to), lambda delivered: len(delivered) >= count, timeout
        )
        if len(texts) < count:
            suffix = ""
            if self._lifecycle.clock.speed == 0:
                suffix = "; the sandbox's clock is stopped: messages in flight are delivered when it is advanced"
            delivered = f"{len(texts)} of {count} messages to {to} have been delivered"
            raise self._timeout_error(f"{delivered} within {timeout:g} s{suffix}")
        return texts

    @runs_on_loop
    def flows_to(self, number: str) -> list[AcceptedFlow]:
        """Return the flows to a number so far, oldest first."""
        to = normalize_number(number)
        return [flow for flow in self._flow_store if to in flow.to]

    @runs_on_loop
    def detail(self, flow: AcceptedFlow) -> dict[str, Any]:
        """Return the full detail of a flow in its current state, in the JSON of `GET /sandbox/flows/{id}`."""
        return current_flow_detail(self._lifecycle, self._dispatcher, self._flow_store.find(flow.id) or flow)

    def _delivered_texts(self, to: str) -> list[str]:
        found: list[tuple[float, str]] = []
        for flow in self._flow_store:
            if to not in flow.to:
                continue
            snapshot = self._lifecycle.snapshot(flow)
            for message in snapshot.state.messages:
                step, delivered = snapshot.steps[message.position], message.delivered_at(snapshot.elapsed)
                if delivered is not None and to in step_recipients(step.body["to"]):
                    found.append((flow.accepted_at + delivered, one_line_preview(message_preview(flow, step))))
        return [text for _, text in sorted(found, key=lambda time_and_text: time_and_text[0])]

    def _timeout_error(self, problem: str) -> InboxTimeout:
        flows = list(self._flow_store)
        listed = [self._describe(flow) for flow in flows[-_MAX_LISTED_FLOWS:]]
        if len(flows) > _MAX_LISTED_FLOWS:
            listed.insert(0, f"({len(flows) - _MAX_LISTED_FLOWS} more)")
        rejected = self._counters.rejected
        lines = [
            problem,
            *(listed or ["the sandbox has accepted no flow"]),
            *([f"requests that the sandbox rejected: {rejected}"] if rejected else []),
        ]
        return InboxTimeout("\n  ".join(lines))

    def _describe(self, flow: AcceptedFlow) -> str:
        snapshot = self._lifecycle.snapshot(flow)
        sent = [f"{message.channel} {message.status_at(snapshot.elapsed).name}" for message in snapshot.state.messages]
        destination = f"{flow.endpoint} to {', '.join(flow.to)}{', with a PIN' if contains_pin(flow) else ''}"
        return f"flow {flow.number}: {destination}: {snapshot.state.status} ({', '.join(sent) or 'nothing sent yet'})"
