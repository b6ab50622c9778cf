"""RouteeClient.wait, against the sandbox over real sockets."""

import asyncio
import copy
import pickle
import threading
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import (
    ClientClosed,
    Endpoint,
    InvalidFlow,
    NotFound,
    OtpFlow,
    OtpRecord,
    OtpSmsStep,
    Outcome,
    RouteeClient,
    SmsStep,
    StandardFlow,
    ViberOtpMessage,
    ViberOtpStep,
    WaitTimeout,
)
from routee_failover.sandbox import Sandbox
from tests.webhooks.payloads import OTP

TEMPLATE = "0aac888f-2ee2-4112-9659-1755a951966a"
FAILS_OVER = "+306900000300"
MINUTE = timedelta(minutes=1)


def otp(to: str = FAILS_OVER) -> OtpFlow:
    """An OTP flow whose Viber message expires after a minute for the number `FAILS_OVER`."""
    viber = ViberOtpStep(to=to, sender_info_tracking_id="s", template_id=TEMPLATE, pin="847291", ttl=MINUTE)
    return OtpFlow(steps=[viber, OtpSmsStep(to=to, message="Your code is 847291", ttl=MINUTE)])


async def test_concurrent_waits_return_the_final_record_and_share_polls() -> None:
    """Waiting returns the final record, after the flow has failed over; 100 waits make no more polls than one."""
    async with Sandbox(speed=60) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(otp())
        before = sandbox.counts.requests
        records = await asyncio.gather(*(routee.wait(receipt, timeout=MINUTE) for _ in range(100)))
        assert {(record.final, record.status, len(record.steps)) for record in records} == {(True, "Succeeded", 2)}
        assert sandbox.counts.requests - before <= 3


async def test_wait_returns_the_record_type_of_each_kind_of_message() -> None:
    """Each receipt gives its own kind of record, and so do an id with its endpoint and the id of a step of a flow."""
    async with Sandbox(speed=1000) as sandbox, RouteeClient(sandbox.config()) as routee:
        flow = await routee.send(StandardFlow(steps=[SmsStep(to="+306912345678", from_="Me", message="Hi")]))
        assert (await routee.wait(flow, timeout=10)).termination_channel == "Sms"
        viber = ViberOtpMessage(to="+306912345678", sender_info_tracking_id="s")
        message = await routee.send(viber)
        assert (await routee.wait(message, timeout=10)).status == "Delivered"
        login = await routee.send(otp("+306912345678"))
        by_id = await routee.wait(login.flow_id, Endpoint.OTP, timeout=10)
        assert by_id.final
        assert login.sent_step is not None
        assert login.sent_step.tracking_id is not None
        by_step = await routee.wait(login.sent_step.tracking_id, "otp", timeout=10)
        assert isinstance(by_step, OtpRecord)
        assert by_step.flow_id == login.flow_id


async def test_until_predicate_ends_the_wait_before_the_flow_is_final() -> None:
    """`until` decides when the wait ends: also before the flow is final."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(otp())
        started = await routee.wait(receipt, timeout=10, until=lambda record: len(record.steps) == 1)
        assert not started.final


async def test_wait_accepts_a_record() -> None:
    """A record can be waited for as it can be tracked again."""
    async with Sandbox(speed=1000) as sandbox, RouteeClient(sandbox.config()) as routee:
        flow = await routee.send(StandardFlow(steps=[SmsStep(to="+306912345678", from_="Me", message="Hi")]))
        assert (await routee.wait(await routee.track(flow), timeout=10)).final
        login = await routee.track(await routee.send(otp()))
        final = await routee.wait(login, timeout=10)
        assert (final.flow_id, final.final) == (login.flow_id, True)


async def test_until_predicate_on_steps_waits_for_delivery_of_a_succeeded_flow() -> None:
    """Routee's own example is Succeeded with its SMS queued: a predicate on its steps waits until that is delivered."""
    example = OtpRecord.from_dict(OTP)
    assert example.final
    assert [step.final for step in example.steps] == [True, False]
    delivered = copy.deepcopy(OTP)
    delivered["steps"][1]["status"] = "DELIVERED"
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config(poll_rate=0.001)) as routee:
        waiting = asyncio.create_task(
            routee.wait(
                example, timeout=10, until=lambda record: record.final and all(step.final for step in record.steps)
            )
        )
        await asyncio.sleep(0)
        routee.notify(example)
        await asyncio.sleep(0.01)
        assert not waiting.done()
        routee.notify(OtpRecord.from_dict(delivered))
        assert [step.status for step in (await waiting).steps] == ["Expired", "Delivered"]


async def test_notify_from_another_thread_ends_the_wait_without_a_poll() -> None:
    """A record passed to `notify` ends the wait for its flow at once, from any thread, without another poll."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(otp())
        waiting = asyncio.create_task(routee.wait(receipt, timeout=3600))
        await sandbox.advance(timedelta(hours=1))
        final = await routee.track(receipt)
        before = sandbox.counts.requests
        thread = threading.Thread(target=routee.notify, args=[final])
        thread.start()
        assert (await asyncio.wait_for(waiting, 5)).final
        await asyncio.to_thread(thread.join)
        assert sandbox.counts.requests == before


async def test_wait_timeout_carries_the_last_record() -> None:
    """`WaitTimeout` is a TimeoutError, carries the last record, says that the flow was accepted, and can be pickled."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(otp())
        with pytest.raises(TimeoutError) as caught:
            await routee.wait(receipt, timeout=timedelta(seconds=1.5))
        error = caught.value
        assert isinstance(error, WaitTimeout)
        assert error.outcome is Outcome.ACCEPTED
        assert error.record.status == "InProgress"
        unpickled = pickle.loads(pickle.dumps(error))
        assert unpickled.record.flow_id == receipt.flow_id
        assert "847291" not in str(error) + repr(error.record) + str(error.record.raw)


async def test_wait_for_an_unknown_id_raises_not_found() -> None:
    """An id from the caller is polled at once, and raises `NotFound` if Routee does not know it."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        with pytest.raises(NotFound):
            await routee.wait("no-such-flow", timeout=3600)


async def test_aclose_ends_the_wait_with_client_closed() -> None:
    """Closing the client ends every wait."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        waiting = asyncio.create_task(routee.wait(await routee.send(otp()), timeout=3600))
        await asyncio.sleep(0)
        await routee.aclose()
        with pytest.raises(ClientClosed):
            await waiting


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), None, "5", True])
async def test_invalid_wait_timeout_is_refused_before_any_request(timeout: Any) -> None:
    """An invalid timeout is refused before any request is made."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as routee:
        with pytest.raises(InvalidFlow, match="timeout"):
            await routee.wait("f-1", timeout=timeout)
        with pytest.raises(InvalidFlow, match="wait"):
            await routee.wait("", timeout=1)


def test_waits_in_several_loops_and_closed_loops_are_forgotten() -> None:
    """One client waits in each event loop that it is used in; a closed loop is forgotten and gets no record."""
    clients: list[RouteeClient] = []
    records: list[OtpRecord] = []

    async def once() -> None:
        async with Sandbox(speed=1000) as sandbox:
            client = RouteeClient(sandbox.config())
            clients.append(client)
            client._pollers = clients[0]._pollers
            records.append(await client.wait(await client.send(otp()), timeout=10))
            client.notify(records[-1])

    asyncio.run(once())
    clients[0].notify(records[0])
    asyncio.run(once())
    assert all(record.final for record in records)
    assert len(clients[0]._pollers._pollers) == 1


async def test_ten_thousand_waits_keep_the_poll_rate() -> None:
    """Ten thousand waits at once keep the rate limit of polling, and callbacks end all of them."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config(poll_rate=50)) as routee:
        receipts = [await routee.send(otp()) for _ in range(100)]
        before = sandbox.counts.requests
        loop = asyncio.get_running_loop()
        started = loop.time()
        waits = [asyncio.create_task(routee.wait(receipts[n % 100], timeout=3600)) for n in range(10_000)]
        async with asyncio.timeout(60):
            while sandbox.counts.requests - before < 20:  # noqa: ASYNC110  # the sandbox sets no events for its counts
                await asyncio.sleep(0.05)
        polls = sandbox.counts.requests - before
        assert 0 < polls <= 50 * (loop.time() - started) + 1
        await sandbox.advance(timedelta(hours=1))
        for receipt in receipts:
            routee.notify(await routee.track(receipt))
        assert all(record.final for record in await asyncio.gather(*waits))
