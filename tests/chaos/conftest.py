"""One thread for all servers and proxies of a worker, a server for each test, and an authority for TLS.

`CHAOS_LOOP=uvloop` has the clients run in loops of uvloop's.
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
        """Run the clients in loops of uvloop's."""
        import uvloop

        return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def server_loop() -> Iterator[ServerLoop]:
    """A loop in a thread of its own."""
    raise_file_limit()
    with ServerLoop() as here:
        yield here


@pytest_asyncio.fixture
async def server(server_loop: ServerLoop) -> AsyncIterator[FaultyServer]:
    """A server that behaves well until it is told otherwise."""
    async with FaultyServer(server_loop) as here:
        yield here


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """An authority that no system knows."""
    return trustme.CA()


@pytest.fixture
def trusted(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have clients trust that authority, as a system would that knows it."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)


@pytest.fixture
def server_tls(ca: trustme.CA) -> ServerTls:
    """A server's side of TLS with a certificate that is right."""
    return ServerTls(ca)
