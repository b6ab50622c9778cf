"""send_all over real sockets, with flows counted by the server."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web

from routee_failover import AnyFlow, BadRequest, ClientClosed, InvalidFlow, Outcome, RouteeClient, StandardFlow
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest, accepted_response, always
from .sample_flows import otp, sms, standard, transactional, viber_otp


async def test_flows_of_all_kinds_yield_their_receipts() -> None:
    """One batch may hold every kind of flow; each is accepted once and yielded with its own receipt."""
    flows: list[AnyFlow] = [standard(), transactional(), otp(), viber_otp()] * 5
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        results = [result async for result in client.send_all(flows, concurrency=4)]
        assert sandbox.counts.accepted == 20
    assert sorted(id(result.flow) for result in results) == sorted(id(flow) for flow in flows)
    kinds = {(type(result.flow).__name__, type(result.receipt).__name__) for result in results}
    assert kinds == {
        ("StandardFlow", "FlowReceipt"),
        ("TransactionalFlow", "FlowReceipt"),
        ("OtpFlow", "OtpReceipt"),
        ("ViberOtpMessage", "ViberOtpReceipt"),
    }


@pytest.mark.parametrize(("concurrency", "pool_size", "maximum"), [(3, 100, 3), (50, 4, 4), (None, 5, 5)])
async def test_requests_in_flight_respect_concurrency_and_pool_size(
    concurrency: int | None, pool_size: int, maximum: int
) -> None:
    """The server sees as many requests at once as concurrency and pool_size both allow, and no more."""
    async with FakeRoutee() as server:
        server.response_delay = 0.005
        async with RouteeClient(server.config(pool_size=pool_size)) as client:
            results = [result async for result in client.send_all([sms()] * 40, concurrency=concurrency)]
    assert (len(results), server.max_in_flight) == (40, maximum)


async def test_failed_flows_are_yielded_among_accepted_ones() -> None:
    """A rejection, an unknown outcome and an invalid item each have their own result, and the others are sent."""
    responses = iter(
        [accepted_response(), web.json_response({"developerMessage": "no"}, status=400), web.Response(status=500)]
    )

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return next(responses, None) or accepted_response()

    flows: list[Any] = [sms(), sms(), sms(), None, {"flow": []}, 5, sms()]
    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        results = [result async for result in client.send_all(flows, concurrency=1)]
    assert [result.outcome for result in results] == [
        *(Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN),
        *(Outcome.NOT_SENT, Outcome.NOT_SENT, Outcome.NOT_SENT, Outcome.ACCEPTED),
    ]
    assert isinstance(results[1].error, BadRequest)
    assert all(isinstance(result.error, InvalidFlow) for result in results[3:6])
    assert [result.flow for result in results] == flows


async def test_closing_an_endless_source_completes_sends_in_flight() -> None:
    """Leaving the loop and closing the iterator aborts no send: the server accepted exactly what was drawn."""
    drawn = 0

    async def source() -> AsyncIterator[StandardFlow]:
        nonlocal drawn
        for _ in itertools.count():
            await asyncio.sleep(0)
            drawn += 1
            yield sms()

    async with FakeRoutee() as server:
        server.response_delay = 0.005
        async with RouteeClient(server.config()) as client:
            sending = client.send_all(source(), concurrency=8)
            received = 0
            async for result in sending:
                assert result.outcome is Outcome.ACCEPTED
                received += 1
                if received == 20:
                    break
            await sending.aclose()
            assert len(server.requests) == drawn
            assert server.in_flight == 0
            assert drawn <= 20 + 2 * 8
            await client.send(sms())


async def test_long_batch_draws_at_most_one_window_ahead() -> None:
    """2,000 flows of an endless generator: at most one window is drawn ahead of the results that were read."""
    drawn = 0

    def source() -> Iterator[StandardFlow]:
        nonlocal drawn
        flow = sms()
        for drawn in itertools.count(1):  # noqa: B007  # it counts what is drawn
            yield flow

    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        sending = client.send_all(source(), concurrency=20)
        ahead = received = 0
        async for _ in sending:
            received += 1
            ahead = max(ahead, drawn - received)
            if received == 2_000:
                break
        await sending.aclose()
        assert len(server.requests) == drawn
    assert ahead <= 40


async def test_source_error_is_raised_after_the_results_before_it() -> None:
    """A source that fails, an unreadable file for example, raises its own error after the results before it."""

    def source() -> Iterator[StandardFlow]:
        yield from [sms(), sms()]
        raise OSError("disk gone")

    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        sending = client.send_all(source(), concurrency=4)
        assert [(await anext(sending)).outcome for _ in range(2)] == [Outcome.ACCEPTED] * 2
        with pytest.raises(OSError, match="disk gone"):
            await anext(sending)
        assert sandbox.counts.accepted == 2


async def test_closing_the_client_yields_a_result_for_each_remaining_flow() -> None:
    """Closing the client during a batch yields each remaining flow: NOT_SENT, or UNKNOWN for one in flight."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        results = []
        async for result in client.send_all([sms()] * 10, concurrency=1):
            results.append(result)
            if len(results) == 3:
                await client.aclose()
        assert len(results) == 10
        assert isinstance(results[-1].error, ClientClosed)
        outcomes = [result.outcome for result in results]
        accepted, unknown = outcomes.count(Outcome.ACCEPTED), outcomes.count(Outcome.UNKNOWN)
        assert accepted <= len(server.requests) <= accepted + unknown
        assert unknown <= 1


async def test_concurrent_batches_share_pool_and_token() -> None:
    """Two batches of one client share its pool and its token."""
    async with FakeRoutee() as server:
        server.response_delay = 0.002
        async with RouteeClient(server.config(pool_size=6)) as client:

            async def batch() -> int:
                return len([result async for result in client.send_all([sms()] * 20)])

            assert sum(await asyncio.gather(batch(), batch())) == 40
    assert (server.max_in_flight, server.token_requests, len(server.requests)) == (6, 1, 40)


async def test_unreachable_server_yields_not_sent_for_each_flow() -> None:
    """If no server listens, every flow is yielded as NOT_SENT."""
    async with FakeRoutee(always(200)) as server, RouteeClient(server.config(api_url="http://127.0.0.1:1")) as client:
        results = [result async for result in client.send_all([sms()] * 5)]
    assert [result.outcome for result in results] == [Outcome.NOT_SENT] * 5
