"""Read-ahead of a source: rows in chunks, read in a thread where they may block, without waiting for a full chunk."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

from .run_control import RunControl
from .templates.row import Row, Rows

_MAX_CHUNK_SIZE = 256
"""Maximum number of rows that are read at once."""
_MAX_CHUNK_TIME = 0.05
"""Seconds after which a chunk is passed on even if it is not full, for slow sources."""


async def read_chunks(rows: Rows, control: RunControl, batch_size: int) -> AsyncGenerator[list[Row], None]:
    """Yield the rows in chunks of full batches, so that each transaction of the ledger gets as many as it may have.

    A source that may block is read in a thread; a chunk is passed on before it is full if the source is slow. Stopping
    the run does not wait for a source that yields nothing.
    """
    size = batch_size * max(1, _MAX_CHUNK_SIZE // batch_size)
    if isinstance(rows, AsyncIterable):
        async with contextlib.aclosing(_read_async(aiter(rows), control, size)) as chunks:
            async for chunk in chunks:
                yield chunk
        return
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, "routee-bulk-source")  # a single one: many sources are bound to a thread
    try:
        iterator = await loop.run_in_executor(thread, iter, rows)
        while True:
            reading = loop.run_in_executor(thread, _read_chunk, iterator, size)
            if not await control.wait_or_stop(reading):
                return
            chunk, error = reading.result()
            if chunk:
                yield chunk
            if error is not None:
                raise error
            if not chunk:
                return
    finally:
        thread.shutdown(wait=False)


def _read_chunk(rows: Iterator[Row], size: int) -> tuple[list[Row], Exception | None]:
    """Return the next rows, and the error that the source raised after them: the rows before an error are not lost."""
    chunk: list[Row] = []
    deadline = time.monotonic() + _MAX_CHUNK_TIME
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) >= size or time.monotonic() >= deadline:
                break
    except Exception as error:  # noqa: BLE001  # raised after the rows before it
        return chunk, error
    return chunk, None


async def _read_async(rows: AsyncIterator[Row], control: RunControl, size: int) -> AsyncGenerator[list[Row], None]:
    """Yield the rows that are available at once as one chunk; a slow read is awaited, not cancelled."""
    reading: asyncio.Future[Row] | None = None
    try:
        while True:
            chunk: list[Row] = []
            while len(chunk) < size:
                reading = reading or asyncio.ensure_future(anext(rows))
                if not chunk:
                    if not await control.wait_or_stop(reading):
                        return
                else:
                    await asyncio.sleep(0)
                    if not reading.done():
                        break
                try:
                    row = reading.result()
                except Exception as error:  # raised after the rows before it
                    if chunk:
                        yield chunk
                    if isinstance(error, StopAsyncIteration):
                        return
                    raise
                reading = None
                chunk.append(row)
            yield chunk
    finally:
        if reading is not None:
            reading.cancel()
