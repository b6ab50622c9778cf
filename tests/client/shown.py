"""Everything that an error shows to whoever prints, logs, pickles or reports it."""

import pickle
import traceback

from routee_failover import RouteeError


def shown(error: BaseException) -> str:
    """An error's texts, its attributes, the locals of its frames, and its pickle."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    kept = pickle.dumps(error).decode("latin-1") if isinstance(error, RouteeError) else ""
    return "\n".join([str(error), repr(error), repr(error.args), repr(vars(error)), kept, *whole.format()])
