"""Fixtures: every kind of ledger, empty and open, for the promises that all of them keep."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from routee_failover.ledger import Ledger, MemoryLedger, SqliteLedger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Path of a file that does not exist yet."""
    return tmp_path / "run.sqlite"


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Ledger]:
    """Return an open, empty ledger."""
    opened: Ledger = MemoryLedger() if request.param == "memory" else SqliteLedger(path)
    async with opened:
        yield opened
