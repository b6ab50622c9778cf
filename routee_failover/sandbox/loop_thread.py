"""Event loop in a thread of its own, for calls from other threads and event loops.

It serves tests that are not async, and those with a new event loop for each test. Without the thread, a sandbox runs in
the loop that entered it.
"""

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from .errors import SandboxError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class LoopThread:
    """Event loop in a thread of its own once it is started; before that, calls run in the calling thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested: asyncio.Event | None = None

    def start(self) -> None:
        """Start the thread. Raises `SandboxError` when it is running."""
        if self._thread is not None:
            raise SandboxError("this sandbox is running already; make another one")
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run_loop, args=(started,), name="routee-sandbox", daemon=True)
        self._thread.start()
        started.result()

    def stop(self) -> None:
        """Stop the loop and join the thread."""
        thread, loop, stop_requested = self._thread, self._loop, self._stop_requested
        if thread is not None and loop is not None and stop_requested is not None:
            loop.call_soon_threadsafe(stop_requested.set)
            thread.join()
        self._thread = self._loop = self._stop_requested = None

    def _run_loop(self, started: "Future[None]") -> None:
        async def run_until_stopped() -> None:
            self._loop, self._stop_requested = asyncio.get_running_loop(), asyncio.Event()
            started.set_result(None)
            await self._stop_requested.wait()

        try:
            with asyncio.Runner() as runner:
                runner.run(run_until_stopped())
        except BaseException as error:
            if started.done():  # `start` has returned: report the error on stderr, as any thread does
                raise
            reason = error.strerror if isinstance(error, OSError) else str(error)  # such as too many open files
            started.set_exception(SandboxError(f"no event loop could be created: {reason or type(error).__name__}"))

    def call(self, function: Callable[[], _T]) -> _T:
        """Call the function in the loop's thread, wait for it, and return its result."""
        loop = self._loop_of_other_thread()
        if loop is None:
            return function()

        async def call_function() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(call_function(), loop).result()

    def run_blocking(self, function: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run the coroutine function in the loop's thread, and block the calling thread until it is done."""
        assert self._loop is not None  # noqa: S101  # the thread was started
        return asyncio.run_coroutine_threadsafe(function(), self._loop).result()

    async def run(self, function: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run the coroutine function in the loop's thread, and await its result in any other loop."""
        __tracebackhide__ = True
        loop = self._loop_of_other_thread()
        if loop is None:
            return await function()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(), loop))

    def _loop_of_other_thread(self) -> asyncio.AbstractEventLoop | None:
        return None if threading.current_thread() is self._thread else self._loop


class HasLoopThread(Protocol):
    """Object that belongs to a `LoopThread`."""

    _loop_thread: LoopThread


_S = TypeVar("_S", bound=HasLoopThread)


def runs_on_loop(method: Callable[Concatenate[_S, _P], _T]) -> Callable[Concatenate[_S, _P], _T]:
    """Decorate a method to run in the loop's thread, whichever thread calls it."""

    @functools.wraps(method)
    def wrapper(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        # Defined outside the class, though it becomes one of its methods.
        return self._loop_thread.call(lambda: method(self, *args, **kwargs))  # pyright: ignore[reportPrivateUsage]

    return wrapper


def awaits_on_loop(
    method: Callable[Concatenate[_S, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _T]]:
    """Decorate an async method to run in the loop's thread, whichever loop awaits it."""

    @functools.wraps(method)
    async def wrapper(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        __tracebackhide__ = True  # pytest then shows a timeout at the test's own line
        return await self._loop_thread.run(lambda: method(self, *args, **kwargs))  # pyright: ignore[reportPrivateUsage]

    return wrapper
