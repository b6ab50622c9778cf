"""What people get, as a test asks for it: the code for a number, the next flow, the texts on somebody's phone."""

from typing import Any

from .callbacks.sender import Callbacks
from .control.bubbles import bubble, holds_pin, in_one_line
from .control.views import full, pin_of
from .failure import SandboxError
from .home import Home, at_home, awaited_at_home
from .life.arrivals import Arrivals
from .life.book import AcceptedFlow
from .life.journeys import Journeys
from .life.people import named, spelled
from .service import Counts

PATIENCE = 5.0
_MOST_TOLD = 5


class NothingArrived(SandboxError):
    """What a test waited for has not come in time. The text says what has come; it holds no PIN and no message."""


class Inbox:
    """The phones of everybody whom flows are sent to.

    What has not come yet is waited for, `timeout` real seconds at most; then `NothingArrived` is raised. A number may
    be written with its plus or without it, and with blanks.
    """

    def __init__(self, journeys: Journeys, callbacks: Callbacks, counts: Counts, home: Home) -> None:
        self._journeys, self._callbacks, self._counts, self._home = journeys, callbacks, counts, home
        self._book = journeys.book
        self._arrivals = Arrivals(journeys.book, journeys.feed)
        self._given: dict[str, int] = {}
        self._taken: dict[str | None, int] = {}

    @awaited_at_home
    async def pin_for(self, number: str, *, timeout: float = PATIENCE) -> str:  # as callers know it
        """The one-time password that was sent to a number last.

        It is given as soon as its flow was accepted, and once: who asks again waits for another one, so that a second
        login in a test does not get the code of the first.
        """
        __tracebackhide__ = True
        to, given = spelled(number), self._given.get(spelled(number), 0)
        flow = await self._arrivals.newest(lambda one: one.number > given and holds_pin(one, to), timeout)
        if flow is None:
            again = "; the one there was has been given already" if given else ""
            raise self._nothing(f"no PIN for {to} has arrived within {timeout:g} s{again}")
        self._given[to] = flow.number
        return pin_of(self._journeys.standing(flow), to)[0]

    @awaited_at_home
    async def next_flow(self, number: str | None = None, *, timeout: float = PATIENCE) -> AcceptedFlow:
        """The oldest flow to a number that was not given yet; without a number, the oldest one to anybody."""
        __tracebackhide__ = True
        to = None if number is None else spelled(number)
        taken = self._taken.get(to, 0)
        flow = await self._arrivals.oldest(lambda one: one.number > taken and (to is None or to in one.to), timeout)
        if flow is None:
            raise self._nothing(f"no new flow{'' if to is None else f' to {to}'} has arrived within {timeout:g} s")
        self._taken[to] = flow.number
        return flow

    @awaited_at_home
    async def texts_to(self, number: str, *, count: int = 1, timeout: float = PATIENCE) -> list[str]:
        """The texts of the messages that were delivered to a number, oldest first, as soon as there are `count`."""
        __tracebackhide__ = True
        to = spelled(number)
        texts = await self._arrivals.until(lambda: self._texts(to), lambda found: len(found) >= count, timeout)
        if len(texts) < count:
            still = ""
            if self._journeys.clock.speed == 0:
                still = "; the sandbox's clock stands still, and what is on its way arrives when it is put forward"
            delivered = f"{len(texts)} of {count} messages to {to} have been delivered"
            raise self._nothing(f"{delivered} within {timeout:g} s{still}")
        return texts

    @at_home
    def flows_to(self, number: str) -> list[AcceptedFlow]:
        """The flows to a number by now, oldest first."""
        to = spelled(number)
        return [flow for flow in self._book if to in flow.to]

    @at_home
    def detail(self, flow: AcceptedFlow) -> dict[str, Any]:
        """Everything about a flow as it stands now, in the JSON of `GET /sandbox/flows/{id}`."""
        return full(self._journeys, self._callbacks, self._book.find(flow.id) or flow)

    def _texts(self, to: str) -> list[str]:
        found: list[tuple[float, str]] = []
        for flow in self._book:
            if to not in flow.to:
                continue
            standing = self._journeys.standing(flow)
            for message in standing.state.messages:
                step, delivered = standing.steps[message.position], message.delivered_at(standing.elapsed)
                if delivered is not None and to in named(step.body["to"]):
                    found.append((flow.accepted_at + delivered, in_one_line(bubble(flow, step))))
        return [text for _, text in sorted(found, key=lambda one: one[0])]

    def _nothing(self, what: str) -> NothingArrived:
        flows = list(self._book)
        told = [self._in_words(flow) for flow in flows[-_MOST_TOLD:]]
        if len(flows) > _MOST_TOLD:
            told.insert(0, f"({len(flows) - _MOST_TOLD} more)")
        refused = self._counts.refused
        lines = [
            what,
            *(told or ["the sandbox has accepted no flow"]),
            *([f"requests that the sandbox refused: {refused}"] if refused else []),
        ]
        return NothingArrived("\n  ".join(lines))

    def _in_words(self, flow: AcceptedFlow) -> str:
        standing = self._journeys.standing(flow)
        sent = [f"{one.channel} {one.status(standing.elapsed).name}" for one in standing.state.messages]
        what = f"{flow.endpoint} to {', '.join(flow.to)}{', with a PIN' if holds_pin(flow) else ''}"
        return f"flow {flow.number}: {what}: {standing.state.status} ({', '.join(sent) or 'nothing sent yet'})"
