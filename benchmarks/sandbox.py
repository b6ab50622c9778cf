"""Throughput of one sandbox on one core, with full validation: `python benchmarks/sandbox.py`.

The sandbox runs in a process on a core of its own, and so does the baseline: an aiohttp.web server that parses the JSON
and responds with a constant. This process keeps both busy over keep-alive connections with prepared bytes, a recipient
and a PIN of its own in every request; they alternate, round by round. What counts is the server's own CPU time, which
it reports itself: sends a second are those that fit into one second of it. "Kept" is a sandbox with a store: it
responds when the file has the flow.
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle, islice
from typing import Any

import attrs
from send import SENDER, mapping

GOAL = 2_000
CONNECTIONS = 32
TEMPLATE = "bbbbbbbb-0000-4000-8000-000000000001"


# --- the requests


def standard(to: str, pin: str) -> dict[str, Any]:
    """Return a flow of Viber with a picture and a button, then SMS."""
    action = {"caption": "Open", "targetUrl": "https://example.test/"}
    message = {"text": f"Offer {pin}", "imageUrl": "https://example.test/i.png", "action": action}
    viber = {"type": "Viber", "order": 1, "senderInfoTrackingId": SENDER, "to": to, "ttl": 2.5, "message": message}
    return {"flow": [viber, sms(to, pin)]}


def transactional(to: str, pin: str) -> dict[str, Any]:
    """Return a flow of a Viber template, then SMS."""
    template = {"templateId": TEMPLATE, "templateLang": "en", "templateParams": {"order": pin}}
    viber = {"type": "Viber", "order": 1, "senderInfoTrackingId": SENDER, "to": to, "ttl": 5, **template}
    return {"flow": [viber, sms(to, pin)]}


def sms(to: str, pin: str) -> dict[str, Any]:
    """Return the second step of both flows."""
    return {"type": "Sms", "order": 2, "to": to, "ttl": 60, "from": "Demo", "message": {"body": f"Your code is {pin}"}}


SENDS = {
    "standard": ("/failover", standard),
    "transactional": ("/failover/transactional", transactional),
    "OTP": ("/failover-otp/otp/send-failover", mapping),
}


# --- the servers, each in a process of its own


async def serve_sandbox(store: str | None = None) -> None:
    """Serve the sandbox with its default settings."""
    from routee_failover.sandbox import Sandbox

    async with Sandbox(store=store) as sandbox:
        await report_until_closed(sandbox.url)


async def serve_persistent_sandbox() -> None:
    """Serve a sandbox with a store."""
    with tempfile.TemporaryDirectory() as folder:
        await serve_sandbox(f"{folder}/sandbox.db")


async def serve_constant() -> None:
    """Serve a minimal stub: parse the JSON, respond with a constant."""
    from aiohttp import web

    constant = json.dumps({"flowId": "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04", "status": "InProgress"}).encode()
    token = {"access_token": "stub", "token_type": "bearer", "expires_in": 3599}

    async def send(request: web.Request) -> web.Response:
        json.loads(await request.read())
        return web.Response(body=constant, content_type="application/json")

    async def create_token(_request: web.Request) -> web.Response:
        return web.json_response(token)

    application = web.Application()
    application.add_routes([web.post("/oauth/token", create_token), web.post("/{path:.*}", send)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    await report_until_closed(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


async def report_until_closed(url: str) -> None:
    """Print the URL; then, for every line of input, the CPU time of this process; return at the end of the input."""
    print(url, flush=True)
    closed = asyncio.get_running_loop().create_future()

    def on_input() -> None:
        if os.read(0, 100):
            print(time.process_time(), flush=True)
        elif not closed.done():
            closed.set_result(None)

    asyncio.get_running_loop().add_reader(0, on_input)
    await closed


SERVERS = {"sandbox": serve_sandbox, "kept": serve_persistent_sandbox, "constant": serve_constant}


@attrs.frozen
class Server:
    """Server in a process of its own."""

    process: "subprocess.Popen[str]"
    url: str

    def seconds(self) -> float:
        """Return the CPU time that it has used so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


@contextmanager
def serving(name: str, core: int) -> Iterator[Server]:
    """Run a server on one core."""
    command = [sys.executable, __file__, "--serve", name, "--core", str(core)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Server(process, process.stdout.readline().strip())
        process.stdin.close()  # type: ignore[union-attr]


# --- the load


class RawConnection(asyncio.Protocol):
    """Minimal HTTP over one connection: just enough to know that a response is complete and its status 200."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._response: asyncio.Future[bytes] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Complete the response once its body is complete."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]):
            return
        assert self._response is not None
        if b" 200 " in head[:20]:
            self._response.set_result(body)
        else:
            self._response.set_exception(AssertionError(self._received))
        self._received = b""

    async def send(self, request: bytes) -> bytes:
        """Send a request; return the body of its response."""
        assert self.transport is not None
        self._response = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._response


class Load:
    """Load on a server over some connections."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._address = server.url.removeprefix("http://")
        self._connections: list[RawConnection] = []
        self._token = ""

    async def connect(self) -> None:
        """Open the connections and get a token."""
        host, port = self._address.split(":")
        loop = asyncio.get_running_loop()
        self._connections = [
            (await loop.create_connection(RawConnection, host, int(port)))[1] for _ in range(CONNECTIONS)
        ]
        basic = base64.b64encode(b"sandbox:sandbox-secret").decode()
        form = "application/x-www-form-urlencoded"
        request = self._request("/oauth/token", f"Basic {basic}", form, b"grant_type=client_credentials")
        self._token = json.loads(await self._connections[0].send(request))["access_token"]

    def _request(self, path: str, authorization: str, content_type: str, body: bytes) -> bytes:
        head = [f"POST {path} HTTP/1.1", f"Host: {self._address}", f"Authorization: {authorization}",
                f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]  # fmt: skip
        return "\r\n".join([*head, "", ""]).encode() + body

    def requests(self, kind: str, number: int) -> list[bytes]:
        """Return `number` prepared requests, all different."""
        path, build = SENDS[kind]
        bodies = (json.dumps(build(f"+30697{index:07d}", f"{index:06d}")).encode() for index in range(number))
        return [self._request(path, f"Bearer {self._token}", "application/json", body) for body in bodies]

    async def run_round(self, requests: list[bytes]) -> tuple[float, float]:
        """Run a round; return the CPU and wall seconds of a request."""
        pending = iter(requests)

        async def worker(connection: RawConnection) -> None:
            for request in pending:
                await connection.send(request)

        cpu, wall = self.server.seconds(), time.perf_counter()
        await asyncio.gather(*map(worker, self._connections))
        wall = time.perf_counter() - wall
        return (self.server.seconds() - cpu) / len(requests), wall / len(requests)


async def compare(servers: dict[str, Server], rounds: int, requests: int) -> None:
    """Alternate the servers and print medians and ratios."""
    loads = {name: Load(server) for name, server in servers.items()}
    for load in loads.values():
        await load.connect()
    print(f"{'':20} {'CPU a send':>11} {'a second of CPU':>16} {'a second by the clock':>22}   ratio")
    for kind in SENDS:
        prepared = {name: load.requests(kind, requests) for name, load in loads.items()}
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in loads}
        for number, (name, load) in enumerate(islice(cycle(loads.items()), (rounds + 1) * len(loads))):
            measured = await load.run_round(prepared[name])
            if number >= len(loads):  # the first round warms up
                times[name].append(measured)
        for name in ("sandbox", "kept"):
            cpu, wall = (statistics.median(column) for column in zip(*times[name], strict=True))
            pairs = zip(times[name], times["constant"], strict=True)
            ratio = statistics.median(measured[0] / other[0] for measured, other in pairs)
            title = f"{kind}, kept" if name == "kept" else kind
            print(f"{title:20} {cpu * 1e6:8.0f} us {1 / cpu:16,.0f} {1 / wall:22,.0f}   {ratio:.2f} of the constant")
    print(f"(goal: at least {GOAL:,} a second of CPU)")


def main() -> None:
    """Read the options; serve or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--serve", choices=[*SERVERS], help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with suppress(AttributeError):  # not every system can pin a process to a core
        os.sched_setaffinity(0, {options.core})
    if options.serve:
        asyncio.run(SERVERS[options.serve]())
        return
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name, core=1)) for name in SERVERS}
        asyncio.run(compare(servers, options.rounds, options.requests))


if __name__ == "__main__":
    main()
