"""GET /sandbox/callbacks, and the events about callbacks."""

from datetime import timedelta

import pytest
from aiohttp import web

from routee_failover.sandbox.simulation.event_bus import CallbackUpdated, SandboxEvent

from ..callbacks.callback_receiver import Receiver, accept, otp, single_viber, viber_with_inbound
from ..raw_http import UNUSED_URL, Caller, open_caller

LIST = "listSandboxCallbacks"


async def _callbacks(caller: Caller, query: str = "") -> list[dict[str, object]]:
    status, page = await caller.call(LIST, f"/sandbox/callbacks{query}")
    assert status == 200
    found: list[dict[str, object]] = page["callbacks"]
    return found


async def test_callbacks_are_listed_newest_first_with_attempts_and_filters() -> None:
    """The newest come first, with every attempt; limited to one flow, or to a number of callbacks."""
    async with open_caller(speed=0) as caller, Receiver(500) as receiver:
        assert await _callbacks(caller) == []
        first = await accept(caller, "sendFailover", single_viber(receiver.url))
        second = await accept(caller, "sendFailoverOtp", otp(f"{UNUSED_URL}otp", "100"))
        third = await accept(caller, "sendTransactionalFailover", viber_with_inbound(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        caller.sandbox.reply(third.id, "hello")
        await receiver.received(3)
        all_callbacks = await _callbacks(caller)
        assert [callback["kind"] for callback in all_callbacks] == ["inbound", "otp", "otp", "flow", "otp", "flow"]
        assert [callback["id"] for callback in all_callbacks] == [
            record.id for record in reversed(caller.sandbox.callbacks)
        ]
        assert await _callbacks(caller, "?limit=2") == all_callbacks[:2]
        assert await _callbacks(caller, f"?flow={second.id}&limit=2") == all_callbacks[1:3]
        delivered, queued = await _callbacks(caller, f"?flow={first.id}")
        assert await _callbacks(caller, "?flow=unknown") == []
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
                    "error": "only 200 counts as success",
                }
            ],
            "nextAt": queued["nextAt"],
        }
        assert str(queued["nextAt"]) > str(queued["dueAt"])
        assert (delivered["state"], delivered["nextAt"]) == ("delivered", None)


@pytest.mark.parametrize("query", ["?limit=0", "?limit=1001", "?limit=all"])
async def test_invalid_limit_is_rejected(query: str) -> None:
    """A limit out of range is rejected."""
    async with open_caller() as caller:
        assert (await caller.call(LIST, f"/sandbox/callbacks{query}"))[0] == 400


async def test_remote_callers_need_allow_remote_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers on other machines are rejected, unless the sandbox allows remote administration."""
    monkeypatch.setattr(web.Request, "remote", "192.0.2.7")
    async with open_caller() as caller:
        assert (await caller.call(LIST, "/sandbox/callbacks"))[0] == 403
    async with open_caller(allow_remote_admin=True) as caller:
        assert (await caller.call(LIST, "/sandbox/callbacks"))[0] == 200


async def test_callback_to_the_admin_api_is_rejected() -> None:
    """A callback whose URL is the sandbox's own admin API is rejected there."""
    async with open_caller(speed=0) as caller:
        await accept(
            caller, "sendFailover", single_viber(f"{caller.sandbox.url}/sandbox/clock", strategy="OnCompletion")
        )
        await caller.sandbox.advance(timedelta(seconds=10))
        (record,) = caller.sandbox.callbacks
        assert [attempt.status for attempt in record.attempts] == [403]


async def test_callback_events_are_published_at_creation_and_after_each_attempt() -> None:
    """The event bus publishes a callback when it is created, and after each attempt."""
    published: list[tuple[str, int]] = []

    def listen(event: SandboxEvent) -> None:
        if isinstance(event, CallbackUpdated):
            assert event.flow.id == event.callback.flow_id
            published.append((event.callback.state, len(event.callback.attempts)))

    async with open_caller(speed=0) as caller, Receiver(500) as receiver:
        caller.sandbox._event_bus.add_listener(listen)
        await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(hours=1))
        assert published == [("pending", 0), ("pending", 1), ("delivered", 2)]


async def test_record_repr_shows_neither_url_nor_message() -> None:
    """The repr of a record omits the URL, which may hold a key, and the message."""
    async with open_caller(speed=0) as caller:
        flow = await accept(caller, "sendTransactionalFailover", viber_with_inbound(f"{UNUSED_URL}?key=secret-key"))
        await caller.sandbox.advance(timedelta(seconds=10))
        caller.sandbox.reply(flow.id, "my PIN is 847291")
        shown = repr(caller.sandbox.callbacks)
        assert "secret-key" not in shown
        assert "847291" not in shown
