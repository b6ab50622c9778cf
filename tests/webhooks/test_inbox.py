"""`CallbackInbox`: new callbacks are dispatched once, in order, and a failure affects nothing else."""

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
    ViberOtpRecord,
)

from .payloads import INBOUND, NEW, OTP, VIBER_OTP, body_of, flow, inbound, otp, viber_otp
from .recorders import RecordingHandler, RecordingObserver


async def test_viber_otp_callback_is_passed_to_notify_and_never_reverts_a_status() -> None:
    """A Viber OTP is passed on like a flow; Seen may follow Delivered, and nothing reverts either of them."""
    notified: list[Any] = []
    inbox = CallbackInbox(notify=notified.append, observers=[])
    sequence = [
        (viber_otp("QUEUED", 0), "new"),
        (viber_otp("DELIVERED", 5), "new"),
        (viber_otp("DELIVERED", 5), "duplicate"),
        (viber_otp("QUEUED", 0, seq=1), "stale"),
        (viber_otp("UNDELIVERED", 9), "stale"),
        (viber_otp("SEEN", 8), "new"),
        (viber_otp("DELIVERED", 5, seq=1), "stale"),
        (viber_otp("DELIVERED", 5, tracking_id="v-2"), "new"),
    ]
    assert [inbox.receive(payload) for payload, _ in sequence] == [result for _, result in sequence]
    assert [record.status for record in notified] == ["Queued", "Delivered", "Seen", "Delivered"]
    await inbox.aclose()


async def test_each_kind_of_callback_is_dispatched_to_its_handlers() -> None:
    """Each kind of callback goes to its handlers, typed, with the reference of its URL and the time of its receipt."""
    flow_events: list[CallbackEvent[FlowRecord]] = []
    otp_events: list[CallbackEvent[OtpRecord]] = []
    viber_otp_events: list[CallbackEvent[ViberOtpRecord]] = []
    inbound_events: list[CallbackEvent[InboundMessage]] = []
    before = datetime.now(UTC)
    async with CallbackInbox() as inbox:

        @inbox.on_flow
        async def on_flow(event: CallbackEvent[FlowRecord]) -> None:
            flow_events.append(event)

        @inbox.on_otp
        async def on_otp(event: CallbackEvent[OtpRecord]) -> None:
            otp_events.append(event)

        @inbox.on_viber_otp
        async def on_viber_otp(event: CallbackEvent[ViberOtpRecord]) -> None:
            viber_otp_events.append(event)

        @inbox.on_inbound
        async def on_inbound(event: CallbackEvent[InboundMessage]) -> None:
            inbound_events.append(event)

        for payload in (NEW, OTP, VIBER_OTP, INBOUND):
            assert inbox.receive(body_of(payload), reference="login") is ReceiveResult.NEW
    assert [flow_events[0].record.tracking_id, otp_events[0].record.flow_id, inbound_events[0].record.message] == [
        NEW["trackingId"],
        OTP["flowId"],
        INBOUND["message"],
    ]
    for event, kind, tracking_id in (
        (flow_events[0], "flow", "t-1"),
        (otp_events[0], "otp", OTP["flowId"]),
        (viber_otp_events[0], "viber-otp", "v-7"),
        (inbound_events[0], "inbound", None),
    ):
        assert (event.kind, event.tracking_id, event.reference, event.confirmed) == (kind, tracking_id, "login", False)
        assert before <= event.received_at <= datetime.now(UTC)


async def test_kind_without_a_handler_takes_no_capacity() -> None:
    """Callbacks of a kind that has no handler are done at once, even in a full inbox."""
    async with CallbackInbox(capacity=1) as inbox:
        handler = RecordingHandler()
        inbox.on_otp(handler)
        for number in range(3):
            assert inbox.receive(flow(tracking_id=str(number))) is ReceiveResult.NEW
        assert inbox.pending == 0
        inbox.receive(otp())
        await handler.wait_for(1)


async def test_duplicate_and_stale_callbacks_are_dropped() -> None:
    """Duplicate and stale callbacks are accepted and not dispatched."""
    observer = RecordingObserver()
    async with CallbackInbox(observers=[observer]) as inbox:
        handler = RecordingHandler(inbox)
        first, second, final = flow("InProgress", 1, "QUEUED"), flow("InProgress", 2, "EXPIRED"), flow("Failed", 3)
        results = [
            inbox.receive(payload) for payload in (second, second, first, final, second, final, flow("InProgress", 9))
        ]
    assert results == ["new", "duplicate", "stale", "new", "duplicate", "duplicate", "stale"]
    assert handler.statuses == ["InProgress", "Failed"]
    assert observer.dropped == [("t-1", result, False) for result in results if result != "new"]


async def test_inbound_messages_with_the_same_text_are_all_dispatched() -> None:
    """Two messages with the same text at different times are two; the same one twice is one."""
    async with CallbackInbox() as inbox:
        handler = RecordingHandler(inbox)
        later = inbound("ok") | {"sentDate": "2026-01-01T11:00:00Z"}
        assert [inbox.receive(payload) for payload in (inbound("ok"), later, inbound("ok"))] == [
            "new",
            "new",
            "duplicate",
        ]
    assert handler.statuses == ["ok", "ok"]


async def test_callbacks_of_a_flow_are_sequential_and_flows_concurrent() -> None:
    """A handler that is slow for one flow gets its callbacks one after the other, while other flows continue."""
    async with CallbackInbox(concurrency=2) as inbox:
        proceed, running, recorder = asyncio.Event(), [], RecordingHandler()

        @inbox.on_flow
        async def slow(event: CallbackEvent[FlowRecord]) -> None:
            running.append(event.tracking_id)
            assert running.count(event.tracking_id) == 1
            if event.tracking_id == "slow":
                await proceed.wait()
            running.remove(event.tracking_id)
            await recorder(event)

        for at in (1, 2, 3):
            inbox.receive(flow("InProgress", at, tracking_id="slow"))
        for number in range(20):
            inbox.receive(flow(tracking_id=str(number)))
        await recorder.wait_for(20)
        assert [event.tracking_id for event in recorder.events] == [str(number) for number in range(20)]
        assert inbox.pending == 2
        proceed.set()
        await recorder.wait_for(23)
    assert [event.record.updated_at.second for event in recorder.events[20:]] == [1, 2, 3]


async def test_concurrency_limits_the_callbacks_handled_at_a_time() -> None:
    """No more callbacks are handled at a time than `concurrency`."""
    async with CallbackInbox(concurrency=3) as inbox:
        proceed, running, highest, recorder = asyncio.Event(), 0, 0, RecordingHandler()

        @inbox.on_flow
        async def count(event: CallbackEvent[FlowRecord]) -> None:
            nonlocal running, highest
            running += 1
            highest = max(highest, running)
            await proceed.wait()
            running -= 1
            await recorder(event)

        for number in range(10):
            inbox.receive(flow(tracking_id=str(number)))
        await asyncio.sleep(0)
        proceed.set()
        await recorder.wait_for(10)
    assert highest == 3


async def test_full_inbox_neither_accepts_nor_records_a_callback() -> None:
    """A callback that a full inbox does not accept is new when it comes again. Duplicates need no capacity."""
    async with CallbackInbox(capacity=2) as inbox:
        events = aiter(inbox)
        assert [inbox.receive(flow(tracking_id=str(number))) for number in range(3)] == ["new", "new", "unavailable"]
        assert inbox.receive(flow(tracking_id="0")) is ReceiveResult.DUPLICATE
        await anext(events)
        assert inbox.receive(flow(tracking_id="2")) is ReceiveResult.NEW
        assert [(await anext(events)).tracking_id for _ in range(2)] == ["1", "2"]


class HandlerError(Exception):
    """Raised by handlers of tests, with a PIN in its text."""


@pytest.mark.parametrize("error", [HandlerError("739164"), asyncio.CancelledError("739164"), TimeoutError()])
async def test_failing_handler_is_reported_without_its_text(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing handler is reported by its name and the error class; other handlers and other events are unaffected."""
    observer = RecordingObserver()
    async with CallbackInbox(observers=[observer]) as inbox:

        @inbox.on_flow
        async def fail(_event: CallbackEvent[FlowRecord]) -> None:
            raise error

        handler = RecordingHandler(inbox)
        inbox.receive(flow("InProgress", 1))
        inbox.receive(flow("Succeeded", 2))
    assert handler.statuses == ["InProgress", "Succeeded"]
    assert [name.rpartition(".")[2] for name, _ in observer.failed] == ["fail", "fail"]
    assert {kind for _, kind in observer.failed} == {type(error).__name__}
    assert "739164" not in caplog.text + repr(observer.events)


async def test_failing_handler_is_logged_without_observers(caplog: pytest.LogCaptureFixture) -> None:
    """Without observers, a handler that fails is found in the log, without the error's text."""
    async with CallbackInbox() as inbox:

        @inbox.on_otp
        async def fail(_event: CallbackEvent[OtpRecord]) -> None:
            raise HandlerError("739164")

        inbox.receive(otp("Succeeded"))
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert line.getMessage().endswith("fail raised HandlerError on a callback (otp f-1)")
    assert "739164" not in caplog.text


async def test_notify_gets_new_flow_records_without_a_consumer() -> None:
    """`notify` is called at once with new records of flows, and needs no consumer; it may fail."""
    notified: list[Any] = []

    def notify(record: FlowRecord | OtpRecord) -> None:
        notified.append(record.status)
        if record.final:
            raise HandlerError("739164")

    observer = RecordingObserver()
    async with CallbackInbox(notify=notify, capacity=1, observers=[observer]) as inbox:
        for payload in (flow("InProgress", 1), flow("InProgress", 1), inbound(), otp("Succeeded"), flow("Failed", 2)):
            inbox.receive(payload)
        assert notified == ["InProgress", "Succeeded", "Failed"]
        assert inbox.pending == 0
    assert [error for _, error in observer.failed] == ["HandlerError", "HandlerError"]


async def test_notify_and_handlers_get_the_same_callbacks() -> None:
    """A handler gets what `notify` got, and `notify` gets nothing that a full inbox does not accept."""
    notified: list[Any] = []
    async with CallbackInbox(notify=notified.append, capacity=1) as inbox:
        handler = RecordingHandler(inbox)
        assert [inbox.receive(flow(tracking_id=name)) for name in "ab"] == ["new", "new"]
        await handler.wait_for(2)
        assert [record.tracking_id for record in notified] == ["a", "b"]
    async with CallbackInbox(notify=notified.append, capacity=1) as inbox:
        events = aiter(inbox)
        assert [inbox.receive(flow(tracking_id=name)) for name in "cd"] == ["new", "unavailable"]
        assert (await anext(events)).tracking_id == "c"
        assert len(notified) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"notify": 7}, "notify must be a callable"),
        ({"confirm": "track"}, "confirm must be a callable"),
        ({"confirm_timeout": 7}, "confirm_timeout must be a positive timedelta"),
        ({"capacity": 0}, "capacity must be a whole number"),
        ({"concurrency": 1.5}, "concurrency must be a whole number"),
        ({"slow_handler_after": 30}, "slow_handler_after must be a positive timedelta"),
        ({"max_flows": -1}, "max_flows must be a whole number"),
        ({"shutdown_timeout": timedelta(0)}, "shutdown_timeout must be a positive timedelta"),
        ({"observers": [print]}, "observers must be objects with an observe"),
    ],
    ids=str,
)
def test_invalid_setting_raises_invalid_config(settings: dict[str, Any], message: str) -> None:
    """A setting that cannot work is refused at once."""
    with pytest.raises(InvalidConfig, match=message):
        CallbackInbox(**settings)


def test_settings_are_read_only() -> None:
    """An inbox's settings are set when it is made."""
    with pytest.raises(attrs.exceptions.FrozenAttributeError):
        CallbackInbox().capacity = 5


async def test_evicted_flows_count_as_new() -> None:
    """Memory is bounded: a duplicate callback of an evicted flow counts as new."""
    async with CallbackInbox(max_flows=2) as inbox:
        RecordingHandler(inbox)
        for number in range(9):
            assert inbox.receive(flow(tracking_id=str(number))) is ReceiveResult.NEW
        assert inbox.receive(flow(tracking_id="8")) is ReceiveResult.DUPLICATE
        assert inbox.receive(flow(tracking_id="0")) is ReceiveResult.NEW
