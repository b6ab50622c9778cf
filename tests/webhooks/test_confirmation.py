"""Confirmation: a final status is dispatched once Routee's API reports it, with the record that it returned."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import CallbackInbox, FlowRecord, NoResponse, NotFound, OtpRecord, ReceiveResult, ViberOtpRecord
from routee_failover.webhooks import confirmation

from .payloads import Json, flow, inbound, otp, viber_otp
from .recorders import RecordingHandler, RecordingObserver

Confirm = Callable[[Any], Awaitable[Any]]


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays of milliseconds."""
    monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 0.01)
    monkeypatch.setattr(confirmation, "_MAX_DELAY", 0.02)


class Tracking:
    """Scripted tracking responses, in sequence, the last one repeated; an exception is raised."""

    def __init__(self, *responses: Json | BaseException | None) -> None:
        self._responses = list(responses)
        self.requests: list[Any] = []

    async def track(self, record: FlowRecord | OtpRecord | ViberOtpRecord) -> Any:
        """Return or raise the next response."""
        self.requests.append(record)
        response = self._responses[0] if len(self._responses) == 1 else self._responses.pop(0)
        await asyncio.sleep(0)
        if isinstance(response, BaseException):
            raise response
        if response and type(record) is ViberOtpRecord:
            return ViberOtpRecord.from_dict(response)
        return response and (FlowRecord if "trackingId" in response else OtpRecord).from_dict(response)


async def test_confirmed_status_is_dispatched_with_the_record_of_the_api() -> None:
    """A confirmed final status is dispatched with Routee's own record; other statuses are not confirmed."""
    notified: list[Any] = []
    tracking = Tracking(flow("Succeeded", 6, "SEEN", totalPrice=0.5))
    async with CallbackInbox(confirm=tracking.track, notify=notified.append) as inbox:
        handler = RecordingHandler(inbox)
        payloads = (flow("InProgress", 1, "QUEUED"), inbound(), flow("Succeeded", 5, "DELIVERED"))
        assert [inbox.receive(payload, reference="login") for payload in payloads] == ["new"] * 3
        assert [record.status for record in notified] == ["InProgress"]
        progress, _, final = await handler.wait_for(3)
    assert [event.confirmed for event in handler.events] == [False, False, True]
    assert (final.record.total_price, final.reference, final.received_at >= progress.received_at) == (
        0.5,
        "login",
        True,
    )
    assert notified[-1] is final.record
    assert [record.status for record in tracking.requests] == ["Succeeded"]


async def test_final_status_of_an_otp_flow_is_confirmed() -> None:
    """The final status of an OTP flow is confirmed likewise."""
    async with CallbackInbox(confirm=Tracking(otp("Succeeded", "DELIVERED")).track) as inbox:
        handler = RecordingHandler(inbox)
        inbox.receive(otp("Succeeded", "DELIVERED"))
        assert (await handler.wait_for(1))[0].confirmed
        assert inbox.receive(otp("Succeeded", "DELIVERED")) is ReceiveResult.DUPLICATE


@pytest.mark.parametrize(
    "response",
    [
        NoResponse("it", reason="lost"),
        NotFound("not yet", status=404),
        OSError(),
        asyncio.CancelledError(),
        flow("InProgress", 4, "QUEUED"),
        flow("Succeeded", 5, tracking_id="another"),
        otp("Succeeded"),
        None,
    ],
    ids=repr,
)
async def test_confirmation_is_retried_until_the_api_agrees(response: Any) -> None:
    """While Routee cannot be reached, or does not report the status yet, the confirmation is retried."""
    tracking = Tracking(response, response, flow("Succeeded", 5))
    async with CallbackInbox(confirm=tracking.track) as inbox:
        handler = RecordingHandler(inbox)
        inbox.receive(flow("Succeeded", 5))
        assert (await handler.wait_for(1))[0].confirmed
    assert len(tracking.requests) == 3


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (flow("InProgress", 4), "not confirmed: Routee's API does not report it"),
        (NoResponse("739164", reason="739164"), "not confirmed: the request to Routee ended in NoResponse"),
    ],
)
async def test_unconfirmed_status_is_dropped_after_the_timeout(response: Any, reason: str) -> None:
    """After `confirm_timeout` the callback is dropped and that is emitted; the next one counts as the first."""
    observer, timeout = RecordingObserver(), timedelta(seconds=0.1)
    tracking = Tracking(response)
    async with CallbackInbox(confirm=tracking.track, confirm_timeout=timeout, observers=[observer]) as inbox:
        handler = RecordingHandler(inbox)
        inbox.receive(flow("Failed", 5))
        await asyncio.wait_for(observer.received.wait(), 10)
        assert observer.dropped == [("t-1", reason, True)]
        assert (inbox.pending, handler.events) == (0, [])
        assert len(tracking.requests) >= 2
        assert inbox.receive(flow("InProgress", 6, "QUEUED")) is ReceiveResult.NEW
        tracking.__init__(flow("Succeeded", 9, "DELIVERED"))  # type: ignore[misc]
        assert inbox.receive(flow("Failed", 5)) is ReceiveResult.NEW
        assert (await handler.wait_for(2))[1].record.status == "Succeeded"


async def test_hanging_confirmation_ends_with_the_timeout() -> None:
    """A confirmation without a response ends with `confirm_timeout`."""
    observer = RecordingObserver()

    async def hang(_record: object) -> Any:
        await asyncio.Event().wait()

    async with CallbackInbox(confirm=hang, confirm_timeout=timedelta(seconds=0.05), observers=[observer]) as inbox:
        inbox.receive(flow("Succeeded"))
    assert observer.dropped == [("t-1", "not confirmed: the request to Routee ended in TimeoutError", True)]


async def test_forged_final_status_does_not_hide_the_true_one() -> None:
    """Routee's record counts, whichever callback came first, and each final status is dispatched once."""
    observer = RecordingObserver()
    tracking = Tracking(flow("InProgress", 1), flow("Succeeded", 5, "DELIVERED"))
    async with CallbackInbox(confirm=tracking.track, observers=[observer]) as inbox:
        handler = RecordingHandler(inbox)
        assert inbox.receive(flow("Failed", 0)) is ReceiveResult.NEW
        assert inbox.receive(flow("InProgress", 1, "QUEUED")) is ReceiveResult.NEW
        assert inbox.receive(flow("Succeeded", 5, "DELIVERED")) is ReceiveResult.NEW
        await handler.wait_for(2)
        assert inbox.receive(flow("Succeeded", 5, "DELIVERED")) is ReceiveResult.DUPLICATE
        assert inbox.receive(flow("Failed", 0)) is ReceiveResult.DUPLICATE
        assert inbox.receive(flow("Failed", 7)) is ReceiveResult.STALE
    assert handler.statuses == ["InProgress", "Succeeded"]
    assert len(tracking.requests) == 2


async def test_repeated_callback_restarts_timeout_and_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks about the same final status share one confirmation; each restarts its timeout and its backoff."""
    monkeypatch.setattr(confirmation, "_MAX_DELAY", 60.0)
    monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 60.0)
    tracking = Tracking(flow("InProgress", 1), flow("Succeeded", 5))
    async with CallbackInbox(confirm=tracking.track) as inbox:
        handler = RecordingHandler(inbox)
        inbox.receive(flow("Succeeded", 5))
        inbox.receive(flow("Succeeded", 5))
        await asyncio.wait(inbox._tasks)
        monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 0.01)
        assert inbox.receive(flow("Succeeded", 5)) is ReceiveResult.NEW
        await handler.wait_for(1)
    assert (len(tracking.requests), handler.statuses) == (2, ["Succeeded"])


async def test_continuous_callbacks_do_not_postpone_the_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks that come faster than the first delay do not postpone the request."""
    monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 0.2)
    tracking = Tracking(flow("InProgress", 1), flow("Succeeded", 5))
    async with CallbackInbox(confirm=tracking.track) as inbox:
        handler = RecordingHandler(inbox)
        async with asyncio.timeout(10):
            while not handler.events:
                inbox.receive(flow("Succeeded", 5))
                await asyncio.sleep(0.01)
    assert handler.statuses == ["Succeeded"]


async def test_pending_confirmations_count_towards_the_capacity() -> None:
    """Pending confirmations count: flooding the inbox with forged final statuses does not fill the memory."""
    tracking = Tracking(NoResponse("it", reason="lost"))
    observer = RecordingObserver()
    inbox = CallbackInbox(
        confirm=tracking.track, capacity=2, shutdown_timeout=timedelta(seconds=0.05), observers=[observer]
    )
    results = [inbox.receive(flow("Failed", 1, tracking_id=str(number))) for number in range(4)]
    assert results == ["new", "new", "unavailable", "unavailable"]
    assert inbox.pending == 2
    await inbox.aclose()
    assert {reason for _, reason, _ in observer.dropped} == {"the inbox closed before it was handled"}
    assert inbox.pending == 0


async def test_close_cancels_a_scheduled_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A confirmation that is scheduled for later is not requested once the inbox is closed."""
    monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 0.1)
    tracking = Tracking(flow("InProgress", 1))
    observer = RecordingObserver()
    inbox = CallbackInbox(confirm=tracking.track, shutdown_timeout=timedelta(seconds=0.02), observers=[observer])
    inbox.receive(flow("Succeeded", 5))
    await asyncio.wait(inbox._tasks)
    await inbox.aclose()
    await asyncio.sleep(0.15)
    assert (len(tracking.requests), [lost for _, _, lost in observer.dropped]) == (1, [True])


async def test_close_waits_for_pending_confirmations() -> None:
    """What is confirmed while the inbox closes is dispatched, to a loop as well."""
    inbox = CallbackInbox(confirm=Tracking(flow("InProgress", 1), flow("Succeeded", 5)).track)
    first = asyncio.create_task(anext(inbox))
    await asyncio.sleep(0)
    inbox.receive(flow("Succeeded", 5))
    await inbox.aclose()
    assert (await first).confirmed


async def test_close_abandons_a_confirmation_in_flight_after_the_timeout() -> None:
    """A request still in flight at the shutdown timeout is abandoned, though it may return; the drop is emitted."""
    observer = RecordingObserver()

    async def hang(_record: object) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return FlowRecord.from_dict(flow("Succeeded", 5))

    inbox = CallbackInbox(confirm=hang, shutdown_timeout=timedelta(seconds=0.05), observers=[observer])
    handler = RecordingHandler(inbox)
    inbox.receive(flow("Succeeded", 5))
    await inbox.aclose()
    assert [lost for _, _, lost in observer.dropped] == [True]
    assert handler.events == []


async def test_record_dispatched_in_the_meantime_is_not_dispatched_again() -> None:
    """If Routee's record turns out to be one that was dispatched already, it is not dispatched again."""
    observer, proceed = RecordingObserver(), asyncio.Event()

    async def track(_record: object) -> FlowRecord:
        await proceed.wait()
        return FlowRecord.from_dict(flow("Succeeded", 3, "SEEN"))

    async with CallbackInbox(confirm=track, observers=[observer]) as inbox:
        handler = RecordingHandler(inbox)
        proceed.set()
        inbox.receive(flow("Succeeded", 3, "DELIVERED"))
        await handler.wait_for(1)
        inbox.receive(flow("Succeeded", 5, "DELIVERED", totalPrice=1))
    assert handler.statuses == ["Succeeded"]
    assert observer.dropped == [("t-1", "duplicate", False)]


async def test_viber_otp_is_confirmed_by_a_record_that_is_not_behind_its_callback() -> None:
    """A Viber OTP is confirmed by Routee's record of it; one that has not been seen yet does not confirm Seen."""
    tracking = Tracking(
        viber_otp("DELIVERED", 5),
        viber_otp("DELIVERED", 5),
        viber_otp("SEEN", 9, tracking_id="v-9"),
        viber_otp("SEEN", 9, price=0.02),
    )
    async with CallbackInbox(confirm=tracking.track) as inbox:
        handler = RecordingHandler(inbox)
        assert inbox.receive(viber_otp("DELIVERED", 5)) is ReceiveResult.NEW
        await handler.wait_for(1)
        assert inbox.receive(viber_otp("SEEN", 8)) is ReceiveResult.NEW
        first, last = await handler.wait_for(2)
    assert (first.record.status, first.confirmed, len(tracking.requests)) == ("Delivered", True, 4)
    assert (last.record.status, last.record.price, last.confirmed) == ("Seen", 0.02, True)
