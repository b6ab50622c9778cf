"""Hooks: functions of the caller that are called without `await`, checked as soon as they are given.

An `async def` function in the place of one returns a coroutine, which is true, and never runs: a message would leave
although the hook says no.
"""

import functools
import inspect
from types import FunctionType

IS_ASYNC = "must not be async: it is called without await, so that it would never run"
_RUNS_LATER = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR


def _runs_later(hook: object) -> bool:
    """Return whether a call of the hook only makes an object that runs its code later: generators do so, too."""
    if type(hook) is FunctionType and not hook.__dict__:
        return bool(hook.__code__.co_flags & _RUNS_LATER)
    return is_coroutine_function(hook) or any(
        check(each) for each in _called(hook) for check in (inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    )


def is_coroutine_function(function: object) -> bool:
    """Return whether a function, or what a partial or an object calls, is `async def`."""
    return any(inspect.iscoroutinefunction(each) for each in _called(function))


def _called(function: object) -> tuple[object, object]:
    while isinstance(function, functools.partial):
        function = function.func
    return function, getattr(function, "__call__", None)  # noqa: B004  # inspected, not called


def hook_problem(hook: object) -> str | None:
    """Return why an object cannot be a hook that is called without `await`; `None` if it can."""
    if not callable(hook):
        return f"must be a function, not {type(hook).__name__}"
    return IS_ASYNC if _runs_later(hook) else None


def is_awaitable(returned: object) -> bool:
    """Return whether a hook returned an awaitable, as one that wraps an async function does; a coroutine is closed."""
    if not inspect.isawaitable(returned):
        return False
    if inspect.iscoroutine(returned):
        returned.close()  # otherwise Python warns that it was never awaited
    return True
