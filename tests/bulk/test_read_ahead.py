"""Read-ahead of a source: chunks of full batches, and no row more or less."""

import math
from collections.abc import AsyncIterator

import pytest

from routee_failover.bulk import read_ahead
from routee_failover.bulk.read_ahead import read_chunks
from routee_failover.bulk.run_control import RunControl
from routee_failover.bulk.templates.row import Row, Rows, invalid_row

ROWS = [invalid_row(line, "", "", []) for line in range(1, 701)]


async def _async_rows() -> AsyncIterator[Row]:
    for row in ROWS:
        yield row


@pytest.mark.parametrize("batch_size", [1, 8, 100, 128, 300])
@pytest.mark.parametrize("is_async", [False, True])
async def test_chunk_is_a_multiple_of_the_batch_size(
    monkeypatch: pytest.MonkeyPatch, batch_size: int, *, is_async: bool
) -> None:
    """Every chunk but the last can be claimed in full batches, and all rows come in their order."""
    monkeypatch.setattr(read_ahead, "_MAX_CHUNK_TIME", math.inf)
    rows: Rows = _async_rows() if is_async else ROWS
    chunks = [chunk async for chunk in read_chunks(rows, RunControl(), batch_size)]
    assert {len(chunk) % batch_size for chunk in chunks[:-1]} == {0}
    assert [row.line for chunk in chunks for row in chunk] == [row.line for row in ROWS]
