"""Cost of a send compared with a hand-written call: `python benchmarks/send.py [--loop uvloop] [--at 32 256] [--tls]`.

One two-step OTP flow a request, a new recipient and PIN each time, to a server on the other core that is not the
bottleneck. The clients alternate, round by round; the figures to read are the ratios of CPU time to plain aiohttp with
`json=dict` and `await response.json()`, the usual hand-written call: no validation, token, retry or outcome.
"""

import argparse
import asyncio
import gc
import os
import ssl
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import yarl
from stub import TOKEN, make_certificate, run_nginx

from routee_failover import Config, OtpFlow, OtpSmsStep, RouteeClient, ViberOtpStep

SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
TEMPLATE = "0aac888f-2ee2-4112-9659-1755a951966a"
MINUTE, THREE_MINUTES = timedelta(minutes=1), timedelta(minutes=3)
PATH = "/failover-otp/otp/send-failover"
BEARER = f"Bearer {TOKEN['access_token']}"

Send = Callable[[str, str], Awaitable[object]]


class Target(NamedTuple):
    """Where to send, and the context that trusts it."""

    url: str
    tls: ssl.SSLContext | None


def mapping(to: str, pin: str) -> dict[str, Any]:
    """Return the JSON that every client sends."""
    return {
        "flow": [
            {"type": "ViberOtp", "order": 1, "to": to, "ttl": 60, "senderInfoTrackingId": SENDER,
             "templateId": TEMPLATE, "pin": pin},
            {"type": "Sms", "order": 2, "to": to, "ttl": 180, "from": "Demo",
             "message": {"body": f"Your code is {pin}"}},
        ]
    }  # fmt: skip


async def ours(target: Target, stack: AsyncExitStack, at: int) -> Send:
    """Use this library, with everything on."""
    # keepalive_expiry as long as aiohttp's: with our shorter default every round would have to open new connections.
    settings = {"pool_size": at, "keepalive_expiry": timedelta(seconds=15)}
    config = Config(
        application_id="bench",
        application_secret="bench",
        api_url=target.url,
        auth_url=target.url,
        tls=target.tls,
        **settings,
    )
    client = await stack.enter_async_context(RouteeClient(config))

    async def send(to: str, pin: str) -> object:
        flow = OtpFlow(
            steps=[
                ViberOtpStep(to=to, ttl=MINUTE, sender_info_tracking_id=SENDER, template_id=TEMPLATE, pin=pin),
                OtpSmsStep(to=to, ttl=THREE_MINUTES, message=f"Your code is {pin}", from_="Demo"),
            ]
        )
        return (await client.send(flow)).flow_id

    return send


async def plain(target: Target, stack: AsyncExitStack, at: int) -> Send:
    """Use aiohttp in the usual way."""
    connector = aiohttp.TCPConnector(limit=at, ssl=target.tls or True)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

    async def send(to: str, pin: str) -> object:
        async with session.post(
            target.url + PATH, json=mapping(to, pin), headers={"Authorization": BEARER}
        ) as response:
            return (await response.json())["flowId"]

    return send


async def tuned(target: Target, stack: AsyncExitStack, at: int) -> Send:
    """Use the cheapest known options of aiohttp: bytes, one parsed URL, prepared headers, orjson."""
    connector = aiohttp.TCPConnector(limit=at, ssl=target.tls or True)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    )
    address = yarl.URL(target.url + PATH)
    headers = {"Authorization": BEARER, "Content-Type": "application/json"}

    async def send(to: str, pin: str) -> object:
        data = orjson.dumps(mapping(to, pin))
        async with session.post(address, data=data, headers=headers, allow_redirects=False) as response:
            return orjson.loads(await response.read())["flowId"]

    return send


class RawConnection(asyncio.Protocol):
    """Minimal HTTP: a response counts as complete when its last byte is there."""

    def __init__(self) -> None:
        self.response: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Complete the response once its body is complete."""
        self._received += data
        if self._received.endswith(b"}") and self.response is not None:
            received, self._received = self._received, b""
            self.response.set_result(received)


async def raw(target: Target, stack: AsyncExitStack, at: int) -> Send:
    """Use prebuilt bytes on an asyncio protocol: the limit of the interpreter."""
    url = target.url
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    idle: list[RawConnection] = [(await loop.create_connection(RawConnection, host, int(port)))[1] for _ in range(at)]
    for connection in idle:
        stack.callback(connection.transport.close)  # type: ignore[union-attr]
    body = orjson.dumps(mapping("+306912345678", "847291"))
    head = [f"POST {PATH} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: {BEARER}", f"Content-Length: {len(body)}"]
    request = "\r\n".join([*head, "", ""]).encode() + body

    async def send(_to: str, _pin: str) -> object:
        connection = idle.pop()
        connection.response = loop.create_future()
        connection.transport.write(request)  # type: ignore[union-attr]
        try:
            return await connection.response
        finally:
            idle.append(connection)

    return send


async def httpx_client(target: Target, stack: AsyncExitStack, at: int) -> Send:
    """Use httpx in the usual way."""
    url = target.url
    import httpx

    limits = httpx.Limits(max_connections=at, max_keepalive_connections=at)
    client = await stack.enter_async_context(httpx.AsyncClient(limits=limits))

    async def send(to: str, pin: str) -> object:
        response = await client.post(url + PATH, json=mapping(to, pin), headers={"Authorization": BEARER})
        return response.json()["flowId"]

    return send


async def twilio_client(target: Target, stack: AsyncExitStack, at: int) -> Send:
    """Use twilio-python's own async client, sending one SMS."""
    url = target.url
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client

    transport = await stack.enter_async_context(AsyncTwilioHttpClient(pool_connections=True))
    client = Client("AC" + "0" * 32, "secret", http_client=transport)
    client.api.base_url = url

    async def send(to: str, pin: str) -> object:
        return await client.messages.create_async(to=to, from_="+15005550006", body=f"Your code is {pin}")

    return send


async def openai_client(target: Target, stack: AsyncExitStack, at: int) -> Send:
    """Use a client generated by Stainless, posting the same JSON."""
    url = target.url
    from openai import AsyncOpenAI

    client = await stack.enter_async_context(AsyncOpenAI(api_key="bench", base_url=url, max_retries=0))

    async def send(to: str, pin: str) -> object:
        return await client.post(PATH, body=mapping(to, pin), cast_to=object)

    return send


CLIENTS: dict[str, Callable[[Target, AsyncExitStack, int], Awaitable[Send]]] = {
    "plain aiohttp, json=dict": plain,
    "ours, everything on": ours,
    "aiohttp tuned by hand": tuned,
    "raw asyncio protocol": raw,
    "twilio-python async": twilio_client,
    "httpx": httpx_client,
    "openai (Stainless)": openai_client,
}
BASELINE = "plain aiohttp, json=dict"
SLOW = {"httpx", "openai (Stainless)"}
WITH_TLS = ["plain aiohttp, json=dict", "ours, everything on", "aiohttp tuned by hand"]


async def run_round(send: Send, requests: int, at: int) -> tuple[float, float]:
    """Return the CPU and wall microseconds a request, over a round of requests, `at` of them concurrently."""
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            await send(f"+3069{number:08d}", f"{number:06d}")

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at)))
    return ((time.process_time() - cpu) / requests * 1e6, (time.perf_counter() - wall) / requests * 1e6)


async def compare(target: Target, at: int, rounds: int, requests: int, names: list[str]) -> None:
    """Alternate the clients and print medians and ratios."""
    async with AsyncExitStack() as stack:
        sends = {name: await CLIENTS[name](target, stack, at) for name in names}
        # Otherwise the garbage collector scans the modules of all clients whenever one of them allocates enough.
        gc.collect()
        gc.freeze()
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for number in range(rounds + 1):
            for name, send in sends.items():
                gc.collect()
                count = max(at, requests // 10) if name in SLOW else requests
                measured = await run_round(send, count, at)
                if number:
                    times[name].append(measured)
    print(f"\n{at} at once")
    for name in names:
        pairs = zip(times[name], times[BASELINE], strict=True)
        ratio = statistics.median(measured[0] / other[0] for measured, other in pairs)
        cpu, wall = (statistics.median(column) for column in zip(*times[name], strict=True))
        print(f"  {name:26} {cpu:8.1f} us CPU  {1e6 / wall:8.0f} a second  {ratio:6.2f} of plain")


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--at", type=int, nargs="+", default=[1, 32, 256, 1000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=[*CLIENTS])
    parser.add_argument("--tls", action="store_true", help="over TLS; of the clients, those that are aiohttp")
    options = parser.parse_args()
    chosen = options.only or (WITH_TLS if options.tls else [*CLIENTS])
    names = [BASELINE, *(name for name in chosen if name != BASELINE)]
    os.sched_setaffinity(0, {0})
    with ExitStack() as stack:
        certificate = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "server.pem" if options.tls else None
        tls = None if certificate is None else make_certificate(certificate)
        target = Target(stack.enter_context(run_nginx(1, certificate)), tls)
        for at in options.at:
            run = compare(target, at, options.rounds, options.requests, names)
            if options.loop == "uvloop":
                import uvloop

                uvloop.run(run)
            else:
                asyncio.run(run)


if __name__ == "__main__":
    main()
