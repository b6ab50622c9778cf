"""Where a sandbox lives: in the event loop that entered it, or in a thread of its own that any other may ask.

A sandbox in a thread of its own serves tests that are not async, and those whose loop comes and goes with each test.
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
    """An event loop in a thread of its own, once it is opened; before that, whoever asks is at home."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested: asyncio.Event | None = None

    def start(self) -> None:
        """Start the thread. Raises `SandboxError` when there is one."""
        if self._thread is not None:
            raise SandboxError("this sandbox is running already; make another one")
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run_loop, args=(started,), name="routee-sandbox", daemon=True)
        self._thread.start()
        started.result()

    def stop(self) -> None:
        """End the thread."""
        thread, loop, leave = self._thread, self._loop, self._stop_requested
        if thread is not None and loop is not None and leave is not None:
            loop.call_soon_threadsafe(leave.set)
            thread.join()
        self._thread = self._loop = self._stop_requested = None

    def _run_loop(self, started: "Future[None]") -> None:
        async def stay() -> None:
            self._loop, self._stop_requested = asyncio.get_running_loop(), asyncio.Event()
            started.set_result(None)
            await self._stop_requested.wait()

        try:
            with asyncio.Runner() as runner:
                runner.run(stay())
        except BaseException as error:
            if started.done():  # nobody waits any more: as in any thread, it is told on stderr
                raise
            why = error.strerror if isinstance(error, OSError) else str(error)  # no more file descriptors, for one
            started.set_exception(SandboxError(f"no event loop could be made: {why or type(error).__name__}"))

    def call(self, function: Callable[[], _T]) -> _T:
        """Do this at home, and wait for what it gives."""
        loop = self._loop_of_other_thread()
        if loop is None:
            return function()

        async def done() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(done(), loop).result()

    def run_blocking(self, function: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Wait for this, which happens in the thread of its own, in a thread that awaits nothing."""
        assert self._loop is not None  # noqa: S101  # it is open
        return asyncio.run_coroutine_threadsafe(function(), self._loop).result()

    async def run(self, function: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Await this at home, from any loop."""
        __tracebackhide__ = True
        loop = self._loop_of_other_thread()
        if loop is None:
            return await function()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(), loop))

    def _loop_of_other_thread(self) -> asyncio.AbstractEventLoop | None:
        return None if threading.current_thread() is self._thread else self._loop


class HasLoopThread(Protocol):
    """Whatever lives somewhere."""

    _loop_thread: LoopThread


_S = TypeVar("_S", bound=HasLoopThread)


def runs_on_loop(method: Callable[Concatenate[_S, _P], _T]) -> Callable[Concatenate[_S, _P], _T]:
    """A method that is done at home, whichever thread calls it."""

    @functools.wraps(method)
    def done_at_home(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        # It stands in the class, though it is made here.
        return self._loop_thread.call(lambda: method(self, *args, **kwargs))  # pyright: ignore[reportPrivateUsage]

    return done_at_home


def awaits_on_loop(
    method: Callable[Concatenate[_S, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _T]]:
    """The same for one that is awaited."""

    @functools.wraps(method)
    async def done_at_home(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        __tracebackhide__ = True  # what a test waited for in vain is told at the test's own line
        return await self._loop_thread.run(lambda: method(self, *args, **kwargs))  # pyright: ignore[reportPrivateUsage]

    return done_at_home
