"""Decorator for tests that run in every supported event loop: asyncio and uvloop."""

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
    """Parametrize a test with an asyncio loop and, if uvloop is installed, with a uvloop loop."""

    @functools.wraps(test)
    def run(*args: Any, loop_of: str, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop_of]) as runner:
            runner.run(test(*args, **kwargs))  # type: ignore[arg-type]  # a coroutine, as any async def gives

    signature = inspect.signature(test)
    loop_of = inspect.Parameter("loop_of", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), loop_of])  # type: ignore[attr-defined]
    parametrized: Callable[..., None] = pytest.mark.parametrize("loop_of", LOOPS)(run)
    return parametrized
