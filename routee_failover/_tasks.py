"""Tasks that belong to no single caller: shared work in an empty context, and waiting that survives cancellation."""

import asyncio
from collections.abc import Collection, Coroutine
from contextvars import Context
from typing import Any, TypeVar

_T = TypeVar("_T")


def start_task(coroutine: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
    """Start a task in an empty context: work for several callers must not be logged or traced as that of the first."""
    # Not by the task factory of the loop: it may know no contexts, and may start tasks eagerly, in which case a task is
    # over before its creator has a reference to it.
    return asyncio.Task(coroutine, loop=asyncio.get_running_loop(), context=Context())


async def wait_for_tasks(tasks: "Collection[asyncio.Task[Any]]") -> None:
    """Wait until tasks have ended, and raise what they raised. A cancelled caller leaves at once, and they continue."""
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def wait_until_ended(tasks: "Collection[asyncio.Task[Any]]", *, cancel: bool) -> None:
    """Wait until tasks have ended, whatever they raise, and however often the caller is cancelled meanwhile.

    With `cancel`, cancelling the caller cancels them too, once.
    """
    cancellation: asyncio.CancelledError | None = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            if cancellation is None and cancel:
                for task in pending:
                    task.cancel()
            cancellation = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # marked as retrieved
    if cancellation is not None:
        raise cancellation


async def run_to_end(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end, however often the caller is cancelled meanwhile."""
    task = start_task(coroutine)
    await wait_until_ended([task], cancel=False)
    return task.result()
