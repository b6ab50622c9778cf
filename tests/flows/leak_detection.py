"""Where a secret could leak from: everything a program prints, pickles or reports of an object or of an error."""

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import routee_failover

_HOME = str(Path(routee_failover.__file__).parent)


def printed(value: object) -> str:
    """What printing, formatting and logging show of a value."""
    record = logging.LogRecord("it", logging.INFO, __file__, 1, "%s %r %s", (value, value, [value]), None)
    return "\n".join([str(value), repr(value), f"{value}", f"{value!r:>10}", record.getMessage()])


def _is_ours(filename: str) -> bool:
    return filename.startswith((_HOME, "<constructor of "))


def _errors(error: BaseException | None) -> Iterator[BaseException]:
    """An error with all that stand behind it."""
    while error is not None:
        yield error
        if error.__cause__ is not None:
            yield from _errors(error.__cause__)
        error = error.__context__


def reported(error: BaseException) -> str:
    """What a reporter with local variables shows of an error: its texts, and our frames with their locals."""
    shown: list[str] = []
    for one in _errors(error):
        shown += [str(one), repr(one), repr(one.args), repr(vars(one))]
        report = traceback.TracebackException.from_exception(one, capture_locals=True)
        for frame in report.stack:
            if _is_ours(frame.filename):
                shown += [f"{name}={value}" for name, value in (frame.locals or {}).items()]
        shown += _deep_locals(one.__traceback__)
    return "\n".join(shown)


def _deep_locals(step: TracebackType | None) -> list[str]:
    """The locals of our frames as `repr` has them in full, where a reporter may have cut them off."""
    found: list[str] = []
    while step is not None:
        if _is_ours(step.tb_frame.f_code.co_filename):
            found += [f"{name}={value!r}" for name, value in step.tb_frame.f_locals.items()]
        step = step.tb_next
    return found


def caught(act: Callable[[], object]) -> Exception:
    """The error that an action ends in."""
    try:
        act()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is looked at
        return error
    raise AssertionError("nothing was refused")
