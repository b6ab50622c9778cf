"""Compatibility check: if aiohttp does not call our request class, which proves NOT_SENT, no message is sent.

Nor is the outcome of any message NOT_SENT without that proof.
"""

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


class CountingHandler:
    """Handler that serves tokens, counts the messages, and sends the given response or aborts the connection."""

    def __init__(self, response: bytes | None = None) -> None:
        self.messages = 0
        self._response = response

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_RESPONSE)
            else:
                self.messages += 1
                if self._response is None:
                    reset(writer)
                    return
                writer.write(self._response)


def _rename_overrides(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Simulate aiohttp's main branch, where the methods we override have other names, so that ours are not called."""
    for name in names:
        for cls in (TrackedRequest, CustomSessionRequest):
            if name in vars(cls):
                monkeypatch.delattr(cls, name)


def _custom_session(**kwargs: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(**kwargs)


@pytest.mark.parametrize("custom_session", [False, True])
@pytest.mark.parametrize("names", [OVERRIDES, ("send",), ("write_bytes",)])
async def test_incompatible_aiohttp_sends_nothing_and_names_the_needed_version(
    names: tuple[str, ...], custom_session: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose aiohttp does not call our request class sends no message and says which aiohttp it needs."""
    _rename_overrides(monkeypatch, *names)
    handler = CountingHandler()
    async with RawServer(handler) as server:
        config = server.config(session_factory=_custom_session if custom_session else None)
        async with RouteeClient(config) as client:
            for _ in range(3):
                with pytest.raises(TokenUnavailable, match=r"install aiohttp>=3\.14,<4; nothing was sent") as caught:
                    await client.send(standard())
                assert caught.value.outcome is Outcome.NOT_SENT
    assert handler.messages == 0


def test_each_event_loop_runs_its_own_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that passed in one event loop says nothing about the session of another one."""
    handler = CountingHandler(ACCEPTED)

    async def run() -> None:
        async with RawServer(handler) as server:
            client = RouteeClient(server.config())
            await asyncio.to_thread(lambda: asyncio.run(_send_and_close(client)))
            _rename_overrides(monkeypatch, *OVERRIDES)
            with pytest.raises(NotSent, match="nothing was sent"):
                await asyncio.to_thread(lambda: asyncio.run(_send_and_close(client)))

    asyncio.run(run())
    assert handler.messages == 1


async def _send_and_close(client: RouteeClient) -> None:
    try:
        await client.send(standard())
    finally:
        await client.aclose()


async def test_token_from_a_middleware_does_not_fail_the_check() -> None:
    """A token that did not come over a connection says nothing about aiohttp, and is used."""
    handler = CountingHandler(ACCEPTED)

    stored: list[ClientResponse] = []

    async def return_stored_token(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if req.url.path != "/oauth/token":
            return await handler(req)
        return stored.pop()

    def factory(**kwargs: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(**kwargs, middlewares=(return_stored_token,))

    async with (
        RawServer(handler) as server,
        RouteeClient(server.config(session_factory=factory)) as client,
        aiohttp.ClientSession() as session,
    ):
        stored.append(await session.post(f"{server.url}/oauth/token", data=b"grant_type=client_credentials"))
        receipt = await client.send(standard())
    assert receipt.tracking_id == "t"
    assert handler.messages == 1


@pytest.fixture
def replaced_request(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Replace aiohttp's request function, as aioresponses does: token requests are sent, all others raise."""
    raised: list[BaseException] = []
    original = aiohttp.ClientSession._request

    async def request(self: aiohttp.ClientSession, method: str, url: Any, **named: Any) -> ClientResponse:
        if "oauth" in str(url):
            return await original(self, method, url, **named)
        raise raised[0]

    monkeypatch.setattr(aiohttp.ClientSession, "_request", request)
    _rename_overrides(monkeypatch, *OVERRIDES)
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
async def test_replaced_request_function_proves_not_sent_only_before_connecting(
    error: BaseException, outcome: Outcome, replaced_request: list[BaseException]
) -> None:
    """If other code sends the requests, only an error that occurs before any connection is NOT_SENT."""
    replaced_request.append(error)
    handler = CountingHandler(ACCEPTED)
    async with RawServer(handler) as server, RouteeClient(server.config(max_attempts=1)) as client:
        with pytest.raises(RouteeError) as caught:
            await client.send(standard())
    assert caught.value.outcome is outcome
    assert handler.messages == 0
