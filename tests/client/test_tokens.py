"""The access token as a client's callers meet it: asked for once, renewed by its own life, replaced when refused."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from routee_failover import Forbidden, RouteeClient, SendResult, TokenUnavailable, Unauthorized
from routee_failover.sandbox import Sandbox

from .fake_routee import Answering, FakeRoutee, Seen, accepted, always, token
from .rendered_errors import shown
from .sample_flows import CANARIES, sms


def lives(*seconds: float, text: str = "token-{}") -> Answering:
    """Tokens that live for so long, the last of them again and again."""
    left = list(seconds)
    given = iter(range(1, 1_000))

    async def answer(_seen: Seen) -> web.StreamResponse:
        return token(text.format(next(given)), left.pop(0) if len(left) > 1 else left[0])

    return answer


async def test_one_token_request_serves_all_who_wait() -> None:
    """200 sends that start at once ask for one token."""

    async def slow(_seen: Seen) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return token("token-1")

    async with FakeRoutee(token=slow) as server, RouteeClient(server.config()) as client:
        await asyncio.gather(*(client.send(sms()) for _ in range(200)))
        assert server.token_requests == 1
        assert {seen.headers["Authorization"] for seen in server.requests} == {"Bearer token-1"}


async def test_a_waiting_send_that_is_cancelled_takes_the_token_from_nobody() -> None:
    """The token request belongs to all who wait: the first of them may leave."""

    async def slow(_seen: Seen) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return token("token-1")

    async with FakeRoutee(token=slow) as server, RouteeClient(server.config()) as client:
        first = asyncio.create_task(client.send(sms()))
        second = asyncio.create_task(client.send(sms()))
        await asyncio.sleep(0.02)
        first.cancel()
        assert (await second).tracking_id
        assert server.token_requests == 1
        assert first.cancelled()


async def test_a_token_is_renewed_by_the_life_that_the_answer_says() -> None:
    """A token that lives shortly is replaced when its time is over, not after an assumed hour."""
    async with FakeRoutee(token=lives(0.05, 3600)) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        await asyncio.sleep(0.06)
        await client.send(sms())
        await client.send(sms())
        assert server.token_requests == 2
        used = [seen.headers["Authorization"] for seen in server.requests]
    assert used == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]


async def test_a_token_that_shrinks_is_followed_down() -> None:
    """Routee hands the same token back with less life each time; each figure counts from its own answer."""
    async with (
        FakeRoutee(token=lives(0.15, 0.05, 3600, text="same")) as server,
        RouteeClient(server.config()) as client,
    ):
        for pause in (0.0, 0.16, 0.06, 0.01):
            await asyncio.sleep(pause)
            await client.send(sms())
        assert server.token_requests == 3
        assert {seen.headers["Authorization"] for seen in server.requests} == {"Bearer same"}


async def test_a_token_without_life_is_asked_for_each_time() -> None:
    """A token that is over when it comes is used for the send that waited for it and for no other."""
    async with FakeRoutee(token=lives(0)) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        await client.send(sms())
        assert server.token_requests == 2


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are renewed after a twentieth of their life, so that no test waits long for it."""
    monkeypatch.setattr("routee_failover._transport.token.RENEWAL_MARGIN_SHARE", 0.95)


@pytest.mark.usefixtures("early")
async def test_an_early_renewal_makes_nobody_wait() -> None:
    """Before its life ends a token is renewed beside the sends, which go on with the old one."""
    release = asyncio.Event()
    first = lives(2, 3600)

    async def answer(seen: Seen) -> web.StreamResponse:
        if server.token_requests > 1:
            await release.wait()
        return await first(seen)

    async with FakeRoutee(token=answer) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        await asyncio.sleep(0.11)
        await asyncio.gather(*(client.send(sms()) for _ in range(20)))
        assert {seen.headers["Authorization"] for seen in server.requests} == {"Bearer token-1"}
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


@pytest.mark.usefixtures("early")
async def test_an_early_renewal_that_fails_harms_nobody() -> None:
    """While the old token lives, a token service that is down is nobody's error."""
    good = lives(2)

    async def answer(seen: Seen) -> web.StreamResponse:
        return await good(seen) if server.token_requests == 1 else web.Response(status=400)

    async with FakeRoutee(token=answer) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        await asyncio.sleep(0.11)
        await client.send(sms())
        await asyncio.sleep(0.03)
        await client.send(sms())
        assert server.token_requests > 1


async def test_revoked_tokens_cost_one_renewal_however_many_meet_them() -> None:
    """100 senders whose token is revoked renew it once, and every message is accepted once."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config(pool_size=20)) as client:
        await client.send(sms())
        sandbox.revoke_tokens()
        await asyncio.gather(*(client.send(sms()) for _ in range(100)))
        assert sandbox.counts.token_requests == 2
        assert sandbox.counts.accepted == 101


async def test_a_revoked_token_costs_one_renewal_and_one_resend() -> None:
    """One send after a revocation: one refusal, one token request, one more send."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        await client.send(sms())
        before = sandbox.counts.requests
        sandbox.revoke_tokens()
        await client.send(sms())
        assert sandbox.counts.requests - before == 3


async def test_a_refusal_that_a_new_token_does_not_change_is_told() -> None:
    """A server that always answers 401 gets each message twice at most, and the caller gets Unauthorized."""
    async with FakeRoutee(always(401, {"error": "invalid_token"})) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Unauthorized):
            await client.send(sms())
        assert (server.token_requests, len(server.requests)) == (2, 2)


async def test_403_is_bounded_for_each_send() -> None:
    """A server that always answers 403 costs one renewal and one resend for each send, even with ever new tokens."""
    async with FakeRoutee(always(403)) as server, RouteeClient(server.config()) as client:
        for count in (1, 2, 3):
            with pytest.raises(Forbidden):
                await client.send(sms())
            assert (server.token_requests, len(server.requests)) == (count + 1, 2 * count)


async def test_403_with_the_same_token_is_not_tried_again() -> None:
    """Once a renewal has given the same token, a 403 means a missing role: no more token requests, no resends."""
    async with (
        FakeRoutee(always(403), token=lives(3600, text="same")) as server,
        RouteeClient(server.config()) as client,
    ):
        for _ in range(5):
            with pytest.raises(Forbidden):
                await client.send(sms())
        assert (server.token_requests, len(server.requests)) == (2, 5)


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (401, TokenUnavailable)])
async def test_a_renewal_that_fails_after_a_refusal(status: int, kind: type[Exception]) -> None:
    """A 403 stays a 403 where the renewal fails, because it may be about a role; a 401 is about the token."""
    good = lives(3600)

    async def answer(seen: Seen) -> web.StreamResponse:
        return await good(seen) if server.token_requests == 1 else web.Response(status=400)

    async with FakeRoutee(always(status), token=answer) as server, RouteeClient(server.config()) as client:
        with pytest.raises(kind):
            await client.send(sms())
        assert (server.token_requests, len(server.requests)) == (2, 1)


async def test_a_wrong_secret_is_told_before_anything_is_sent() -> None:
    """A refused application sends nothing and says what to compare; nothing shows the key."""
    async with Sandbox() as sandbox:
        async with RouteeClient(sandbox.config(application_secret="canary-key")) as client:
            with pytest.raises(TokenUnavailable, match=r"rejected the application id and secret \(401\)") as caught:
                await client.send(sms())
        assert caught.value.status == 401
        assert sandbox.counts.requests == 1
    printed = shown(caught.value)
    assert [text for text in (*CANARIES, "canary-key") if text in printed] == []


async def test_100_senders_with_a_wrong_secret_ask_once() -> None:
    """A refused application is asked about once for all who wait, and each of them is told."""
    async with Sandbox() as sandbox:
        async with RouteeClient(sandbox.config(application_secret="wrong")) as client:
            told = await asyncio.gather(*(client.send(sms()) for _ in range(100)), return_exceptions=True)
        assert {type(error) for error in told} == {TokenUnavailable}
        assert sandbox.counts.token_requests == 1


@pytest.mark.parametrize("status", [400, 403, 404, 201, 302])
async def test_other_answers_of_the_token_service_are_told(status: int) -> None:
    """What the token service answers stands in the error; it is not repeated where it refused."""
    async with FakeRoutee(token=always(status)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable, match=f"answered {status}") as caught:
            await client.send(sms())
        assert (server.token_requests, server.requests) == (1, [])
    assert caught.value.status == status


async def test_a_token_service_that_stumbles_is_asked_again() -> None:
    """A 500 from the token service proves nothing and is safe to repeat."""
    good = lives(3600)

    async def answer(seen: Seen) -> web.StreamResponse:
        return web.Response(status=500) if server.token_requests < 3 else await good(seen)

    async with FakeRoutee(token=answer) as server, RouteeClient(server.config()) as client:
        await client.send(sms())
        assert server.token_requests == 3


async def test_a_token_service_that_stays_down_is_told() -> None:
    """After three tries the send ends in TokenUnavailable, with nothing sent."""
    async with FakeRoutee(token=always(500)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable, match="answered 500"):
            await client.send(sms())
        assert (server.token_requests, server.requests) == (3, [])


@pytest.mark.parametrize(
    "answer",
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
async def test_an_answer_without_a_token_is_told(answer: object) -> None:
    """A 200 that holds no usable token ends in TokenUnavailable; nothing of it gets into a header."""
    async with FakeRoutee(token=always(200, answer)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable, match="holds no token") as caught:
            await client.send(sms())
        assert (caught.value.status, server.requests) == (200, [])


async def test_a_token_answer_that_is_no_json_is_told() -> None:
    """A page instead of a token ends in TokenUnavailable, and none of it is quoted."""

    async def page(_seen: Seen) -> web.StreamResponse:
        return web.Response(body=b"<h1>canary</h1>")

    async with FakeRoutee(token=page) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable, match="holds no token") as caught:
            await client.send(sms())
    assert "canary" not in shown(caught.value)


@pytest.mark.parametrize("life", [None, "3600", True, -5, [], 631139040, 1e300])
async def test_a_life_out_of_the_ordinary_is_survived(life: object) -> None:
    """A token whose life is missing, odd or twenty years long is used, and kept for a while."""
    async with (
        FakeRoutee(token=always(200, {"access_token": "t", "expires_in": life})) as server,
        RouteeClient(server.config()) as client,
    ):
        await client.send(sms())
        await client.send(sms())
        assert server.token_requests == 1


@pytest.mark.usefixtures("early")
async def test_an_early_renewal_makes_nobody_wait_in_a_narrow_pool() -> None:
    """An early renewal makes nobody wait, however narrow the pool is."""
    first = lives(2, 3600)

    async def answer(seen: Seen) -> web.StreamResponse:
        if server.token_requests > 1:
            await asyncio.sleep(0.2)
        return await first(seen)

    async with FakeRoutee(token=answer) as server, RouteeClient(server.config(pool_size=1)) as client:
        await client.send(sms())
        await asyncio.sleep(0.11)
        await client.send(sms())
        async with asyncio.timeout(0.1):
            await client.send(sms())


async def test_sends_of_a_batch_are_told_about_the_token_too() -> None:
    """In send_all a token that cannot be had is each flow's own NOT_SENT."""
    async with Sandbox() as sandbox:
        config = sandbox.config(application_secret="wrong", total_timeout=timedelta(seconds=5))
        async with RouteeClient(config) as client:
            told = [sent async for sent in client.send_all([sms()] * 3, concurrency=2)]
    assert all(isinstance(sent, SendResult) and isinstance(sent.error, TokenUnavailable) for sent in told)


async def test_an_answer_decides_even_while_a_renewal_is_under_way() -> None:
    """A 401 for a token that somebody else has replaced meanwhile is answered with the new one, without a request."""

    async def answer(seen: Seen) -> web.StreamResponse:
        if seen.headers["Authorization"] == "Bearer token-1":
            await asyncio.sleep(0.02 * len(server.requests))
            return web.Response(status=401)
        return accepted()

    async with FakeRoutee(answer) as server, RouteeClient(server.config()) as client:
        await asyncio.gather(*(client.send(sms()) for _ in range(4)))
        assert server.token_requests == 2
