"""Cleanup of what belongs to an event loop and is never closed: its owner is let go, or the loop ends under it."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import Context
from typing import TypeVar

from ._tasks import start_task

_NEVER = 100 * 365 * 24 * 3600.0
"""Seconds: a timer that is due then never fires."""
_T = TypeVar("_T")


class Cleanup:
    """Cleanup for one owner in the running event loop, until `aclose`.

    - `at_shutdown` is called with the owner, and awaited, when the loop shuts down its async generators: it is the last
      point at which something can be closed gracefully.
    - `at_once` is called when the loop is closed, when nothing refers to the owner any more, or at exit; in the last
      two cases `in_loop` is called after it, and awaited, if the loop runs. Neither may refer to the owner, nor may
      `held`, which is kept until then.
    """

    def __init__(
        self,
        owner: _T,
        *,
        at_shutdown: Callable[[_T], Awaitable[None]],
        at_once: Callable[[], object],
        in_loop: Callable[[], Awaitable[object]],
        held: object,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._generator = _wait_for_shutdown(weakref.ref(owner), at_shutdown)
        with contextlib.suppress(StopIteration):  # start it, so that the loop closes it when it shuts down
            anext(self._generator).send(None)
        # A loop that is closed drops its timers, and nothing else tells of it. What is to be closed cannot say it: it
        # is collected together with its owner, and logs at that moment that it is open.
        anchor = _Anchor(self._generator, held)
        self._at_end = weakref.finalize(anchor, _run, at_once, in_loop, loop)
        timer = weakref.ref(loop.call_later(_NEVER, anchor, context=Context()))
        self._cancel = weakref.finalize(owner, _cancel_soon, loop, timer)
        self._cancel.atexit = False

    async def aclose(self) -> None:
        """Call nothing any more: the owner is closed."""
        await self._generator.aclose()
        self._at_end.detach()
        self._cancel()


class _Anchor:
    """What only a timer of a loop refers to: it is gone once the timer is cancelled, or the loop is closed."""

    def __init__(self, *held: object) -> None:
        self._held = held

    def __call__(self) -> None:
        """Do nothing: it is what the timer would call."""


async def _wait_for_shutdown(
    reference: "weakref.ref[_T]", at_shutdown: Callable[[_T], Awaitable[None]]
) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        owner = reference()
        if owner is not None:
            await at_shutdown(owner)


def _run(
    at_once: Callable[[], object], in_loop: Callable[[], Awaitable[object]], loop: asyncio.AbstractEventLoop
) -> None:
    async def run_in_loop() -> None:
        await in_loop()

    at_once()
    with contextlib.suppress(RuntimeError):  # no loop runs: a task would never end, and asyncio would log that
        if asyncio.get_running_loop() is loop:
            start_task(run_in_loop())


def _cancel_soon(loop: asyncio.AbstractEventLoop, timer: "weakref.ref[asyncio.TimerHandle]") -> None:
    # The garbage collector may run in any thread.
    with contextlib.suppress(RuntimeError):  # the loop is closed, and has dropped the timer
        loop.call_soon_threadsafe(_cancel, timer)


def _cancel(timer: "weakref.ref[asyncio.TimerHandle]") -> None:
    handle = timer()
    if handle is not None:
        handle.cancel()
