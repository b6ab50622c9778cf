"""What a send costs beside the hand-written call: `python benchmarks/send.py [--loop uvloop] [--at 32 256]`.

One two-step OTP flow a request, a new recipient and PIN each time, to a server on the other core that is not the
bottleneck. The clients take turns, round by round; the figures to read are the ratios of CPU time to plain aiohttp with
`json=dict` and `await response.json()`, which is what one would write by hand: no validation, token, retry or outcome.
"""

import argparse
import asyncio
import gc
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
import yarl
from stub import TOKEN, run_nginx

from routee_failover import Config, OtpFlow, OtpSmsStep, RouteeClient, ViberOtpStep

SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
TEMPLATE = "0aac888f-2ee2-4112-9659-1755a951966a"
MINUTE, THREE_MINUTES = timedelta(minutes=1), timedelta(minutes=3)
PATH = "/failover-otp/otp/send-failover"
BEARER = f"Bearer {TOKEN['access_token']}"

Send = Callable[[str, str], Awaitable[object]]


def mapping(to: str, pin: str) -> dict[str, Any]:
    """The JSON that every client sends."""
    return {
        "flow": [
            {"type": "ViberOtp", "order": 1, "to": to, "ttl": 60, "senderInfoTrackingId": SENDER,
             "templateId": TEMPLATE, "pin": pin},
            {"type": "Sms", "order": 2, "to": to, "ttl": 180, "from": "Demo",
             "message": {"body": f"Your code is {pin}"}},
        ]
    }  # fmt: skip


async def ours(url: str, stack: AsyncExitStack, at: int) -> Send:
    """Our own, with everything on."""
    # As long as aiohttp's own: ours is shorter, and between its rounds every connection would have to be made anew.
    settings = {"pool_size": at, "keepalive_expiry": timedelta(seconds=15)}
    config = Config(application_id="bench", application_secret="bench", api_url=url, auth_url=url, **settings)
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


async def plain(url: str, stack: AsyncExitStack, at: int) -> Send:
    """What one would write with aiohttp."""
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at)))

    async def send(to: str, pin: str) -> object:
        async with session.post(url + PATH, json=mapping(to, pin), headers={"Authorization": BEARER}) as response:
            return (await response.json())["flowId"]

    return send


async def tuned(url: str, stack: AsyncExitStack, at: int) -> Send:
    """With all of aiohttp that is known to be cheaper: bytes, one address, prepared headers, orjson."""
    connector = aiohttp.TCPConnector(limit=at)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    )
    address = yarl.URL(url + PATH)
    headers = {"Authorization": BEARER, "Content-Type": "application/json"}

    async def send(to: str, pin: str) -> object:
        data = orjson.dumps(mapping(to, pin))
        async with session.post(address, data=data, headers=headers, allow_redirects=False) as response:
            return orjson.loads(await response.read())["flowId"]

    return send


class Wire(asyncio.Protocol):
    """HTTP by hand: the whole answer is taken to be there when its last byte is."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answer once the body is whole."""
        self._got += data
        if self._got.endswith(b"}") and self.answered is not None:
            got, self._got = self._got, b""
            self.answered.set_result(got)


async def raw(url: str, stack: AsyncExitStack, at: int) -> Send:
    """The limit of the interpreter: prebuilt bytes on a protocol."""
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    free: list[Wire] = [(await loop.create_connection(Wire, host, int(port)))[1] for _ in range(at)]
    for wire in free:
        stack.callback(wire.transport.close)  # type: ignore[union-attr]
    body = orjson.dumps(mapping("+306912345678", "847291"))
    head = [f"POST {PATH} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: {BEARER}", f"Content-Length: {len(body)}"]
    request = "\r\n".join([*head, "", ""]).encode() + body

    async def send(_to: str, _pin: str) -> object:
        wire = free.pop()
        wire.answered = loop.create_future()
        wire.transport.write(request)  # type: ignore[union-attr]
        try:
            return await wire.answered
        finally:
            free.append(wire)

    return send


async def httpx_client(url: str, stack: AsyncExitStack, at: int) -> Send:
    """What one would write with httpx."""
    import httpx

    limits = httpx.Limits(max_connections=at, max_keepalive_connections=at)
    client = await stack.enter_async_context(httpx.AsyncClient(limits=limits))

    async def send(to: str, pin: str) -> object:
        answer = await client.post(url + PATH, json=mapping(to, pin), headers={"Authorization": BEARER})
        return answer.json()["flowId"]

    return send


async def twilio_client(url: str, stack: AsyncExitStack, at: int) -> Send:
    """twilio-python's own async client, sending one SMS."""
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client

    transport = await stack.enter_async_context(AsyncTwilioHttpClient(pool_connections=True))
    client = Client("AC" + "0" * 32, "secret", http_client=transport)
    client.api.base_url = url

    async def send(to: str, pin: str) -> object:
        return await client.messages.create_async(to=to, from_="+15005550006", body=f"Your code is {pin}")

    return send


async def openai_client(url: str, stack: AsyncExitStack, at: int) -> Send:
    """A Stainless-made client, posting the same JSON."""
    from openai import AsyncOpenAI

    client = await stack.enter_async_context(AsyncOpenAI(api_key="bench", base_url=url, max_retries=0))

    async def send(to: str, pin: str) -> object:
        return await client.post(PATH, body=mapping(to, pin), cast_to=object)

    return send


CLIENTS: dict[str, Callable[[str, AsyncExitStack, int], Awaitable[Send]]] = {
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


async def run_round(send: Send, requests: int, at: int) -> tuple[float, float]:
    """CPU and wall microseconds a request, over a round of requests, `at` of them at once."""
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            await send(f"+3069{number:08d}", f"{number:06d}")

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at)))
    return ((time.process_time() - cpu) / requests * 1e6, (time.perf_counter() - wall) / requests * 1e6)


async def compare(url: str, at: int, rounds: int, requests: int, names: list[str]) -> None:
    """Let the clients take turns and print medians and ratios."""
    async with AsyncExitStack() as stack:
        sends = {name: await CLIENTS[name](url, stack, at) for name in names}
        # Else the collector looks through the modules of all clients whenever one of them makes enough objects.
        gc.collect()
        gc.freeze()
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for number in range(rounds + 1):
            for name, send in sends.items():
                gc.collect()
                few = max(at, requests // 10) if name in SLOW else requests
                one = await run_round(send, few, at)
                if number:
                    times[name].append(one)
    print(f"\n{at} at once")
    for name in names:
        pairs = zip(times[name], times[BASELINE], strict=True)
        ratio = statistics.median(one[0] / other[0] for one, other in pairs)
        cpu, wall = (statistics.median(column) for column in zip(*times[name], strict=True))
        print(f"  {name:26} {cpu:8.1f} us CPU  {1e6 / wall:8.0f} a second  {ratio:6.2f} of plain")


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--at", type=int, nargs="+", default=[1, 32, 256, 1000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=[*CLIENTS], default=[*CLIENTS])
    options = parser.parse_args()
    names = [BASELINE, *(name for name in options.only if name != BASELINE)]
    os.sched_setaffinity(0, {0})
    with run_nginx(core=1) as url:
        for at in options.at:
            run = compare(url, at, options.rounds, options.requests, names)
            if options.loop == "uvloop":
                import uvloop

                uvloop.run(run)
            else:
                asyncio.run(run)


if __name__ == "__main__":
    main()
