"""One thread for all servers and proxies of a worker, a server for each test, and an authority for TLS."""

import ssl
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import trustme

from .backstage import Backstage
from .connecting import Shakes
from .server import FaultyServer


@pytest.fixture(scope="session")
def stage() -> Iterator[Backstage]:
    """A loop in a thread of its own."""
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
