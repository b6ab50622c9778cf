"""Fixtures of the bulk tests: a server that lists the messages it accepted, and fails as scripted."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.conftest import server_loop
from tests.chaos.server_loop import ServerLoop

__all__ = ["server_loop"]


@pytest_asyncio.fixture
async def server(server_loop: ServerLoop) -> AsyncIterator[ListingServer]:  # pytest finds the fixture by name
    """A server without faults until a test scripts some."""
    async with ListingServer(server_loop) as listing_server:
        yield listing_server
