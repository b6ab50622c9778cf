"""Many flows over the wire: counted by the server that takes them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web

from routee_failover import AnyFlow, BadRequest, ClientClosed, InvalidFlow, Outcome, RouteeClient, StandardFlow
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, Seen, accepted, always
from .sample_flows import otp, sms, standard, transactional, viber_otp


async def test_flows_of_all_kinds_are_told_with_their_receipts() -> None:
    """One batch may hold every kind of flow; each is accepted once and told with its own receipt."""
    flows: list[AnyFlow] = [standard(), transactional(), otp(), viber_otp()] * 5
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        told = [sent async for sent in client.send_all(flows, concurrency=4)]
        assert sandbox.counts.accepted == 20
    assert sorted(id(sent.flow) for sent in told) == sorted(id(flow) for flow in flows)
    kinds = {(type(sent.flow).__name__, type(sent.receipt).__name__) for sent in told}
    assert kinds == {
        ("StandardFlow", "FlowReceipt"),
        ("TransactionalFlow", "FlowReceipt"),
        ("OtpFlow", "OtpReceipt"),
        ("ViberOtpMessage", "ViberOtpReceipt"),
    }


@pytest.mark.parametrize(("concurrency", "pool_size", "most"), [(3, 100, 3), (50, 4, 4), (None, 5, 5)])
async def test_the_server_never_sees_more_at_once(concurrency: int | None, pool_size: int, most: int) -> None:
    """The server sees as many requests at once as concurrency and pool_size both allow, and no more."""
    async with FakeRoutee() as server:
        server.pause = 0.005
        async with RouteeClient(server.config(pool_size=pool_size)) as client:
            told = [sent async for sent in client.send_all([sms()] * 40, concurrency=concurrency)]
    assert (len(told), server.most_at_once) == (40, most)


async def test_refused_flows_are_told_among_the_accepted() -> None:
    """A refusal, an unknown outcome and a wrong item each stand in their own Sent, and the rest goes on."""
    answers = iter([accepted(), web.json_response({"developerMessage": "no"}, status=400), web.Response(status=500)])

    async def answer(_seen: Seen) -> web.StreamResponse:
        return next(answers, None) or accepted()

    wrong: list[Any] = [sms(), sms(), sms(), None, {"flow": []}, 5, sms()]
    async with FakeRoutee(answer) as server, RouteeClient(server.config()) as client:
        told = [sent async for sent in client.send_all(wrong, concurrency=1)]
    assert [sent.outcome for sent in told] == [
        *(Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN),
        *(Outcome.NOT_SENT, Outcome.NOT_SENT, Outcome.NOT_SENT, Outcome.ACCEPTED),
    ]
    assert isinstance(told[1].error, BadRequest)
    assert all(isinstance(sent.error, InvalidFlow) for sent in told[3:6])
    assert [sent.flow for sent in told] == wrong


async def test_an_endless_async_source_can_be_left() -> None:
    """Leaving the loop and closing the iterator cuts no send: the server accepted exactly what was drawn."""
    drawn = 0

    async def source() -> AsyncIterator[StandardFlow]:
        nonlocal drawn
        for _ in itertools.count():
            await asyncio.sleep(0)
            drawn += 1
            yield sms()

    async with FakeRoutee() as server:
        server.pause = 0.005
        async with RouteeClient(server.config()) as client:
            sending = client.send_all(source(), concurrency=8)
            told = 0
            async for sent in sending:
                assert sent.outcome is Outcome.ACCEPTED
                told += 1
                if told == 20:
                    break
            await sending.aclose()
            assert len(server.requests) == drawn
            assert server.under_way == 0
            assert drawn <= 20 + 2 * 8
            await client.send(sms())


async def test_a_long_batch_holds_one_window_in_memory() -> None:
    """2,000 flows of an endless generator: at most a window is drawn ahead of what was told."""
    drawn = 0

    def source() -> Iterator[StandardFlow]:
        nonlocal drawn
        flow = sms()
        for drawn in itertools.count(1):  # noqa: B007  # it counts what is drawn
            yield flow

    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        sending = client.send_all(source(), concurrency=20)
        ahead = told = 0
        async for _ in sending:
            told += 1
            ahead = max(ahead, drawn - told)
            if told == 2_000:
                break
        await sending.aclose()
        assert len(server.requests) == drawn
    assert ahead <= 40


async def test_an_error_of_the_source_reaches_the_caller() -> None:
    """A source that fails, a file that cannot be read for example, raises its own error after what it gave was told."""

    def source() -> Iterator[StandardFlow]:
        yield from [sms(), sms()]
        raise OSError("disk gone")

    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        sending = client.send_all(source(), concurrency=4)
        assert [(await anext(sending)).outcome for _ in range(2)] == [Outcome.ACCEPTED] * 2
        with pytest.raises(OSError, match="disk gone"):
            await anext(sending)
        assert sandbox.counts.accepted == 2


async def test_a_client_that_is_closed_in_between_tells_each_flow() -> None:
    """Closing the client while a batch runs tells each remaining flow: NOT_SENT, or UNKNOWN for one under way."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        outcomes = []
        async for sent in client.send_all([sms()] * 10, concurrency=1):
            outcomes.append(sent)
            if len(outcomes) == 3:
                await client.aclose()
        assert len(outcomes) == 10
        assert isinstance(outcomes[-1].error, ClientClosed)
        told = [sent.outcome for sent in outcomes]
        accepted, unknown = told.count(Outcome.ACCEPTED), told.count(Outcome.UNKNOWN)
        assert accepted <= len(server.requests) <= accepted + unknown
        assert unknown <= 1


async def test_batches_side_by_side_share_one_pool() -> None:
    """Two batches of one client share its pool and its token."""
    async with FakeRoutee() as server:
        server.pause = 0.002
        async with RouteeClient(server.config(pool_size=6)) as client:

            async def batch() -> int:
                return len([sent async for sent in client.send_all([sms()] * 20)])

            assert sum(await asyncio.gather(batch(), batch())) == 40
    assert (server.most_at_once, server.token_requests, len(server.requests)) == (6, 1, 40)


async def test_a_batch_without_a_server_tells_each_flow() -> None:
    """Where nobody listens, every flow is told as NOT_SENT."""
    async with FakeRoutee(always(200)) as server, RouteeClient(server.config(api_url="http://127.0.0.1:1")) as client:
        told = [sent async for sent in client.send_all([sms()] * 5)]
    assert [sent.outcome for sent in told] == [Outcome.NOT_SENT] * 5
