"""GET /sandbox/callbacks, and what listeners hear of callbacks."""

from datetime import timedelta

import pytest
from aiohttp import web

from routee_failover.sandbox.simulation.event_bus import CallbackUpdated, SandboxEvent

from ..callbacks.callback_receiver import Receiver, accepted, otp, single, templated
from ..raw_http import NOBODY, Caller, calling

LIST = "listSandboxCallbacks"


async def _page(caller: Caller, query: str = "") -> list[dict[str, object]]:
    status, page = await caller.call(LIST, f"/sandbox/callbacks{query}")
    assert status == 200
    found: list[dict[str, object]] = page["callbacks"]
    return found


async def test_the_list_and_its_filters() -> None:
    """The newest come first, with every attempt; of one flow, or as many as are wanted."""
    async with calling(speed=0) as caller, Receiver(500) as receiver:
        assert await _page(caller) == []
        first = await accepted(caller, "sendFailover", single(receiver.url))
        second = await accepted(caller, "sendFailoverOtp", otp(f"{NOBODY}otp", "100"))
        third = await accepted(caller, "sendTransactionalFailover", templated(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        caller.sandbox.reply(third.id, "hello")
        await receiver.received(3)
        everything = await _page(caller)
        assert [one["kind"] for one in everything] == ["inbound", "otp", "otp", "flow", "otp", "flow"]
        assert [one["id"] for one in everything] == [one.id for one in reversed(caller.sandbox.callbacks)]
        assert await _page(caller, "?limit=2") == everything[:2]
        assert await _page(caller, f"?flow={second.id}&limit=2") == everything[1:3]
        delivered, queued = await _page(caller, f"?flow={first.id}")
        assert await _page(caller, "?flow=unknown") == []
        record = caller.sandbox.callbacks[0]
        assert queued == {
            "id": record.id,
            "flowId": first.id,
            "kind": "flow",
            "url": receiver.url,
            "body": receiver.bodies[0],
            "dueAt": receiver.bodies[0]["updatedAt"],
            "state": "pending",
            "attempts": [
                {
                    "at": receiver.bodies[0]["updatedAt"],
                    "durationMs": record.attempts[0].duration_ms,
                    "status": 500,
                    "error": "only 200 counts",
                }
            ],
            "nextAt": queued["nextAt"],
        }
        assert str(queued["nextAt"]) > str(queued["dueAt"])
        assert (delivered["state"], delivered["nextAt"]) == ("delivered", None)


@pytest.mark.parametrize("query", ["?limit=0", "?limit=1001", "?limit=all"])
async def test_a_list_that_cannot_be_made(query: str) -> None:
    """A limit out of bounds is refused."""
    async with calling() as caller:
        assert (await caller.call(LIST, f"/sandbox/callbacks{query}"))[0] == 400


async def test_strangers_do_not_read_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers on other machines are refused, unless the sandbox was started for such."""
    monkeypatch.setattr(web.Request, "remote", "192.0.2.7")
    async with calling() as caller:
        assert (await caller.call(LIST, "/sandbox/callbacks"))[0] == 403
    async with calling(allow_remote_admin=True) as caller:
        assert (await caller.call(LIST, "/sandbox/callbacks"))[0] == 200


async def test_a_callback_controls_no_sandbox() -> None:
    """A flow that names the sandbox's own controls as its callback does not get past who may use them."""
    async with calling(speed=0) as caller:
        await accepted(caller, "sendFailover", single(f"{caller.sandbox.url}/sandbox/clock", strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=10))
        (record,) = caller.sandbox.callbacks
        assert [attempt.status for attempt in record.attempts] == [403]


async def test_listeners_hear_of_every_turn() -> None:
    """The feed tells of a callback when it arises, and after each attempt."""
    heard: list[tuple[str, int]] = []

    def listen(event: SandboxEvent) -> None:
        if isinstance(event, CallbackUpdated):
            assert event.flow.id == event.callback.flow_id
            heard.append((event.callback.state, len(event.callback.attempts)))

    async with calling(speed=0) as caller, Receiver(500) as receiver:
        caller.sandbox._event_bus.add_listener(listen)
        await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(hours=1))
        assert heard == [("pending", 0), ("pending", 1), ("delivered", 2)]


async def test_records_keep_secrets() -> None:
    """The repr of a record shows neither the address, which may hold a key, nor the message."""
    async with calling(speed=0) as caller:
        flow = await accepted(caller, "sendTransactionalFailover", templated(f"{NOBODY}?key=geheim"))
        await caller.sandbox.advance(timedelta(seconds=10))
        caller.sandbox.reply(flow.id, "my PIN is 847291")
        shown = repr(caller.sandbox.callbacks)
        assert "geheim" not in shown
        assert "847291" not in shown
