"""Tests that run in every kind of event loop that the client serves."""

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
with contextlib.suppress(ImportError):
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop


def on_every_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test in a loop of asyncio's and in one of uvloop's, where that is installed."""

    @functools.wraps(test)
    def run(*args: Any, loop_of: str, **named: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop_of]) as runner:
            runner.run(test(*args, **named))  # type: ignore[arg-type]  # a coroutine, as any async def gives

    asked = inspect.signature(test)
    loop_of = inspect.Parameter("loop_of", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = asked.replace(parameters=[*asked.parameters.values(), loop_of])  # type: ignore[attr-defined]
    marked: Callable[..., None] = pytest.mark.parametrize("loop_of", LOOPS)(run)
    return marked
