"""`CallbackInbox`: what says something new is handed out once, in order, and nothing that fails harms the rest."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from routee_failover import (
    CallbackEvent,
    CallbackInbox,
    FlowRecord,
    InboundMessage,
    InvalidConfig,
    OtpRecord,
    ReceiveResult,
)

from .payloads import INBOUND, NEW, OTP, body_of, flow, inbound, otp
from .recorders import Heard, Notes


async def test_handlers_by_kind() -> None:
    """Each kind of callback goes to its handlers, typed, with what its address was made for and when it came."""
    flows: list[CallbackEvent[FlowRecord]] = []
    otps: list[CallbackEvent[OtpRecord]] = []
    people: list[CallbackEvent[InboundMessage]] = []
    before = datetime.now(UTC)
    async with CallbackInbox() as inbox:

        @inbox.on_flow
        async def of_flow(event: CallbackEvent[FlowRecord]) -> None:
            flows.append(event)

        @inbox.on_otp
        async def of_otp(event: CallbackEvent[OtpRecord]) -> None:
            otps.append(event)

        @inbox.on_inbound
        async def of_inbound(event: CallbackEvent[InboundMessage]) -> None:
            people.append(event)

        for shape in (NEW, OTP, INBOUND):
            assert inbox.receive(body_of(shape), reference="login") is ReceiveResult.NEW
    assert [flows[0].record.tracking_id, otps[0].record.flow_id, people[0].record.message] == [
        NEW["trackingId"],
        OTP["flowId"],
        INBOUND["message"],
    ]
    for event, kind, identity in (
        (flows[0], "flow", "t-1"),
        (otps[0], "otp", OTP["flowId"]),
        (people[0], "inbound", None),
    ):
        assert (event.kind, event.tracking_id, event.reference, event.confirmed) == (kind, identity, "login", False)
        assert before <= event.received_at <= datetime.now(UTC)


async def test_kinds_without_a_handler() -> None:
    """What no handler is for is done with, even where there is no room."""
    async with CallbackInbox(capacity=1) as inbox:
        heard = Heard()
        inbox.on_otp(heard)
        for number in range(3):
            assert inbox.receive(flow(identity=str(number))) is ReceiveResult.NEW
        assert inbox.pending == 0
        inbox.receive(otp())
        await heard.count(1)


async def test_repeats_and_latecomers() -> None:
    """A repeat and what is older than what was here are answered well and handed to nobody."""
    notes = Notes()
    async with CallbackInbox(observers=[notes]) as inbox:
        heard = Heard(inbox)
        first, second, end = flow("InProgress", 1, "QUEUED"), flow("InProgress", 2, "EXPIRED"), flow("Failed", 3)
        arrivals = [inbox.receive(shape) for shape in (second, second, first, end, second, end, flow("InProgress", 9))]
    assert arrivals == ["taken", "repeated", "stale", "taken", "repeated", "repeated", "stale"]
    assert heard.said == ["InProgress", "Failed"]
    assert notes.dropped == [("t-1", why, False) for why in arrivals if why != "taken"]


async def test_what_people_write_is_all_handed_out() -> None:
    """Two messages of the same words at different times are two; the same one twice is one."""
    async with CallbackInbox() as inbox:
        heard = Heard(inbox)
        later = inbound("ok") | {"sentDate": "2026-01-01T11:00:00Z"}
        assert [inbox.receive(shape) for shape in (inbound("ok"), later, inbound("ok"))] == [
            "taken",
            "taken",
            "repeated",
        ]
    assert heard.said == ["ok", "ok"]


async def test_one_flow_in_order_and_many_at_once() -> None:
    """A handler that is slow for one flow gets its callbacks one after the other, while other flows go on."""
    async with CallbackInbox(concurrency=2) as inbox:
        go, running, seen = asyncio.Event(), [], Heard()

        @inbox.on_flow
        async def slow(event: CallbackEvent[FlowRecord]) -> None:
            running.append(event.tracking_id)
            assert running.count(event.tracking_id) == 1
            if event.tracking_id == "slow":
                await go.wait()
            running.remove(event.tracking_id)
            await seen(event)

        for at in (1, 2, 3):
            inbox.receive(flow("InProgress", at, identity="slow"))
        for number in range(20):
            inbox.receive(flow(identity=str(number)))
        await seen.count(20)
        assert [event.tracking_id for event in seen.events] == [str(number) for number in range(20)]
        assert inbox.pending == 2
        go.set()
        await seen.count(23)
    assert [event.record.updated_at.second for event in seen.events[20:]] == [1, 2, 3]


async def test_concurrency() -> None:
    """No more callbacks are handled at a time than was said."""
    async with CallbackInbox(concurrency=3) as inbox:
        go, busy, most, heard = asyncio.Event(), 0, 0, Heard()

        @inbox.on_flow
        async def count(event: CallbackEvent[FlowRecord]) -> None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await go.wait()
            busy -= 1
            await heard(event)

        for number in range(10):
            inbox.receive(flow(identity=str(number)))
        await asyncio.sleep(0)
        go.set()
        await heard.count(10)
    assert most == 3


async def test_a_full_inbox() -> None:
    """What finds no room is not taken and not remembered: it is taken when it comes again. Repeats need no room."""
    async with CallbackInbox(capacity=2) as inbox:
        events = aiter(inbox)
        assert [inbox.receive(flow(identity=str(number))) for number in range(3)] == ["taken", "taken", "no room"]
        assert inbox.receive(flow(identity="0")) is ReceiveResult.DUPLICATE
        await anext(events)
        assert inbox.receive(flow(identity="2")) is ReceiveResult.NEW
        assert [(await anext(events)).tracking_id for _ in range(2)] == ["1", "2"]


class Refused(Exception):
    """What a handler of tests raises, with a PIN in its words."""


@pytest.mark.parametrize("error", [Refused("739164"), asyncio.CancelledError("739164"), TimeoutError()])
async def test_handlers_that_fail(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that raises is told of by the names of both, and neither other handlers nor other events miss it."""
    notes = Notes()
    async with CallbackInbox(observers=[notes]) as inbox:

        @inbox.on_flow
        async def fail(_event: CallbackEvent[FlowRecord]) -> None:
            raise error

        heard = Heard(inbox)
        inbox.receive(flow("InProgress", 1))
        inbox.receive(flow("Succeeded", 2))
    assert heard.said == ["InProgress", "Succeeded"]
    assert [name.rpartition(".")[2] for name, _ in notes.failed] == ["fail", "fail"]
    assert {kind for _, kind in notes.failed} == {type(error).__name__}
    assert "739164" not in caplog.text + repr(notes.events)


async def test_failures_are_logged_where_nobody_observes(caplog: pytest.LogCaptureFixture) -> None:
    """Without observers of one's own, a handler that fails is found in the log, and not what it said."""
    async with CallbackInbox() as inbox:

        @inbox.on_otp
        async def fail(_event: CallbackEvent[OtpRecord]) -> None:
            raise Refused("739164")

        inbox.receive(otp("Succeeded"))
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert line.getMessage().endswith("fail raised Refused on a callback (otp f-1)")
    assert "739164" not in caplog.text


async def test_tell() -> None:
    """`tell` is called at once with what is new of a flow, and needs nobody to take events; it may fail."""
    told: list[Any] = []

    def tell(record: FlowRecord | OtpRecord) -> None:
        told.append(record.status)
        if record.final:
            raise Refused("739164")

    notes = Notes()
    async with CallbackInbox(notify=tell, capacity=1, observers=[notes]) as inbox:
        for shape in (flow("InProgress", 1), flow("InProgress", 1), inbound(), otp("Succeeded"), flow("Failed", 2)):
            inbox.receive(shape)
        assert told == ["InProgress", "Succeeded", "Failed"]
        assert inbox.pending == 0
    assert [error for _, error in notes.failed] == ["Refused", "Refused"]


async def test_tell_and_handlers() -> None:
    """A handler gets what was told, and a full inbox tells nothing that it does not take."""
    told: list[Any] = []
    async with CallbackInbox(notify=told.append, capacity=1) as inbox:
        heard = Heard(inbox)
        assert [inbox.receive(flow(identity=name)) for name in "ab"] == ["taken", "taken"]
        await heard.count(2)
        assert [record.tracking_id for record in told] == ["a", "b"]
    async with CallbackInbox(notify=told.append, capacity=1) as inbox:
        events = aiter(inbox)
        assert [inbox.receive(flow(identity=name)) for name in "cd"] == ["taken", "no room"]
        assert (await anext(events)).tracking_id == "c"
        assert len(told) == 3


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tell": 7}, "tell must be a callable"),
        ({"confirm": "track"}, "confirm must be a callable"),
        ({"confirm_timeout": 7}, "confirm_timeout must be a positive timedelta"),
        ({"capacity": 0}, "capacity must be a whole number"),
        ({"concurrency": 1.5}, "concurrency must be a whole number"),
        ({"memory": -1}, "memory must be a whole number"),
        ({"shutdown_timeout": timedelta(0)}, "shutdown_timeout must be a positive timedelta"),
        ({"observers": [print]}, "observers must be objects with an observe"),
    ],
    ids=str,
)
def test_settings_that_cannot_work(settings: dict[str, Any], why: str) -> None:
    """A setting that cannot work is refused at once."""
    with pytest.raises(InvalidConfig, match=why):
        CallbackInbox(**settings)


def test_settings_stay_as_they_are() -> None:
    """An inbox's settings are set when it is made."""
    with pytest.raises(attrs.exceptions.FrozenAttributeError):
        CallbackInbox().capacity = 5


async def test_forgotten_flows_are_new() -> None:
    """Memory is bounded: of a flow that is forgotten, a repeat is taken for news."""
    async with CallbackInbox(max_flows=2) as inbox:
        Heard(inbox)
        for number in range(9):
            assert inbox.receive(flow(identity=str(number))) is ReceiveResult.NEW
        assert inbox.receive(flow(identity="8")) is ReceiveResult.DUPLICATE
        assert inbox.receive(flow(identity="0")) is ReceiveResult.NEW
