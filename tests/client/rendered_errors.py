"""Everything that an error shows when it is printed, logged, pickled or reported."""

import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

from routee_failover import RouteeError

_TESTS = str(Path(__file__).parents[1])


def shown(error: BaseException) -> str:
    """An error's texts, its attributes, its pickle, and the locals of its frames but for those of the tests."""
    pickled = pickle.dumps(error).decode("latin-1") if isinstance(error, RouteeError) else ""
    return "\n".join([*_texts(error), pickled])


def _texts(error: BaseException | None) -> Iterator[str]:
    if error is None:
        return
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    yield from getattr(error, "__notes__", ())
    for frame in traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), capture_locals=True):
        if not frame.filename.startswith(_TESTS):
            yield f"{frame.name} {frame.locals}"
    yield from _texts(error.__cause__)
    yield from _texts(error.__context__)
