"""A Routee that answers as a test tells it to, over real sockets, and counts what it was asked."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import attrs
from aiohttp import web

from routee_failover import Config


@attrs.frozen
class Seen:
    """A request as the server read it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[Seen], Awaitable[web.StreamResponse]]


def accepted(tracking_id: str = "t-1") -> web.Response:
    """The answer to a standard flow that was accepted."""
    return web.json_response({"trackingId": tracking_id, "flowKind": "standard"})


def token(text: str, expires_in: object = 3600) -> web.Response:
    """A token answer."""
    return web.json_response({"access_token": text, "token_type": "bearer", "expires_in": expires_in})


class FakeRoutee:
    """Answers sends with `answer` and token requests with `token`; accepts everything if neither is given."""

    def __init__(self, answer: Answering | None = None, token: Answering | None = None) -> None:
        self._answer = answer or self._accept
        self._token = token or self._next_token
        self._numbers = itertools.count(1)
        self.requests: list[Seen] = []
        self.token_requests = 0
        self.under_way = 0
        self.most_at_once = 0
        self.pause = 0.0
        self.url = ""

    async def _accept(self, seen: Seen) -> web.StreamResponse:
        return accepted(f"t-{len(self.requests)}")

    async def _next_token(self, seen: Seen) -> web.StreamResponse:
        return token(f"token-{next(self._numbers)}")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, request.path_qs, dict(request.headers), await request.read())
        if request.path == "/oauth/token":
            self.token_requests += 1
            return await self._token(seen)
        self.requests.append(seen)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await asyncio.sleep(self.pause)
            return await self._answer(seen)
        finally:
            self.under_way -= 1

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
        settings: dict[str, Any] = {
            "application_id": "application",
            "application_secret": "canary-key",
            "api_url": self.url,
            "auth_url": self.url,
        }
        return Config(**(settings | changes))


def always(status: int, body: object = None, **headers: str) -> Answering:
    """The same answer to everything; underscores in the names of headers stand for hyphens."""

    async def answer(_seen: Seen) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=named)

    return answer


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds, however slow the machine is."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  # what is waited for happens in a server that knows no events
            await asyncio.sleep(0.001)
