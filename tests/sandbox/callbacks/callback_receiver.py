"""Callback receivers on free ports that record requests, and flows whose callbacks go to them."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

from aiohttp import web

from routee_failover.sandbox import AcceptedFlow

from ..raw_http import OTP, STANDARD, TEMPLATE_STEP, TRANSACTIONAL, VIBER_STEP, Caller, with_changes

Behaviour = int | Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """Callback receiver that records every request; it responds with the given behaviours in order, then `always`."""

    def __init__(self, *behaviours: Behaviour, always: Behaviour = 200) -> None:
        self._responses = list(behaviours)
        self.always = always
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self.concurrent = self.max_concurrent = 0
        self._arrived = asyncio.Condition()
        self.release = asyncio.Event()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # not listening yet: connections are refused
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/cb"
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, backlog=1024).start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.release.set()
        await self._runner.cleanup()
        self._socket.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request) or request.method == "POST"
        body = json.loads(await request.read())
        async with self._arrived:
            self.requests.append(request)  # type: ignore[arg-type]  # only members of a base request are used
            self.bodies.append(body)
            self._arrived.notify_all()
        behaviour = self._responses.pop(0) if self._responses else self.always
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        try:
            return web.Response(status=behaviour) if isinstance(behaviour, int) else await behaviour(request)  # type: ignore[arg-type]
        finally:
            self.concurrent -= 1

    async def received(self, count: int) -> None:
        """Wait for this many requests."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.bodies) >= count)

    async def hold(self, _request: web.Request) -> web.StreamResponse:
        """Do not respond before `release` is set or the receiver is closed."""
        await self.release.wait()
        return web.Response()


def standard(url: str, digits: str = "000", strategy: str | None = "OnStep", **changes: Any) -> dict[str, Any]:
    """Return a standard flow of Viber, SMS and Voice to the number with these digits."""
    to = f"+306900000{digits}"
    callback = {"url": url} if strategy is None else {"url": url, "strategy": strategy}
    return with_changes(
        STANDARD, **{"flow.0.to": to, "flow.1.to": to, "flow.2.to.phone": to, "callback": callback} | changes
    )


def transactional(url: str, digits: str = "000", strategy: str = "OnStep") -> dict[str, Any]:
    """Return a transactional flow of the same channels."""
    to = f"+306900000{digits}"
    callback = {"url": url, "strategy": strategy}
    return with_changes(
        TRANSACTIONAL, **{"flow.0.to": to, "flow.1.to": to, "flow.2.to.phone": to, "callback": callback}
    )


def otp(url: str, digits: str = "000") -> dict[str, Any]:
    """Return an OTP flow of Viber and SMS."""
    to = f"306900000{digits}"
    return with_changes(OTP, **{"flow.0.to": to, "flow.1.to": to, "callback": {"url": url}})


def single_viber(url: str, digits: str = "000", strategy: str = "OnStep") -> dict[str, Any]:
    """Return a standard flow of one Viber message with two callbacks: when it was sent, and when it ended."""
    step = with_changes(VIBER_STEP, to=f"+306900000{digits}")
    return {"flow": [step], "callback": {"url": url, "strategy": strategy}}


def viber_with_inbound(inbound: str) -> dict[str, Any]:
    """Return a transactional flow of one Viber message without a callback but with an `inboundUrl`."""
    return {"flow": [with_changes(TEMPLATE_STEP, inboundUrl=inbound)]}


async def accept(caller: Caller, operation: str, body: object) -> AcceptedFlow:
    """Send a flow, and return it as the sandbox accepted it."""
    status, _ = await caller.send(operation, body)
    assert status == 200
    return caller.sandbox.accepted[-1]


def statuses(bodies: Iterable[Any]) -> list[str]:
    """Return the status of the latest message in each body, or that of the flow where there is no message yet."""
    return [
        (body["messages"][-1]["status"]["name"] if body["messages"] else body["status"])
        if "messages" in body
        else body["steps"][-1]["status"]
        for body in bodies
    ]
