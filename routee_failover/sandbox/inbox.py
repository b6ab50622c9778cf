"""What people get, as a test asks for it: the code for a number, the next flow, the texts on somebody's phone."""

from typing import Any

from .admin.flow_views import current_flow_detail, pin_for_recipient
from .admin.message_preview import contains_pin, message_preview, one_line_preview
from .callbacks.dispatcher import CallbackDispatcher
from .context import SandboxCounters
from .errors import SandboxError
from .loop_thread import LoopThread, awaits_on_loop, runs_on_loop
from .simulation.flow_store import AcceptedFlow
from .simulation.lifecycle import FlowLifecycle
from .simulation.recipients import normalize_number, step_recipients
from .simulation.waiters import FlowWaiter

DEFAULT_TIMEOUT = 5.0
_MOST_TOLD = 5


class InboxTimeout(SandboxError):
    """What a test waited for has not come in time. The text says what has come; it holds no PIN and no message."""


class Inbox:
    """The phones of everybody whom flows are sent to.

    What has not come yet is waited for, `timeout` real seconds at most; then `InboxTimeout` is raised. A number may
    be written with its plus or without it, and with blanks.
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
        self._given: dict[str, int] = {}
        self._taken: dict[str | None, int] = {}

    @awaits_on_loop
    async def pin_for(self, number: str, *, timeout: float = DEFAULT_TIMEOUT) -> str:  # as callers know it
        """The one-time password that was sent to a number last.

        It is given as soon as its flow was accepted, and once: who asks again waits for another one, so that a second
        login in a test does not get the code of the first.
        """
        __tracebackhide__ = True
        to, given = normalize_number(number), self._given.get(normalize_number(number), 0)
        flow = await self._waiter.wait_for_newest(lambda one: one.number > given and contains_pin(one, to), timeout)
        if flow is None:
            again = "; the one there was has been given already" if given else ""
            raise self._nothing(f"no PIN for {to} has arrived within {timeout:g} s{again}")
        self._given[to] = flow.number
        return pin_for_recipient(self._lifecycle.snapshot(flow), to)[0]

    @awaits_on_loop
    async def next_flow(self, number: str | None = None, *, timeout: float = DEFAULT_TIMEOUT) -> AcceptedFlow:
        """The oldest flow to a number that was not given yet; without a number, the oldest one to anybody."""
        __tracebackhide__ = True
        to = None if number is None else normalize_number(number)
        taken = self._taken.get(to, 0)
        flow = await self._waiter.wait_for_oldest(
            lambda one: one.number > taken and (to is None or to in one.to), timeout
        )
        if flow is None:
            raise self._nothing(f"no new flow{'' if to is None else f' to {to}'} has arrived within {timeout:g} s")
        self._taken[to] = flow.number
        return flow

    @awaits_on_loop
    async def texts_to(self, number: str, *, count: int = 1, timeout: float = DEFAULT_TIMEOUT) -> list[str]:
        """The texts of the messages that were delivered to a number, oldest first, as soon as there are `count`."""
        __tracebackhide__ = True
        to = normalize_number(number)
        texts = await self._waiter.wait_until(lambda: self._texts(to), lambda found: len(found) >= count, timeout)
        if len(texts) < count:
            still = ""
            if self._lifecycle.clock.speed == 0:
                still = "; the sandbox's clock stands still, and what is on its way arrives when it is put forward"
            delivered = f"{len(texts)} of {count} messages to {to} have been delivered"
            raise self._nothing(f"{delivered} within {timeout:g} s{still}")
        return texts

    @runs_on_loop
    def flows_to(self, number: str) -> list[AcceptedFlow]:
        """The flows to a number by now, oldest first."""
        to = normalize_number(number)
        return [flow for flow in self._flow_store if to in flow.to]

    @runs_on_loop
    def detail(self, flow: AcceptedFlow) -> dict[str, Any]:
        """Everything about a flow as it stands now, in the JSON of `GET /sandbox/flows/{id}`."""
        return current_flow_detail(self._lifecycle, self._dispatcher, self._flow_store.find(flow.id) or flow)

    def _texts(self, to: str) -> list[str]:
        found: list[tuple[float, str]] = []
        for flow in self._flow_store:
            if to not in flow.to:
                continue
            standing = self._lifecycle.snapshot(flow)
            for message in standing.state.messages:
                step, delivered = standing.steps[message.position], message.delivered_at(standing.elapsed)
                if delivered is not None and to in step_recipients(step.body["to"]):
                    found.append((flow.accepted_at + delivered, one_line_preview(message_preview(flow, step))))
        return [text for _, text in sorted(found, key=lambda one: one[0])]

    def _nothing(self, what: str) -> InboxTimeout:
        flows = list(self._flow_store)
        told = [self._in_words(flow) for flow in flows[-_MOST_TOLD:]]
        if len(flows) > _MOST_TOLD:
            told.insert(0, f"({len(flows) - _MOST_TOLD} more)")
        refused = self._counters.rejected
        lines = [
            what,
            *(told or ["the sandbox has accepted no flow"]),
            *([f"requests that the sandbox refused: {refused}"] if refused else []),
        ]
        return InboxTimeout("\n  ".join(lines))

    def _in_words(self, flow: AcceptedFlow) -> str:
        standing = self._lifecycle.snapshot(flow)
        sent = [f"{one.channel} {one.status_at(standing.elapsed).name}" for one in standing.state.messages]
        what = f"{flow.endpoint} to {', '.join(flow.to)}{', with a PIN' if contains_pin(flow) else ''}"
        return f"flow {flow.number}: {what}: {standing.state.status} ({', '.join(sent) or 'nothing sent yet'})"
