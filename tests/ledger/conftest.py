"""Every kind of ledger, empty and open, for the promises that all of them keep."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from routee_failover.ledger import Ledger, MemoryLedger, SqliteLedger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "run.sqlite"


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Ledger]:
    """A ledger that is empty and open."""
    kept: Ledger = MemoryLedger() if request.param == "memory" else SqliteLedger(path)
    async with kept:
        yield kept
