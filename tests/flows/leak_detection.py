"""Leak detection: everything that a program prints, pickles or reports of an object or of an error."""

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import routee_failover

_PACKAGE_DIR = str(Path(routee_failover.__file__).parent)


def printed(value: object) -> str:
    """Return what printing, formatting and logging show of a value."""
    record = logging.LogRecord("it", logging.INFO, __file__, 1, "%s %r %s", (value, value, [value]), None)
    return "\n".join([str(value), repr(value), f"{value}", f"{value!r:>10}", record.getMessage()])


def _is_package_file(filename: str) -> bool:
    return filename.startswith((_PACKAGE_DIR, "<constructor of "))


def _error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error with its whole chain of causes and contexts."""
    while error is not None:
        yield error
        if error.__cause__ is not None:
            yield from _error_chain(error.__cause__)
        error = error.__context__


def reported(error: BaseException) -> str:
    """Return what an error reporter that captures locals shows: texts of errors, and locals of the package's frames."""
    parts: list[str] = []
    for linked in _error_chain(error):
        parts += [str(linked), repr(linked), repr(linked.args), repr(vars(linked))]
        report = traceback.TracebackException.from_exception(linked, capture_locals=True)
        for frame in report.stack:
            if _is_package_file(frame.filename):
                parts += [f"{name}={value}" for name, value in (frame.locals or {}).items()]
        parts += _deep_locals(linked.__traceback__)
    return "\n".join(parts)


def _deep_locals(tb: TracebackType | None) -> list[str]:
    """Return the locals of this package's frames with their full `repr`, which a reporter may truncate."""
    parts: list[str] = []
    while tb is not None:
        if _is_package_file(tb.tb_frame.f_code.co_filename):
            parts += [f"{name}={value!r}" for name, value in tb.tb_frame.f_locals.items()]
        tb = tb.tb_next
    return parts


def caught(action: Callable[[], object]) -> Exception:
    """Run an action that must fail and return its error."""
    try:
        action()
    except Exception as error:  # noqa: BLE001  # any error is inspected
        return error
    raise AssertionError("no error was raised")
