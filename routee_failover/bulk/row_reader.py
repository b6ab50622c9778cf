"""Reading ahead: the rows of a source in lists, drawn where they may block, without waiting for a list to be full."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

from .run_control import RunControl
from .templates.row import Row, Rows

_CHUNK_SIZE = 256
"""Rows that are read at once."""
_MAX_CHUNK_TIME = 0.05
"""Seconds after which what was read so far is handed on, for sources that trickle."""


async def read_chunks(rows: Rows, control: RunControl) -> AsyncGenerator[list[Row], None]:
    """The rows in lists. What can block is drawn in a thread; nothing waits long for a list to be full.

    Who stops the run does not wait for a source that is silent.
    """
    if isinstance(rows, AsyncIterable):
        async with contextlib.aclosing(_read_async(aiter(rows), control)) as drawn:
            async for chunk in drawn:
                yield chunk
        return
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, "routee-bulk-source")  # one, because many sources are bound to theirs
    try:
        iterator = await loop.run_in_executor(thread, iter, rows)
        while True:
            taking = loop.run_in_executor(thread, _read_chunk, iterator)
            if not await control.wait_or_stop(taking):
                return
            chunk, failure = taking.result()
            if chunk:
                yield chunk
            if failure is not None:
                raise failure
            if not chunk:
                return
    finally:
        thread.shutdown(wait=False)


def _read_chunk(rows: Iterator[Row]) -> tuple[list[Row], Exception | None]:
    """The next rows, and what the source failed in after them: those that it gave are not lost for that."""
    taken: list[Row] = []
    until = time.monotonic() + _MAX_CHUNK_TIME
    try:
        for row in rows:
            taken.append(row)
            if len(taken) >= _CHUNK_SIZE or time.monotonic() >= until:
                break
    except Exception as error:  # noqa: BLE001  # it is raised where the rows before it are through
        return taken, error
    return taken, None


async def _read_async(rows: AsyncIterator[Row], brakes: RunControl) -> AsyncGenerator[list[Row], None]:
    """Whatever is there at once, in one list; a drawing that takes longer is waited for, not cancelled."""
    drawing: asyncio.Future[Row] | None = None
    try:
        while True:
            taken: list[Row] = []
            while len(taken) < _CHUNK_SIZE:
                drawing = drawing or asyncio.ensure_future(anext(rows))
                if not taken:
                    if not await brakes.wait_or_stop(drawing):
                        return
                else:
                    await asyncio.sleep(0)
                    if not drawing.done():
                        break
                try:
                    row = drawing.result()
                except Exception as error:  # it is raised once the rows before it are through
                    if taken:
                        yield taken
                    if isinstance(error, StopAsyncIteration):
                        return
                    raise
                drawing = None
                taken.append(row)
            yield taken
    finally:
        if drawing is not None:
            drawing.cancel()
