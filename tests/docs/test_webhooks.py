"""The services on the page about callbacks run as they are printed, in processes of their own, called by a sandbox."""

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
AIOHTTP, ASGI, STARLETTE, LITESTAR, LOOP = blocks(PAGE, "python")
KEY = "a key that nobody else could ever guess"
SERVE = {
    "aiohttp": "web.run_app(service.app, sock=here, access_log=None, print=None)",
    "asgi": "uvicorn.Server(uvicorn.Config(service.app, log_level='warning')).run(sockets=[here])",
}
SERVER = """
import contextlib, os, socket
import uvicorn
from aiohttp import web
here = socket.socket(fileno=int(os.environ["FD"]))
import service
with contextlib.suppress(KeyboardInterrupt):
    {}
"""


class Service(NamedTuple):
    """A service that runs."""

    url: str
    signer: CallbackSigner
    said: list[str]
    """Its lines, once it has ended."""


@asynccontextmanager
async def run_service(kind: str, program: str, sandbox: Sandbox, folder: Path) -> AsyncIterator[Service]:
    """A program of the page behind its server; in the end it is interrupted, and has complained of nothing."""
    (folder / "service.py").write_text(program, encoding="utf-8")
    (folder / "serve.py").write_text(SERVER.format(SERVE[kind]), encoding="utf-8")
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
    service.said.extend(out.decode().splitlines())
    # Development mode tells of slow turns of the loop, of which a loaded machine has some.
    complaints = [line for line in errors.decode().splitlines() if not re.search("Executing <.* took ", line)]
    assert (process.returncode, complaints) == (0, [])


async def test_the_aiohttp_service(tmp_path: Path) -> None:
    """A visitor is answered when the SMS came, as a callback tells, and the handler sees each step of it once."""
    async with Sandbox(speed=600) as sandbox, run_service("aiohttp", AIOHTTP, sandbox, tmp_path) as service:
        visitor = {"name": "Ada", "to": "+306900000300"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{service.url}/login", json=visitor) as answer,
        ):
            assert (answer.status, await answer.json()) == (200, {"status": "Succeeded"})
    assert service.said[-1] == "login of Ada Succeeded"
    assert "login of Ada InProgress" in service.said[:-1]


async def test_the_asgi_service(tmp_path: Path) -> None:
    """The end that a callback tells is confirmed by Routee and ends the wait."""
    async with Sandbox(speed=600) as sandbox, run_service("asgi", ASGI, sandbox, tmp_path) as service:
        question = {"to": "+306900000000", "text": "Hello"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{service.url}/reminders", params=question) as answer,
        ):
            assert (answer.status, await answer.json()) == (200, {"status": "Succeeded"})


@pytest.mark.parametrize("lines", [STARLETTE, LITESTAR], ids=["starlette", "litestar"])
async def test_other_frameworks(lines: str, tmp_path: Path) -> None:
    """With the last lines that the page gives, Starlette and Litestar take callbacks, and at signed addresses only."""
    program = ASGI.partition("app = FastAPI")[0] + lines
    body = b'{"trackingId": "t-1", "messages": [], "status": "InProgress"}'
    async with (
        Sandbox() as sandbox,
        run_service("asgi", program, sandbox, tmp_path) as service,
        aiohttp.ClientSession() as session,
    ):
        for address, status in ((service.signer.url("reminder"), 200), (f"{service.url}/routee/guess", 404)):
            async with session.post(address, data=body) as answer:
                assert answer.status == status


async def test_the_loop(tmp_path: Path) -> None:
    """The loop prints the callback that it was given."""
    program = tmp_path / "loop.py"
    program.write_text(LOOP, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", str(program)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert out.decode() == "order 4711 t-1 Succeeded\n"


def test_the_key(capfd: pytest.CaptureFixture[str]) -> None:
    """The command that the page gives makes a key that the signer takes."""
    (command,) = re.findall(r'python -c "(.*)"', blocks(PAGE, "console")[0])
    exec(command)
    assert CallbackSigner(capfd.readouterr().out.strip(), base_url="https://login.example.com/routee").url("x")
