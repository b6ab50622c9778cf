"""Keys in the live view: `p` pauses and goes on. The terminal is given back as it was."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def key_bindings(bindings: dict[str, Callable[[], None]]) -> Iterator[Callable[[], None]]:
    """Call what belongs to a key when it is pressed, where stdin is a terminal that listens to this process.

    Gives what puts the terminal back, for whoever leaves without coming back here.
    """
    restore = _listen(bindings)
    try:
        yield restore
    finally:
        restore()


def _nothing() -> None:
    pass


def _listen(keys: dict[str, Callable[[], None]]) -> Callable[[], None]:
    try:
        import termios  # noqa: PLC0415  # there is none on Windows
        import tty  # noqa: PLC0415
    except ModuleNotFoundError:
        return _nothing
    try:
        fd = sys.stdin.fileno()
        if not os.isatty(fd) or os.tcgetpgrp(fd) != os.getpgrp():  # in the background it would be stopped for trying
            return _nothing
        before = termios.tcgetattr(fd)
        tty.setcbreak(fd, termios.TCSANOW)
    except (OSError, ValueError, AttributeError, termios.error):
        return _nothing
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            typed = os.read(fd, 64).decode("ascii", "ignore")
        except OSError:
            typed = ""
        if not typed:  # it was closed, and would be ready for ever
            loop.remove_reader(fd)
        for key in typed:
            keys.get(key, _nothing)()

    def restore() -> None:
        with contextlib.suppress(ValueError, OSError):
            loop.remove_reader(fd)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, before)

    loop.add_reader(fd, read)
    return restore
