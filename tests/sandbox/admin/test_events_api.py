"""Server-sent events: contents, order, batching, several clients, and the end of a stream."""

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
from tests.sandbox.raw_http import OTP, SMS_STEP, STANDARD, VIBER_OTP, Caller, open_caller

EVENTS = "/sandbox/events"


class Reader:
    """Reads a stream of events as a browser does."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def block(self) -> dict[str, str]:
        """Return the next block of lines, a comment under the empty name; an empty one at the end."""
        fields: dict[str, str] = {}
        while line := await self._response.content.readline():
            text = line.decode().rstrip("\n")
            if not text:
                return fields
            name, _, value = text.partition(":")
            fields[name] = value.strip()
        return fields

    async def event(self) -> tuple[str, Any]:
        """Return the name and data of the next event."""
        while True:
            block = await self.block()
            assert block, "the stream has ended"
            if "event" in block:
                return block["event"], json.loads(block["data"])


@asynccontextmanager
async def open_stream(caller: Caller) -> AsyncIterator[Reader]:
    """Yield a reader of the events from now on."""
    async with caller.session.get(EVENTS) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert response.headers["Cache-Control"] == "no-store"
        reader = Reader(response)
        assert await reader.block() == {"retry": "1000"}
        yield reader


async def test_every_change_of_a_flow_is_sent_with_its_summary() -> None:
    """Each change of a flow is sent with its summary, up to its final state."""
    async with open_caller(speed=0) as caller, open_stream(caller) as reader:
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


async def test_actions_clock_changes_and_clear_are_sent() -> None:
    """Changes made by hand are sent as well as those of the simulation."""
    async with open_caller(speed=0) as caller, open_stream(caller) as reader:
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


async def test_callback_attempts_and_rule_changes_are_sent() -> None:
    """A callback is sent with all its attempts, and so is a change of the rules."""
    async with open_caller(speed=0) as caller, open_stream(caller) as reader:
        caller.sandbox.script(to="+306911111111", sms="failed")
        assert await reader.event() == ("rules", {})
        callback = {"url": "http://127.0.0.1:9/cb", "strategy": "OnCompletion"}
        await caller.send("sendFailover", {"flow": [SMS_STEP], "callback": callback})
        _, flow = await reader.event()
        await caller.sandbox.advance(timedelta(seconds=10))
        events = [await reader.event() for _ in range(3)]
        assert [name for name, _ in events] == ["flow", "callback", "clock"]
        data = events[1][1]
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


async def test_events_in_one_batch_are_coalesced() -> None:
    """Of several changes of a flow in one batch the last is sent, and nothing from before a clear."""
    async with open_caller(speed=0) as caller, open_stream(caller) as reader:
        lifecycle = caller.sandbox._lifecycle
        lifecycle.start(_flow(1))
        lifecycle.event_bus.publish(ClockChanged())
        lifecycle.clear()
        lifecycle.start(_flow(2))
        lifecycle.force_outcome(_flow(2), 0, ScriptedOutcome.DELIVERED)
        lifecycle.event_bus.publish(ClockChanged())
        events = [await reader.event() for _ in range(3)]
    assert [name for name, _ in events] == ["cleared", "flow", "clock"]
    assert (events[1][1]["number"], events[1][1]["status"]) == (2, "Succeeded")


async def test_slow_client_gets_lagged() -> None:
    """More events than a client's queue holds become one `lagged`: it has to reload."""
    async with open_caller(speed=0) as caller, open_stream(caller) as reader:
        for _ in range(MAX_PENDING_EVENTS + 2):
            caller.sandbox._event_bus.publish(ClockChanged())
        assert [(await reader.event())[0] for _ in range(2)] == ["lagged", "clock"]


async def test_large_batch_becomes_lagged_and_the_clock() -> None:
    """A batch with too many events becomes `lagged` and the state of the clock."""
    async with open_caller(speed=0) as caller, open_stream(caller) as reader:
        caller.sandbox._event_bus.publish(ClockChanged())
        for number in range(events_api.MAX_EVENTS_PER_BATCH):
            caller.sandbox._lifecycle.start(_flow(number + 1))
        assert [(await reader.event())[0] for _ in range(2)] == ["lagged", "clock"]
        caller.sandbox._lifecycle.start(_flow(1_000))
        name, flow = await reader.event()
        assert (name, flow["number"]) == ("flow", 1_000)


async def test_idle_stream_carries_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream without events carries a comment from time to time, and continues."""
    monkeypatch.setattr(events_api, "HEARTBEAT_SECONDS", 0.01)
    async with open_caller(speed=0) as caller, open_stream(caller) as reader:
        for _ in range(2):
            assert await reader.block() == {"": "still here"}
        await caller.sandbox.advance(timedelta(seconds=1))
        assert (await reader.event())[0] == "clock"


async def test_all_clients_get_the_same_events() -> None:
    """Every client gets every event; one that disconnects does not affect the others."""
    async with open_caller(speed=0) as caller, open_stream(caller) as one, open_stream(caller) as two:
        async with open_stream(caller):
            pass
        await caller.send("sendFailover", {"flow": STANDARD["flow"]})
        assert await one.event() == await two.event()


async def test_disconnected_clients_are_unsubscribed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The subscription of a disconnected client ends at the latest with the next write to it."""
    monkeypatch.setattr(events_api, "HEARTBEAT_SECONDS", 0.01)
    async with open_caller(speed=0) as caller:
        for _ in range(5):
            async with open_stream(caller):
                pass
        await until(lambda: not caller.sandbox._event_bus._subscriptions)


async def test_stopping_the_sandbox_ends_the_stream_cleanly() -> None:
    """Open streams do not delay the stop of a sandbox; they end after a complete event."""
    async with open_caller(speed=0) as caller, open_stream(caller) as reader:
        await caller.sandbox.advance(timedelta(seconds=1))
        await caller.sandbox.__aexit__(None, None, None)
        assert (await reader.event())[0] == "clock"
        assert await reader.block() == {}
