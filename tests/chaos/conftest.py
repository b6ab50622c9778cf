"""Fixtures: one thread for all servers and proxies of a worker, a server for each test, and a CA for TLS.

With `CHAOS_LOOP=uvloop` the clients run in uvloop event loops.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import pytest_asyncio
import trustme

from .connection_faults import ServerTls
from .faulty_server import FaultyServer
from .scale import raise_file_limit
from .server_loop import ServerLoop

if os.environ.get("CHAOS_LOOP") == "uvloop":

    @pytest.hookimpl(optionalhook=True)
    def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        """Run the clients in uvloop event loops."""
        import uvloop

        return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def server_loop() -> Iterator[ServerLoop]:
    """Run the event loop of the servers in a thread of its own."""
    raise_file_limit()
    with ServerLoop() as opened:
        yield opened


@pytest_asyncio.fixture
async def server(server_loop: ServerLoop) -> AsyncIterator[FaultyServer]:
    """Start a server that has no fault until a test sets one."""
    async with FaultyServer(server_loop) as opened:
        yield opened


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """Return a certificate authority that no system trusts."""
    return trustme.CA()


@pytest.fixture
def trusted(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make clients trust that authority, as a system does that has it installed."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)


@pytest.fixture
def server_tls(ca: trustme.CA) -> ServerTls:
    """Return the server's side of TLS with a valid certificate."""
    return ServerTls(ca)
