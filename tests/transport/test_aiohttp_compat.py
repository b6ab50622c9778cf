"""Where aiohttp does not call our request class, which proves NOT_SENT, no message leaves and none is called unsent."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from routee_failover import NotSent, Outcome, RouteeClient, RouteeError, TokenUnavailable
from routee_failover._transport.attempt import TrackedRequest
from routee_failover._transport.custom_session import CustomSessionRequest
from tests.client.sample_flows import standard

from .raw_server import ACCEPTED, TOKEN_PATH, TOKEN_RESPONSE, RawServer, Reader, Writer, read_request, reset

OVERRIDES = ("send", "write_bytes", "update_headers", "update_auto_headers")


class Taking:
    """A server that gives tokens, takes every message and then answers as it is told, or aborts."""

    def __init__(self, response: bytes | None = None) -> None:
        self.taken = 0
        self._answer = response

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Answer requests until the caller leaves."""
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_RESPONSE)
            else:
                self.taken += 1
                if self._answer is None:
                    reset(writer)
                    return
                writer.write(self._answer)


def _renamed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As on aiohttp's main branch: what we override has another name there, so that nothing calls ours."""
    for name in names:
        for cls in (TrackedRequest, CustomSessionRequest):
            if name in vars(cls):
                monkeypatch.delattr(cls, name)


def _session_of_ones_own(**given: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(**given)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("names", [OVERRIDES, ("send",), ("write_bytes",)])
async def test_renamed_overrides_send_nothing(
    names: tuple[str, ...], own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose aiohttp does not call our request class lets no message leave and says which aiohttp it needs."""
    _renamed(monkeypatch, *names)
    taking = Taking()
    async with RawServer(taking) as server:
        config = server.config(session_factory=_session_of_ones_own if own else None)
        async with RouteeClient(config) as client:
            for _ in range(3):
                with pytest.raises(TokenUnavailable, match=r"install aiohttp>=3\.14,<4; nothing was sent") as caught:
                    await client.send(standard())
                assert caught.value.outcome is Outcome.NOT_SENT
    assert taking.taken == 0


def test_each_loop_checks_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that one event loop passed says nothing of the session of the next one."""
    taking = Taking(ACCEPTED)

    async def run() -> None:
        async with RawServer(taking) as server:
            client = RouteeClient(server.config())
            await asyncio.to_thread(lambda: asyncio.run(_send_and_close(client)))
            _renamed(monkeypatch, *OVERRIDES)
            with pytest.raises(NotSent, match="nothing was sent"):
                await asyncio.to_thread(lambda: asyncio.run(_send_and_close(client)))

    asyncio.run(run())
    assert taking.taken == 1


async def _send_and_close(client: RouteeClient) -> None:
    try:
        await client.send(standard())
    finally:
        await client.aclose()


async def test_a_middleware_that_answers_for_the_token_service_lets_messages_pass() -> None:
    """A token that never came over a connection shows nothing of aiohttp, and is taken."""
    taking = Taking(ACCEPTED)

    kept: list[ClientResponse] = []

    async def answer_from_memory(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if req.url.path != "/oauth/token":
            return await handler(req)
        return kept.pop()

    def factory(**given: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(**given, middlewares=(answer_from_memory,))

    async with (
        RawServer(taking) as server,
        RouteeClient(server.config(session_factory=factory)) as client,
        aiohttp.ClientSession() as session,
    ):
        kept.append(await session.post(f"{server.url}/oauth/token", data=b"grant_type=client_credentials"))
        receipt = await client.send(standard())
    assert receipt.tracking_id == "t"
    assert taking.taken == 1


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Another function in the place of aiohttp's request, as aioresponses has it: it answers tokens, then raises."""
    raised: list[BaseException] = []
    original = aiohttp.ClientSession._request

    async def request(self: aiohttp.ClientSession, method: str, url: Any, **named: Any) -> ClientResponse:
        if "oauth" in str(url):
            return await original(self, method, url, **named)
        raise raised[0]

    monkeypatch.setattr(aiohttp.ClientSession, "_request", request)
    _renamed(monkeypatch, *OVERRIDES)
    return raised


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (aiohttp.ServerDisconnectedError(), Outcome.UNKNOWN),
        (TypeError("stream_writer"), Outcome.UNKNOWN),
        (aiohttp.ClientConnectionError("Connection refused: POST"), Outcome.UNKNOWN),
        (aiohttp.ConnectionTimeoutError(), Outcome.NOT_SENT),
    ],
)
async def test_an_error_that_no_connection_of_ours_was_asked_for_proves_nothing(
    error: BaseException, outcome: Outcome, replaced: list[BaseException]
) -> None:
    """Where something else makes the requests, only an error that comes before any connection is called NOT_SENT."""
    replaced.append(error)
    taking = Taking(ACCEPTED)
    async with RawServer(taking) as server, RouteeClient(server.config(max_attempts=1)) as client:
        with pytest.raises(RouteeError) as caught:
            await client.send(standard())
    assert caught.value.outcome is outcome
    assert taking.taken == 0
