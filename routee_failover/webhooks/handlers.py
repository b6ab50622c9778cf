"""Handlers of callbacks: which callables can be one, and how one is called so that its failure affects nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from .._hooks import is_coroutine_function
from .._validators import callable_name
from ..errors import InvalidConfig
from .event import CallbackEvent

Handler = Callable[[CallbackEvent[Any]], Awaitable[object]]


def check_handler(handler: object) -> None:
    """Raise `InvalidConfig` for a handler that is not an `async def`."""
    if not is_coroutine_function(handler):
        raise InvalidConfig(
            f"{callable_name(handler)} must be an async def: any other function would block every callback"
        )


async def call_handler(
    handler: Handler, event: CallbackEvent[Any], on_failure: Callable[[object, BaseException, Any], None]
) -> None:
    """Call a handler, and pass its exception to `on_failure`. Raises `CancelledError` if its task is cancelled."""
    task = cast("asyncio.Task[None]", asyncio.current_task())
    try:
        await handler(event)
    except asyncio.CancelledError as error:
        on_failure(handler, error, event)
        if task.cancelling():
            raise
    except Exception as error:  # noqa: BLE001  # the next event is handled all the same
        on_failure(handler, error, event)
