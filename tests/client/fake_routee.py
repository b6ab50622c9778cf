"""Fake Routee over real sockets: it responds as a test says and counts the requests."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import attrs
from aiohttp import web

from routee_failover import Config


@attrs.frozen
class ReceivedRequest:
    """A request as the server received it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Responder = Callable[[ReceivedRequest], Awaitable[web.StreamResponse]]


def accepted_response(tracking_id: str = "t-1") -> web.Response:
    """The response to a standard flow that was accepted."""
    return web.json_response({"trackingId": tracking_id, "flowKind": "standard"})


def token_response(text: str, expires_in: object = 3600) -> web.Response:
    """The response to a token request."""
    return web.json_response({"access_token": text, "token_type": "bearer", "expires_in": expires_in})


class FakeRoutee:
    """Responds to sends with `respond` and to token requests with `token`; accepts everything by default."""

    def __init__(self, respond: Responder | None = None, token: Responder | None = None) -> None:
        self._respond = respond or self._accept
        self._respond_token = token or self._next_token
        self._numbers = itertools.count(1)
        self.requests: list[ReceivedRequest] = []
        self.token_requests = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.response_delay = 0.0
        self.url = ""

    async def _accept(self, request: ReceivedRequest) -> web.StreamResponse:
        return accepted_response(f"t-{len(self.requests)}")

    async def _next_token(self, request: ReceivedRequest) -> web.StreamResponse:
        return token_response(f"token-{next(self._numbers)}")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        received = ReceivedRequest(request.method, request.path_qs, dict(request.headers), await request.read())
        if request.path == "/oauth/token":
            self.token_requests += 1
            return await self._respond_token(received)
        self.requests.append(received)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.response_delay)
            return await self._respond(received)
        finally:
            self.in_flight -= 1

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=512).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def config(self, **changes: Any) -> Config:
        """A client's settings for this server."""
        return config_for(self.url, **changes)


def config_for(url: str, **changes: Any) -> Config:
    """Return a client's settings for a server at this address."""
    settings: dict[str, Any] = {
        "application_id": "application",
        "application_secret": "canary-key",
        "api_url": url,
        "auth_url": url,
    }
    return Config(**(settings | changes))


def always(status: int, body: object = None, **headers: str) -> Responder:
    """The same response to every request; underscores in the names of headers become hyphens."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        named_headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=named_headers)

    return respond


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true, however slow the machine is."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # the condition changes in a server that sets no events
            await asyncio.sleep(0.001)
