"""Waiting for the end of a flow, against the sandbox over real sockets."""

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
    """A login whose Viber message expires after a minute when the number says so."""
    viber = ViberOtpStep(to=to, sender_info_tracking_id="s", template_id=TEMPLATE, pin="847291", ttl=MINUTE)
    return OtpFlow(steps=[viber, OtpSmsStep(to=to, message="Your code is 847291", ttl=MINUTE)])


async def test_to_the_end_of_a_login() -> None:
    """Awaiting a flow gives its final record, after it has failed over; a hundred who wait ask no more than one."""
    async with Sandbox(speed=60) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(otp())
        before = sandbox.counts.requests
        records = await asyncio.gather(*(routee.wait(receipt, timeout=MINUTE) for _ in range(100)))
        assert {(record.final, record.status, len(record.steps)) for record in records} == {(True, "Succeeded", 2)}
        assert sandbox.counts.requests - before <= 3


async def test_every_kind_of_message() -> None:
    """Each receipt gives its own kind of record, and so do an id with its endpoint and one of a step of a flow."""
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


async def test_what_is_waited_for() -> None:
    """`until` says what satisfies: also less than the end."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(otp())
        started = await routee.wait(receipt, timeout=10, until=lambda record: len(record.steps) == 1)
        assert not started.final


async def test_by_a_record() -> None:
    """What was tracked once can be waited for, as it can be tracked again."""
    async with Sandbox(speed=1000) as sandbox, RouteeClient(sandbox.config()) as routee:
        flow = await routee.send(StandardFlow(steps=[SmsStep(to="+306912345678", from_="Me", message="Hi")]))
        assert (await routee.wait(await routee.track(flow), timeout=10)).final
        login = await routee.track(await routee.send(otp()))
        final = await routee.wait(login, timeout=10)
        assert (final.flow_id, final.final) == (login.flow_id, True)


async def test_until_the_person_has_the_code() -> None:
    """Routee's own example has succeeded with its SMS queued: a rule that asks the steps waits on until it arrived."""
    example = OtpRecord.from_dict(OTP)
    assert example.final
    assert [step.final for step in example.steps] == [True, False]
    there = copy.deepcopy(OTP)
    there["steps"][1]["status"] = "DELIVERED"
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
        routee.notify(OtpRecord.from_dict(there))
        assert [step.status for step in (await waiting).steps] == ["Expired", "Delivered"]


async def test_a_callback_ends_the_wait() -> None:
    """A record that arrived ends the wait for its flow at once, from whatever thread it is told, without a question."""
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


async def test_the_time_is_over() -> None:
    """`WaitTimeout` is a TimeoutError, carries the last record, says that the flow was accepted, and pickles."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(otp())
        with pytest.raises(TimeoutError) as told:
            await routee.wait(receipt, timeout=timedelta(seconds=1.5))
        error = told.value
        assert isinstance(error, WaitTimeout)
        assert error.outcome is Outcome.ACCEPTED
        assert error.record.status == "InProgress"
        again = pickle.loads(pickle.dumps(error))
        assert again.record.flow_id == receipt.flow_id
        assert "847291" not in str(error) + repr(error.record) + str(error.record.raw)


async def test_an_id_that_nobody_knows() -> None:
    """An id of the caller's own is asked about at once, and `NotFound` where Routee does not know it."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        with pytest.raises(NotFound):
            await routee.wait("no-such-flow", timeout=3600)


async def test_closing_the_client_ends_the_wait() -> None:
    """A client that is closed leaves nobody waiting."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        waiting = asyncio.create_task(routee.wait(await routee.send(otp()), timeout=3600))
        await asyncio.sleep(0)
        await routee.aclose()
        with pytest.raises(ClientClosed):
            await waiting


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), None, "5", True])
async def test_a_time_that_cannot_be_waited(timeout: Any) -> None:
    """A timeout that is no time is refused before anything is asked."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as routee:
        with pytest.raises(InvalidFlow, match="timeout"):
            await routee.wait("f-1", timeout=timeout)
        with pytest.raises(InvalidFlow, match="wait"):
            await routee.wait("", timeout=1)


def test_a_client_waits_in_several_loops() -> None:
    """One client waits in each event loop that it is used in; a loop that has ended is forgotten, and told nothing."""
    clients: list[RouteeClient] = []
    records: list[OtpRecord] = []

    async def once() -> None:
        async with Sandbox(speed=1000) as sandbox:
            here = RouteeClient(sandbox.config())
            clients.append(here)
            here._pollers = clients[0]._pollers
            records.append(await here.wait(await here.send(otp()), timeout=10))
            here.notify(records[-1])

    asyncio.run(once())
    clients[0].notify(records[0])
    asyncio.run(once())
    assert all(record.final for record in records)
    assert len(clients[0]._pollers._pollers) == 1


async def test_ten_thousand_waits() -> None:
    """Ten thousand waits at once keep to the rate of questions, and callbacks end all of them."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config(poll_rate=50)) as routee:
        receipts = [await routee.send(otp()) for _ in range(100)]
        before = sandbox.counts.requests
        loop = asyncio.get_running_loop()
        began = loop.time()
        waits = [asyncio.create_task(routee.wait(receipts[n % 100], timeout=3600)) for n in range(10_000)]
        async with asyncio.timeout(60):
            while sandbox.counts.requests - before < 20:  # noqa: ASYNC110  # counts tell nobody
                await asyncio.sleep(0.05)
        asked = sandbox.counts.requests - before
        assert 0 < asked <= 50 * (loop.time() - began) + 1
        await sandbox.advance(timedelta(hours=1))
        for receipt in receipts:
            routee.notify(await routee.track(receipt))
        assert all(record.final for record in await asyncio.gather(*waits))
