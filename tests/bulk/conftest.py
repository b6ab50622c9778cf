"""What the tests of bulk runs share: a server that lists what it took, and misbehaves as it is told."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.conftest import server_loop
from tests.chaos.server_loop import ServerLoop

__all__ = ["server_loop"]


@pytest_asyncio.fixture
async def server(server_loop: ServerLoop) -> AsyncIterator[ListingServer]:  # that is how pytest finds it
    """A server that behaves well until it is told otherwise."""
    async with ListingServer(server_loop) as here:
        yield here
