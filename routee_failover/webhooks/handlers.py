"""Handlers of callbacks: which callables can be one, and how one is called so that its failure affects nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs

from .._hooks import is_coroutine_function
from .._validators import callable_name, check_hook
from ..errors import InvalidConfig
from .event import CallbackEvent

Handler = Callable[[CallbackEvent[Any]], Awaitable[object]]


def check_callable(_inbox: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a function of one record."""
    if not callable(value):
        raise InvalidConfig(f"{attribute.name} must be a callable with one parameter, the record")


def check_notify(inbox: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a function of one record that is called without `await`."""
    check_callable(inbox, attribute, value)
    check_hook(attribute.name, value)


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
