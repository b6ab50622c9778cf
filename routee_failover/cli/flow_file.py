"""A file becomes a flow: the API's own JSON with the endpoint beside it, or every problem of it at once."""

from typing import cast

from .._wire import load_flow
from .._wire.flow_file import ENDPOINT_NAMES, STDIN, read_json_object
from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, Endpoint
from .terminal import printable


def read_flow(file: str, endpoint: Endpoint | None, *, keep_unknown: bool) -> AnyFlow:
    """The flow in a file, or on stdin for `-`; `endpoint` goes before the one that the file names.

    Raises `InvalidSource` for what is no JSON object, and `InvalidFlow` with all problems of the flow in it.
    """
    name = "stdin" if file == STDIN else printable(file)
    mapping = read_json_object(file, name)
    named = mapping.pop("endpoint", None)
    if endpoint is None and named not in [*Endpoint]:
        reason = f"must be {ENDPOINT_NAMES}" if named is not None else f"required: {ENDPOINT_NAMES}; or give --endpoint"
        raise InvalidFlow(name, [Problem(("endpoint",), reason)])
    try:
        return load_flow(endpoint or cast("str", named), mapping, extra="keep" if keep_unknown else "refuse")
    except InvalidFlow as error:
        # The library names its own argument where it knows no better key; here it has another name.
        problems = [
            Problem(problem.path, problem.reason.replace('extra="keep" sends', "--keep-unknown sends"))
            for problem in error.problems
        ]
    raise InvalidFlow(f"{name} ({endpoint or named})", problems)
