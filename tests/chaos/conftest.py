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

from .backstage import Backstage
from .connecting import Shakes
from .scale import make_room
from .server import FaultyServer

if os.environ.get("CHAOS_LOOP") == "uvloop":

    @pytest.hookimpl(optionalhook=True)
    def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        """Run the clients in loops of uvloop's."""
        import uvloop

        return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def stage() -> Iterator[Backstage]:
    """A loop in a thread of its own."""
    make_room()
    with Backstage() as here:
        yield here


@pytest_asyncio.fixture
async def server(stage: Backstage) -> AsyncIterator[FaultyServer]:
    """A server that behaves well until it is told otherwise."""
    async with FaultyServer(stage) as here:
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
def shakes(ca: trustme.CA) -> Shakes:
    """A server's side of TLS with a certificate that is right."""
    return Shakes(ca)
