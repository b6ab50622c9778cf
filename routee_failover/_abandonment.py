"""Cleanup of what belongs to an event loop and is never closed: its owner is let go, or the loop is closed under it."""

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context

_NEVER = 100 * 365 * 24 * 3600.0
"""Seconds: a timer that is due then never fires."""


class _Anchor:
    """What only a timer of a loop refers to: it is gone once the timer is cancelled, or the loop is closed."""

    def __init__(self, held: object) -> None:
        self.held = held

    def __call__(self) -> None:
        """Do nothing: it is what the timer would call."""


def clean_up_after(owner: object, cleanup: Callable[[], object], held: object) -> Callable[[], object]:
    """Call `cleanup` when nothing refers to an owner any more, when the running loop is closed, or at exit.

    `held` is kept until then. Neither may refer to the owner. `cleanup` is called in the thread of the loop, or after
    its end. The function that is returned does it at once.
    """
    # A loop that is closed drops its timers, and nothing else tells of it. The connections cannot say it themselves:
    # they are collected together with their owner, and aiohttp then logs that they are open.
    loop = asyncio.get_running_loop()
    anchor = _Anchor(held)
    weakref.finalize(anchor, cleanup)
    timer = weakref.ref(loop.call_later(_NEVER, anchor, context=Context()))
    owner_gone = weakref.finalize(owner, _cancel_soon, loop, timer)
    owner_gone.atexit = False
    return owner_gone


def _cancel_soon(loop: asyncio.AbstractEventLoop, timer: "weakref.ref[asyncio.TimerHandle]") -> None:
    # The garbage collector may run in any thread.
    with suppress(RuntimeError):  # the loop is closed, and has dropped the timer
        loop.call_soon_threadsafe(_cancel, timer)


def _cancel(timer: "weakref.ref[asyncio.TimerHandle]") -> None:
    handle = timer()
    if handle is not None:
        handle.cancel()
