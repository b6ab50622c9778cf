"""Server-sent events: what is told, in which order, to how many, and how it ends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from routee_failover.sandbox.admin import events_api
from routee_failover.sandbox.simulation.event_bus import MAX_PENDING_EVENTS, ClockChanged
from routee_failover.sandbox.simulation.flow_store import AcceptedFlow
from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome
from tests.client.fake_routee import until
from tests.sandbox.raw_http import OTP, SMS_STEP, STANDARD, VIBER_OTP, Caller, calling

EVENTS = "/sandbox/events"


class Reader:
    """Reads a stream of events as a browser does."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def block(self) -> dict[str, str]:
        """The next block of lines: a comment stands under the empty name. Empty at the end."""
        found: dict[str, str] = {}
        while line := await self._response.content.readline():
            text = line.decode().rstrip("\n")
            if not text:
                return found
            name, _, value = text.partition(":")
            found[name] = value.strip()
        return found

    async def event(self) -> tuple[str, Any]:
        """The next event: its name and data."""
        while True:
            block = await self.block()
            assert block, "the stream has ended"
            if "event" in block:
                return block["event"], json.loads(block["data"])


@asynccontextmanager
async def following(caller: Caller) -> AsyncIterator[Reader]:
    """The events from now on."""
    async with caller.session.get(EVENTS) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert response.headers["Cache-Control"] == "no-store"
        reader = Reader(response)
        assert await reader.block() == {"retry": "1000"}
        yield reader


async def test_a_flow_is_told_from_its_start_to_its_end() -> None:
    """Each change of a flow is told with the flow as a line of the list, the last one as it ended."""
    async with calling(speed=0) as caller, following(caller) as reader:
        await caller.send("sendFailover", {"flow": [SMS_STEP]})
        name, flow = await reader.event()
        assert (name, flow["status"], flow["number"]) == ("flow", "Queued", 1)
        assert flow == (await caller.call("listSandboxFlows", "/sandbox/flows"))[1]["flows"][0]
        await caller.sandbox.advance(timedelta(seconds=1))
        assert (await reader.event())[1]["status"] == "InProgress"
        assert (await reader.event()) == ("clock", {"now": 1.0, "speed": 0})
        await caller.sandbox.advance(timedelta(seconds=10))
        name, flow = await reader.event()
        assert (name, flow["status"], flow["final"]) == ("flow", "Succeeded", True)


async def test_actions_clock_and_clear_are_told() -> None:
    """What is done by hand is told as well as what happens of itself."""
    async with calling(speed=0) as caller, following(caller) as reader:
        await caller.send("sendFailoverOtp", {"flow": OTP["flow"]})
        _, flow = await reader.event()
        path = f"/sandbox/flows/{flow['id']}/actions"
        await caller.call("actOnSandboxFlow", path, method="POST", json={"action": "deliver"})
        assert (await reader.event())[1]["status"] == "Succeeded"
        await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"speed": 2})
        name, clock = await reader.event()
        assert (name, clock["speed"]) == ("clock", 2.0)
        await caller.call("clearSandboxFlows", "/sandbox/flows", method="DELETE")
        assert await reader.event() == ("cleared", {})


async def test_callbacks_and_rules_are_told() -> None:
    """What becomes of a callback is told with all its attempts, and that the rules have changed."""
    async with calling(speed=0) as caller, following(caller) as reader:
        caller.sandbox.script(to="+306911111111", sms="failed")
        assert await reader.event() == ("rules", {})
        callback = {"url": "http://127.0.0.1:9/cb", "strategy": "OnCompletion"}
        await caller.send("sendFailover", {"flow": [SMS_STEP], "callback": callback})
        _, flow = await reader.event()
        await caller.sandbox.advance(timedelta(seconds=10))
        told = [await reader.event() for _ in range(3)]
        assert [name for name, _ in told] == ["flow", "callback", "clock"]
        data = told[1][1]
        assert data == {"flowId": flow["id"], "callback": data["callback"]}
        assert [attempt["error"] for attempt in data["callback"]["attempts"]] == ["the connection was refused"]


def _flow(number: int) -> AcceptedFlow:
    return AcceptedFlow(
        endpoint="viber-otp",
        id=f"f-{number}",
        created_at=datetime.now(UTC),
        number=number,
        body=VIBER_OTP,
        accepted_at=0.0,
        message_ids=(),
    )


async def test_what_happens_at_once_is_told_once() -> None:
    """Of many changes of a flow the last is told; what a clear forgot is not told after it."""
    async with calling(speed=0) as caller, following(caller) as reader:
        journeys = caller.sandbox._lifecycle
        journeys.start(_flow(1))
        journeys.event_bus.publish(ClockChanged())
        journeys.clear()
        journeys.start(_flow(2))
        journeys.force_outcome(_flow(2), 0, ScriptedOutcome.DELIVERED)
        journeys.event_bus.publish(ClockChanged())
        told = [await reader.event() for _ in range(3)]
    assert [name for name, _ in told] == ["cleared", "flow", "clock"]
    assert (told[1][1]["number"], told[1][1]["status"]) == (2, "Succeeded")


async def test_a_reader_that_does_not_keep_up_is_told_so() -> None:
    """More events than are kept for a reader become one: it has to look anew."""
    async with calling(speed=0) as caller, following(caller) as reader:
        for _ in range(MAX_PENDING_EVENTS + 2):
            caller.sandbox._event_bus.publish(ClockChanged())
        assert [(await reader.event())[0] for _ in range(2)] == ["lagged", "clock"]


async def test_more_than_anybody_reads_is_not_told_one_by_one() -> None:
    """Where very much happens at once, a reader is told to look anew, and what the clock says."""
    async with calling(speed=0) as caller, following(caller) as reader:
        caller.sandbox._event_bus.publish(ClockChanged())
        for number in range(events_api.MAX_EVENTS_PER_BATCH):
            caller.sandbox._lifecycle.start(_flow(number + 1))
        assert [(await reader.event())[0] for _ in range(2)] == ["lagged", "clock"]
        caller.sandbox._lifecycle.start(_flow(1_000))
        name, flow = await reader.event()
        assert (name, flow["number"]) == ("flow", 1_000)


async def test_a_heartbeat_shows_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream in which nothing happens carries a comment from time to time, and goes on."""
    monkeypatch.setattr(events_api, "HEARTBEAT_SECONDS", 0.01)
    async with calling(speed=0) as caller, following(caller) as reader:
        for _ in range(2):
            assert await reader.block() == {"": "still here"}
        await caller.sandbox.advance(timedelta(seconds=1))
        assert (await reader.event())[0] == "clock"


async def test_many_readers_are_told_the_same() -> None:
    """Every reader is told everything; one that leaves takes nothing with it."""
    async with calling(speed=0) as caller, following(caller) as one, following(caller) as two:
        async with following(caller):
            pass
        await caller.send("sendFailover", {"flow": STANDARD["flow"]})
        assert await one.event() == await two.event()


async def test_readers_that_have_left_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader's place is given up at the latest when the next thing is written to it."""
    monkeypatch.setattr(events_api, "HEARTBEAT_SECONDS", 0.01)
    async with calling(speed=0) as caller:
        for _ in range(5):
            async with following(caller):
                pass
        await until(lambda: not caller.sandbox._event_bus._subscriptions)


async def test_a_sandbox_that_stops_ends_the_stream() -> None:
    """Readers do not hold up the end of a sandbox; their streams end as a whole, and nothing is cut off."""
    async with calling(speed=0) as caller, following(caller) as reader:
        await caller.sandbox.advance(timedelta(seconds=1))
        await caller.sandbox.__aexit__(None, None, None)
        assert (await reader.event())[0] == "clock"
        assert await reader.block() == {}
