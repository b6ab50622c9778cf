"""The access token from the caller's view: requested once, renewed by its lifetime, replaced when rejected."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from routee_failover import Forbidden, RouteeClient, SendResult, TokenUnavailable, Unauthorized
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest, Responder, accepted_response, always, token_response
from .rendered_errors import shown
from .sample_flows import CANARIES, sms


def lifetimes(*seconds: float, text: str = "token-{}") -> Responder:
    """Respond with tokens of these lifetimes in seconds, the last of them repeatedly."""
    remaining = list(seconds)
    numbers = iter(range(1, 1_000))

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return token_response(text.format(next(numbers)), remaining.pop(0) if len(remaining) > 1 else remaining[0])

    return respond


async def test_concurrent_sends_share_one_token_request() -> None:
    """200 sends that start at once make one token request."""

    async def slow(_request: ReceivedRequest) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return token_response("token-1")

    async with FakeRoutee(token=slow) as server, RouteeClient(server.config()) as client:
        await asyncio.gather(*(client.send(sms()) for _ in range(200)))
        assert server.token_requests == 1
        assert {request.headers["Authorization"] for request in server.requests} == {"Bearer token-1"}


async def test_cancelled_send_does_not_cancel_the_shared_token_request() -> None:
    """The token request belongs to all sends that wait for it: the first of them may be cancelled."""

    async def slow(_request: ReceivedRequest) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return token_response("token-1")

    async with FakeRoutee(token=slow) as server, RouteeClient(server.config()) as client:
        first = asyncio.create_task(client.send(sms()))
        second = asyncio.create_task(client.send(sms()))
        await asyncio.sleep(0.02)
        first.cancel()
        assert (await second).tracking_id
        assert server.token_requests == 1
        assert first.cancelled()


async def test_token_is_renewed_after_its_own_lifetime() -> None:
    """A short-lived token is replaced when it has expired, not after an assumed hour."""
    async with FakeRoutee(token=lifetimes(0.05, 3600)) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        await asyncio.sleep(0.06)
        await client.send(sms())
        await client.send(sms())
        assert server.token_requests == 2
        used = [request.headers["Authorization"] for request in server.requests]
    assert used == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]


async def test_remaining_lifetime_of_a_reissued_token_is_respected() -> None:
    """Routee returns the same token with less lifetime left each time; each figure counts from its own response."""
    async with (
        FakeRoutee(token=lifetimes(0.15, 0.05, 3600, text="same")) as server,
        RouteeClient(server.config()) as client,
    ):
        for pause in (0.0, 0.16, 0.06, 0.01):
            await asyncio.sleep(pause)
            await client.send(sms())
        assert server.token_requests == 3
        assert {request.headers["Authorization"] for request in server.requests} == {"Bearer same"}


async def test_expired_token_is_used_for_one_send_only() -> None:
    """A token that has expired on arrival is used for the send that waited for it and for no other."""
    async with FakeRoutee(token=lifetimes(0)) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        await client.send(sms())
        assert server.token_requests == 2


@pytest.fixture
def early_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are renewed after a twentieth of their lifetime, so that no test waits long for it."""
    monkeypatch.setattr("routee_failover._transport.token.RENEWAL_MARGIN_SHARE", 0.95)


@pytest.mark.usefixtures("early_renewal")
async def test_early_renewal_does_not_delay_sends() -> None:
    """Before its lifetime ends a token is renewed in the background, while sends use the old one."""
    release = asyncio.Event()
    tokens = lifetimes(2, 3600)

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        if server.token_requests > 1:
            await release.wait()
        return await tokens(request)

    async with FakeRoutee(token=respond) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        await asyncio.sleep(0.11)
        await asyncio.gather(*(client.send(sms()) for _ in range(20)))
        assert {request.headers["Authorization"] for request in server.requests} == {"Bearer token-1"}
        assert server.token_requests == 2
        release.set()
        for _ in range(200):
            if await _sent_with(client, server) == "Bearer token-2":
                break
        else:
            pytest.fail("the renewed token was never used")
        assert server.token_requests == 2


async def _sent_with(client: RouteeClient, server: FakeRoutee) -> str:
    await client.send(sms())
    return server.requests[-1].headers["Authorization"]


@pytest.mark.usefixtures("early_renewal")
async def test_failed_early_renewal_fails_no_send() -> None:
    """While the old token is valid, a token service that is down fails no send."""
    working = lifetimes(2)

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        return await working(request) if server.token_requests == 1 else web.Response(status=400)

    async with FakeRoutee(token=respond) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        await asyncio.sleep(0.11)
        await client.send(sms())
        await asyncio.sleep(0.03)
        await client.send(sms())
        assert server.token_requests > 1


async def test_concurrent_sends_renew_a_revoked_token_once() -> None:
    """100 senders whose token is revoked renew it once, and every message is accepted once."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config(pool_size=20)) as client:
        await client.send(sms())
        sandbox.revoke_tokens()
        await asyncio.gather(*(client.send(sms()) for _ in range(100)))
        assert sandbox.counts.token_requests == 2
        assert sandbox.counts.accepted == 101


async def test_revoked_token_costs_one_renewal_and_one_retry() -> None:
    """One send after a revocation: one rejection, one token request, one more send."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        await client.send(sms())
        before = sandbox.counts.requests
        sandbox.revoke_tokens()
        await client.send(sms())
        assert sandbox.counts.requests - before == 3


async def test_401_after_renewal_raises_unauthorized() -> None:
    """A server that always responds 401 gets each message twice at most, and the caller gets Unauthorized."""
    async with FakeRoutee(always(401, {"error": "invalid_token"})) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Unauthorized):
            await client.send(sms())
        assert (server.token_requests, len(server.requests)) == (2, 2)


async def test_403_costs_one_renewal_and_one_retry_per_send() -> None:
    """A server that always responds 403 costs one renewal and one retry for each send, even with ever new tokens."""
    async with FakeRoutee(always(403)) as server, RouteeClient(server.config()) as client:
        for count in (1, 2, 3):
            with pytest.raises(Forbidden):
                await client.send(sms())
            assert (server.token_requests, len(server.requests)) == (count + 1, 2 * count)


async def test_403_is_not_retried_if_renewal_returns_the_same_token() -> None:
    """Once a renewal has returned the same token, a 403 means a missing role: no more token requests, no retries."""
    async with (
        FakeRoutee(always(403), token=lifetimes(3600, text="same")) as server,
        RouteeClient(server.config()) as client,
    ):
        for _ in range(5):
            with pytest.raises(Forbidden):
                await client.send(sms())
        assert (server.token_requests, len(server.requests)) == (2, 5)


@pytest.mark.parametrize(("status", "error_class"), [(403, Forbidden), (401, TokenUnavailable)])
async def test_failed_renewal_keeps_403_and_turns_401_into_token_unavailable(
    status: int, error_class: type[Exception]
) -> None:
    """A 403 stays a 403 if the renewal fails, because it may be about a role; a 401 is about the token."""
    working = lifetimes(3600)

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        return await working(request) if server.token_requests == 1 else web.Response(status=400)

    async with FakeRoutee(always(status), token=respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(error_class):
            await client.send(sms())
        assert (server.token_requests, len(server.requests)) == (2, 1)


async def test_wrong_secret_raises_token_unavailable_and_sends_nothing() -> None:
    """A rejected application sends nothing and the error says what to compare; nothing shows the secret."""
    async with Sandbox() as sandbox:
        async with RouteeClient(sandbox.config(application_secret="canary-key")) as client:
            with pytest.raises(TokenUnavailable, match=r"rejected the application id and secret \(401\)") as caught:
                await client.send(sms())
        assert caught.value.status == 401
        assert sandbox.counts.requests == 1
    rendered = shown(caught.value)
    assert [secret for secret in (*CANARIES, "canary-key") if secret in rendered] == []


async def test_wrong_secret_costs_one_token_request_for_100_concurrent_sends() -> None:
    """All concurrent sends share one token request, and each of them raises its error."""
    async with Sandbox() as sandbox:
        async with RouteeClient(sandbox.config(application_secret="wrong")) as client:
            errors = await asyncio.gather(*(client.send(sms()) for _ in range(100)), return_exceptions=True)
        assert {type(error) for error in errors} == {TokenUnavailable}
        assert sandbox.counts.token_requests == 1


@pytest.mark.parametrize("status", [400, 403, 404, 201, 302])
async def test_status_of_the_token_service_is_in_the_error(status: int) -> None:
    """The status of the token service is in the error; the request is not repeated if it was rejected."""
    async with FakeRoutee(token=always(status)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable, match=f"answered {status}") as caught:
            await client.send(sms())
        assert (server.token_requests, server.requests) == (1, [])
    assert caught.value.status == status


async def test_500_of_the_token_service_is_retried() -> None:
    """A 500 of the token service proves nothing and is safe to repeat."""
    working = lifetimes(3600)

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(status=500) if server.token_requests < 3 else await working(request)

    async with FakeRoutee(token=respond) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        assert server.token_requests == 3


async def test_lasting_token_outage_raises_token_unavailable_after_three_attempts() -> None:
    """After three attempts the send ends in TokenUnavailable, with nothing sent."""
    async with FakeRoutee(token=always(500)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable, match="answered 500"):
            await client.send(sms())
        assert (server.token_requests, server.requests) == (3, [])


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"access_token": ""},
        {"access_token": " "},
        {"access_token": 5},
        {"access_token": None},
        {"access_token": "a\r\nX: y"},
        {"access_token": "ä"},
        "text",
    ],
)
async def test_response_without_a_usable_token_raises_token_unavailable(body: object) -> None:
    """A 200 that holds no usable token ends in TokenUnavailable; nothing of it gets into a header."""
    async with FakeRoutee(token=always(200, body)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable, match="holds no token") as caught:
            await client.send(sms())
        assert (caught.value.status, server.requests) == (200, [])


async def test_token_response_that_is_not_json_raises_token_unavailable() -> None:
    """A page instead of a token ends in TokenUnavailable, and none of it is quoted."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=b"<h1>canary</h1>")

    async with FakeRoutee(token=respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable, match="holds no token") as caught:
            await client.send(sms())
    assert "canary" not in shown(caught.value)


@pytest.mark.parametrize("lifetime", [None, "3600", True, -5, [], 631139040, 1e300])
async def test_token_with_odd_lifetime_is_used_and_kept(lifetime: object) -> None:
    """A token whose lifetime is missing, odd or twenty years long is used, and kept for a while."""
    async with (
        FakeRoutee(token=always(200, {"access_token": "t", "expires_in": lifetime})) as server,
        RouteeClient(server.config()) as client,
    ):
        await client.send(sms())
        await client.send(sms())
        assert server.token_requests == 1


@pytest.mark.usefixtures("early_renewal")
async def test_early_renewal_does_not_delay_sends_in_a_pool_of_one() -> None:
    """An early renewal delays no send, however small the pool is."""
    tokens = lifetimes(2, 3600)

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        if server.token_requests > 1:
            await asyncio.sleep(0.2)
        return await tokens(request)

    async with FakeRoutee(token=respond) as server, RouteeClient(server.config(pool_size=1)) as client:
        await client.send(sms())
        await asyncio.sleep(0.11)
        await client.send(sms())
        async with asyncio.timeout(0.1):
            await client.send(sms())


async def test_send_all_yields_token_unavailable_for_each_flow() -> None:
    """In send_all a token that cannot be obtained is each flow's own NOT_SENT."""
    async with Sandbox() as sandbox:
        config = sandbox.config(application_secret="wrong", total_timeout=timedelta(seconds=5))
        async with RouteeClient(config) as client:
            results = [result async for result in client.send_all([sms()] * 3, concurrency=2)]
    assert all(isinstance(result, SendResult) and isinstance(result.error, TokenUnavailable) for result in results)


async def test_late_401_reuses_a_token_renewed_meanwhile() -> None:
    """A 401 for a token that another send has replaced is retried with the new one, without a token request."""

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer token-1":
            await asyncio.sleep(0.02 * len(server.requests))
            return web.Response(status=401)
        return accepted_response()

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        await asyncio.gather(*(client.send(sms()) for _ in range(4)))
        assert server.token_requests == 2
