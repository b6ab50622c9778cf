"""Those who are called back: servers on free ports that remember what they got, and flows that report to them."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

from aiohttp import web

from routee_failover.sandbox import AcceptedFlow

from ..raw_http import OTP, STANDARD, TEMPLATE_STEP, TRANSACTIONAL, VIBER_STEP, Caller, changed

Behaviour = int | Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """Answers 200, but first, one after the other, as it is told; remembers every request in order."""

    def __init__(self, *behaviours: Behaviour, always: Behaviour = 200) -> None:
        self._first = list(behaviours)
        self.always = always
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self.at_once = self.most_at_once = 0
        self._arrived = asyncio.Condition()
        self.let_go = asyncio.Event()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # nobody listens yet: callers are refused
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/cb"
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, backlog=1024).start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.let_go.set()
        await self._runner.cleanup()
        self._socket.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request) or request.method == "POST"
        body = json.loads(await request.read())
        async with self._arrived:
            self.requests.append(request)  # type: ignore[arg-type]  # it is used as any request
            self.bodies.append(body)
            self._arrived.notify_all()
        behaviour = self._first.pop(0) if self._first else self.always
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return web.Response(status=behaviour) if isinstance(behaviour, int) else await behaviour(request)  # type: ignore[arg-type]
        finally:
            self.at_once -= 1

    async def received(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.bodies) >= count)

    async def hold(self, _request: web.Request) -> web.StreamResponse:
        """Do not answer before `let_go` is set, or this receiver leaves."""
        await self.let_go.wait()
        return web.Response()


def standard(url: str, digits: str = "000", strategy: str | None = "OnStep", **changes: Any) -> dict[str, Any]:
    """A standard flow of Viber, SMS and Voice to the number with these digits."""
    to = f"+306900000{digits}"
    callback = {"url": url} if strategy is None else {"url": url, "strategy": strategy}
    return changed(
        STANDARD, **{"flow.0.to": to, "flow.1.to": to, "flow.2.to.phone": to, "callback": callback} | changes
    )


def transactional(url: str, digits: str = "000", strategy: str = "OnStep") -> dict[str, Any]:
    """A transactional flow of the same channels."""
    to = f"+306900000{digits}"
    callback = {"url": url, "strategy": strategy}
    return changed(TRANSACTIONAL, **{"flow.0.to": to, "flow.1.to": to, "flow.2.to.phone": to, "callback": callback})


def otp(url: str, digits: str = "000") -> dict[str, Any]:
    """An OTP flow of Viber and SMS."""
    to = f"306900000{digits}"
    return changed(OTP, **{"flow.0.to": to, "flow.1.to": to, "callback": {"url": url}})


def single(url: str, digits: str = "000", strategy: str = "OnStep") -> dict[str, Any]:
    """A standard flow of one Viber message, which reports twice: when it was sent, and when it ended."""
    step = changed(VIBER_STEP, to=f"+306900000{digits}")
    return {"flow": [step], "callback": {"url": url, "strategy": strategy}}


def templated(inbound: str) -> dict[str, Any]:
    """A transactional flow of one Viber message that reports nothing, but can be answered."""
    return {"flow": [changed(TEMPLATE_STEP, inboundUrl=inbound)]}


async def accepted(caller: Caller, operation: str, body: object) -> AcceptedFlow:
    """Send a flow, and have it as the sandbox does."""
    status, _ = await caller.send(operation, body)
    assert status == 200
    return caller.sandbox.accepted[-1]


def statuses(bodies: Iterable[Any]) -> list[str]:
    """What each body says of the message that was sent last, or of the flow where there is none yet."""
    return [
        (body["messages"][-1]["status"]["name"] if body["messages"] else body["status"])
        if "messages" in body
        else body["steps"][-1]["status"]
        for body in bodies
    ]
