"""Flow file reader: the API's own JSON plus the endpoint, with all problems reported at once."""

from typing import cast

from .._wire import load_flow
from .._wire.flow_document import ENDPOINT_NAMES, STDIN, read_json_object
from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, Endpoint
from ..secret import scrub_traceback
from .terminal import printable


@scrub_traceback
def read_flow(file: str, endpoint: Endpoint | None, *, keep_unknown: bool) -> AnyFlow:
    """Return the flow in a file, or on stdin for `-`; `endpoint` overrides the one that the file names.

    Raises `InvalidSource` for anything but a JSON object, and `InvalidFlow` with all problems of the flow.
    """
    name = "stdin" if file == STDIN else printable(file)
    mapping = read_json_object(file, name)
    file_endpoint = mapping.pop("endpoint", None)
    if endpoint is None and file_endpoint not in [*Endpoint]:
        reason = (
            f"must be {ENDPOINT_NAMES}"
            if file_endpoint is not None
            else f"required: {ENDPOINT_NAMES}; or give --endpoint"
        )
        raise InvalidFlow(name, [Problem(("endpoint",), reason)])
    try:
        return load_flow(endpoint or cast("str", file_endpoint), mapping, extra="keep" if keep_unknown else "refuse")
    except InvalidFlow as error:
        # The library names its own argument where it has no closer key to suggest; here that is an option.
        problems = [
            Problem(problem.path, problem.reason.replace('extra="keep" sends', "--keep-unknown sends"))
            for problem in error.problems
        ]
    raise InvalidFlow(f"{name} ({endpoint or file_endpoint})", problems)
