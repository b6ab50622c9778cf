"""What the tests of bulk runs share: a server that lists what it took, and misbehaves as it is told."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.chaos.backstage import Backstage
from tests.chaos.bulk.listing import ListingServer
from tests.chaos.conftest import stage

__all__ = ["stage"]


@pytest_asyncio.fixture
async def server(stage: Backstage) -> AsyncIterator[ListingServer]:  # that is how pytest finds it
    """A server that behaves well until it is told otherwise."""
    async with ListingServer(stage) as here:
        yield here
