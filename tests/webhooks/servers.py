"""Real servers on free ports, with the receivers mounted in real frameworks."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from aiohttp import web
from fastapi import FastAPI
from litestar import Litestar
from litestar.handlers import asgi
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from routee_failover.webhooks import AsgiReceiver, CallbackInbox, CallbackSigner, aiohttp_receiver

Asgi = Callable[..., Awaitable[None]]
MOUNT_PATH = "/routee"
"""Path at which the receivers are mounted."""


class _Server(uvicorn.Server):
    """Server with an event that is set once it has started."""

    def __init__(self, app: Any, lifespan: str) -> None:
        super().__init__(uvicorn.Config(app, port=0, lifespan=lifespan, log_config=None))  # type: ignore[arg-type]
        self.started_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and set the event."""
        await super().startup(sockets)
        self.started_up.set()


@asynccontextmanager
async def serve_with_uvicorn(app: Any, lifespan: str = "on") -> AsyncIterator[str]:
    """Serve an ASGI application; yields its URL."""
    server = _Server(app, lifespan)
    serving = asyncio.create_task(server.serve())
    started = asyncio.create_task(server.started_up.wait())
    await asyncio.wait([serving, started], return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    assert not serving.done(), "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def serve_with_aiohttp(app: web.Application) -> AsyncIterator[str]:
    """Serve an aiohttp application; yields its URL."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _aiohttp(inbox: CallbackInbox, signer: CallbackSigner | None, **more: Any) -> AbstractAsyncContextManager[str]:
    app = web.Application()
    app.add_subapp(MOUNT_PATH, aiohttp_receiver(inbox, signer, **more))
    return serve_with_aiohttp(app)


def _standalone(inbox: CallbackInbox, signer: CallbackSigner | None, **more: Any) -> AbstractAsyncContextManager[str]:
    return serve_with_uvicorn(AsgiReceiver(inbox, signer, **more))


def _starlette(inbox: CallbackInbox, signer: CallbackSigner | None, **more: Any) -> AbstractAsyncContextManager[str]:
    return serve_with_uvicorn(Starlette(routes=[_route(AsgiReceiver(inbox, signer, **more), signer)]))


def _fastapi(inbox: CallbackInbox, signer: CallbackSigner | None, **more: Any) -> AbstractAsyncContextManager[str]:
    app = FastAPI()
    app.router.routes.append(_route(AsgiReceiver(inbox, signer, **more), signer))
    return serve_with_uvicorn(app)


def _route(receiver: AsgiReceiver, signer: CallbackSigner | None) -> BaseRoute:
    """Return the route that docs/webhooks.md recommends: a mount redirects the URL without its slash."""
    return Mount(MOUNT_PATH, receiver) if signer is not None else Route(MOUNT_PATH + "{rest:path}", receiver)


def _litestar(inbox: CallbackInbox, signer: CallbackSigner | None, **more: Any) -> AbstractAsyncContextManager[str]:
    mounted = asgi(MOUNT_PATH, is_mount=True, copy_scope=False)(AsgiReceiver(inbox, signer, **more))
    return serve_with_uvicorn(Litestar([mounted], logging_config=None))


Serve = Callable[..., AbstractAsyncContextManager[str]]
SERVERS: dict[str, Serve] = {
    "aiohttp": _aiohttp,
    "asgi standalone": _standalone,
    "starlette": _starlette,
    "fastapi": _fastapi,
    "litestar": _litestar,
}
