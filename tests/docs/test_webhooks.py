"""docs/webhooks.md: its services run as printed, in their own processes, and a sandbox posts callbacks to them."""

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from routee_failover import CallbackSigner
from routee_failover.sandbox import Sandbox

from .test_python_blocks import blocks, environment

PAGE = "docs/webhooks.md"
AIOHTTP, ASGI, STARLETTE, LITESTAR, UNSIGNED, ITERATION, WSGI = blocks(PAGE, "python")
KEY = "a key that nobody else could ever guess"
SERVE_CALLS = {
    "aiohttp": "web.run_app(service.app, sock=here, access_log=None, print=None)",
    "asgi": "uvicorn.Server(uvicorn.Config(service.app, log_level='warning')).run(sockets=[here])",
    "wsgi": "serve_wsgi(service.app)",
}
SERVER = """
import contextlib, os, socket
import uvicorn
from aiohttp import web
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
here = socket.socket(fileno=int(os.environ["FD"]))
class Quiet(WSGIRequestHandler):
    def log_message(self, *_args): pass
class Threading(ThreadingMixIn, WSGIServer):
    def server_bind(self):
        self.socket.close()
        self.socket = here
        self.server_name, self.server_port = here.getsockname()
        self.setup_environ()
def serve_wsgi(app):
    with Threading(("127.0.0.1", 0), Quiet) as server:
        server.set_app(app)
        server.serve_forever(0.05)
import service
with contextlib.suppress(KeyboardInterrupt):
    {}
"""


class Service(NamedTuple):
    """A running service."""

    url: str
    signer: CallbackSigner
    output_lines: list[str]
    """The lines that it printed; complete once it has ended."""


@asynccontextmanager
async def run_service(kind: str, program: str, sandbox: Sandbox, folder: Path) -> AsyncIterator[Service]:
    """Run a program of the page behind its server; at the end, interrupt it and expect exit code 0 and no complaint."""
    (folder / "service.py").write_text(program, encoding="utf-8")
    (folder / "serve.py").write_text(SERVER.format(SERVE_CALLS[kind]), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as here:
        url = f"http://127.0.0.1:{here.getsockname()[1]}"
        settings = {"CALLBACK_KEY": KEY, "CALLBACK_URL": f"{url}/routee", "FD": str(here.fileno())}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", str(folder / "serve.py")),
            env=environment(sandbox) | settings,
            pass_fds=[here.fileno()],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        service = Service(url, CallbackSigner(KEY, base_url=f"{url}/routee"), [])
        try:
            yield service
            process.send_signal(signal.SIGINT)
            out, errors = await asyncio.wait_for(process.communicate(), 30)
        except BaseException:
            process.kill()
            await process.wait()
            raise
    service.output_lines.extend(out.decode().splitlines())
    # Development mode logs slow iterations of the loop, of which a loaded machine has some.
    complaints = [line for line in errors.decode().splitlines() if not re.search("Executing <.* took ", line)]
    assert (process.returncode, complaints) == (0, [])


async def test_aiohttp_service_responds_once_the_flow_is_final(tmp_path: Path) -> None:
    """The login responds when a callback reports the final status, and the handler gets each state once."""
    async with Sandbox(speed=600) as sandbox, run_service("aiohttp", AIOHTTP, sandbox, tmp_path) as service:
        visitor = {"name": "Ada", "to": "+306900000300"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{service.url}/login", json=visitor) as response,
        ):
            assert (response.status, await response.json()) == (200, {"status": "Succeeded"})
    assert service.output_lines[-1] == "login of Ada Succeeded"
    assert "login of Ada InProgress" in service.output_lines[:-1]


async def test_asgi_service_confirms_the_final_status(tmp_path: Path) -> None:
    """The final status of a callback is confirmed by Routee and ends the wait."""
    async with Sandbox(speed=600) as sandbox, run_service("asgi", ASGI, sandbox, tmp_path) as service:
        params = {"to": "+306900000000", "text": "Hello"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{service.url}/reminders", params=params) as response,
        ):
            assert (response.status, await response.json()) == (200, {"status": "Succeeded"})


@pytest.mark.parametrize("lines", [STARLETTE, LITESTAR], ids=["starlette", "litestar"])
async def test_other_framework_accepts_signed_urls_only(lines: str, tmp_path: Path) -> None:
    """Starlette and Litestar accept callbacks at signed URLs, and respond 404 to others."""
    program = ASGI.partition("app = FastAPI")[0] + lines
    body = b'{"trackingId": "t-1", "messages": [], "status": "InProgress"}'
    async with (
        Sandbox() as sandbox,
        run_service("asgi", program, sandbox, tmp_path) as service,
        aiohttp.ClientSession() as session,
    ):
        for address, status in ((service.signer.url("reminder"), 200), (f"{service.url}/routee/guess", 404)):
            async with session.post(address, data=body) as response:
                assert response.status == status


async def test_route_without_a_signer_does_not_redirect(tmp_path: Path) -> None:
    """The route for a receiver without a signer accepts callbacks with a slash at the end of its URL, and without."""
    program = ASGI.partition("app = FastAPI")[0] + UNSIGNED
    body = b'{"trackingId": "t-1", "messages": [], "status": "InProgress"}'
    async with (
        Sandbox() as sandbox,
        run_service("asgi", program, sandbox, tmp_path) as service,
        aiohttp.ClientSession() as session,
    ):
        for path in ("/routee", "/routee/"):
            async with session.post(service.url + path, data=body, allow_redirects=False) as response:
                assert response.status == 200


async def test_wsgi_service_hands_callbacks_over_to_the_loop(tmp_path: Path) -> None:
    """The threads of a WSGI server receive callbacks, and the handler gets each once, in the loop of the inbox."""
    bodies = [f'{{"trackingId": "t-{number}", "messages": [], "status": "InProgress"}}' for number in range(3)]
    async with (
        Sandbox() as sandbox,
        run_service("wsgi", WSGI, sandbox, tmp_path) as service,
        aiohttp.ClientSession() as session,
    ):

        async def post(url: str, body: str) -> int:
            async with session.post(url, data=body) as response:
                return response.status

        signed = service.signer.url("order 4711")
        assert await asyncio.gather(*(post(signed, body) for body in bodies * 2)) == [200] * 6
        assert await post(f"{service.url}/routee/guess", bodies[0]) == 404
        assert await post(signed, "{") == 400
    assert service.output_lines == ["order 4711 InProgress"] * 3


async def test_iteration_prints_the_received_callback(tmp_path: Path) -> None:
    """The program that iterates over an inbox prints the callback."""
    program = tmp_path / "loop.py"
    program.write_text(ITERATION, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", str(program)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert out.decode() == "order 4711 t-1 Succeeded\n"


def test_key_command_makes_a_valid_key(capfd: pytest.CaptureFixture[str]) -> None:
    """The printed command makes a key that the signer accepts."""
    (command,) = re.findall(r'python -c "(.*)"', blocks(PAGE, "console")[0])
    exec(command)
    assert CallbackSigner(capfd.readouterr().out.strip(), base_url="https://login.example.com/routee").url("x")
