"""Key bindings of the live dashboard. The terminal's settings are restored at the end."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def key_bindings(bindings: dict[str, Callable[[], None]]) -> Iterator[Callable[[], None]]:
    """Call a binding when its key is pressed, if stdin is a terminal and this process is in its foreground.

    Yields the function that restores the terminal, for a caller that exits without leaving the block.
    """
    restore = _start_reading(bindings)
    try:
        yield restore
    finally:
        restore()


def _do_nothing() -> None:
    pass


def _start_reading(bindings: dict[str, Callable[[], None]]) -> Callable[[], None]:
    try:
        import termios  # noqa: PLC0415  # not available on Windows
        import tty  # noqa: PLC0415
    except ModuleNotFoundError:
        return _do_nothing
    try:
        fd = sys.stdin.fileno()
        if not os.isatty(fd) or os.tcgetpgrp(fd) != os.getpgrp():  # changing it would stop a background process
            return _do_nothing
        before = termios.tcgetattr(fd)
        tty.setcbreak(fd, termios.TCSANOW)
    except (OSError, ValueError, AttributeError, termios.error):
        return _do_nothing
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            typed = os.read(fd, 64).decode("ascii", "ignore")
        except OSError:
            typed = ""
        if not typed:  # closed: it would be reported readable forever
            loop.remove_reader(fd)
        for key in typed:
            bindings.get(key, _do_nothing)()

    def restore() -> None:
        with contextlib.suppress(ValueError, OSError):
            loop.remove_reader(fd)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, before)

    loop.add_reader(fd, read)
    return restore
