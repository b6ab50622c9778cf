"""Fixtures of the command-line tests: a sandbox in another thread, and the program run in this process."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from routee_failover.cli.app import app
from routee_failover.sandbox import Sandbox

from .shell import Result, settings


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose flows are final at once."""
    with running(Sandbox(speed=20_000)) as here:
        yield here


@contextmanager
def running(here: Sandbox) -> Iterator[Sandbox]:
    """Run a sandbox in its own thread and event loop: the commands under test have their own loops."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(here.__aenter__())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield here
    asyncio.run_coroutine_threadsafe(here.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


Cli = Callable[..., Result]


@pytest.fixture
def cli() -> Cli:
    """Return a function that runs the program in this process; without a sandbox it has no settings."""

    def run(*arguments: str, at: Sandbox | None = None, stdin: bytes | None = None, **environ: str | None) -> Result:
        result = CliRunner().invoke(app, arguments, input=stdin, env=settings(at) | environ)
        return Result(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], str]:
    """Return a function that writes a file, JSON or bytes, and returns its path."""

    def to_file(content: Any) -> str:
        path = tmp_path / "flow.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return to_file
