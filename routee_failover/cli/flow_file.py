"""Flow file reader: the API's own JSON plus the endpoint, with all problems reported at once."""

from typing import cast

from .._wire import load_flow
from .._wire.flow_document import ENDPOINT_NAMES, STDIN, pop_raw, read_json_object
from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, Endpoint, RawFlow
from ..secret import scrub_traceback
from .terminal import printable


@scrub_traceback
def read_flow(file: str, endpoint: Endpoint | None, *, keep_unknown: bool) -> AnyFlow:
    """Return the flow in a file, or on stdin for `-`; `endpoint` overrides the one that the file names.

    With `"raw": true` in the file it is a raw flow.

    Raises `InvalidSource` for anything but a JSON object, and `InvalidFlow` with all problems of the flow.
    """
    name = "stdin" if file == STDIN else printable(file)
    mapping = read_json_object(file, name)
    raw = pop_raw(mapping, name)
    file_endpoint = mapping.pop("endpoint", None)
    if endpoint is None and file_endpoint not in [*Endpoint]:
        reason = (
            f"must be {ENDPOINT_NAMES}"
            if file_endpoint is not None
            else f"required: {ENDPOINT_NAMES}; or give --endpoint"
        )
        raise InvalidFlow(name, [Problem(("endpoint",), reason)])
    chosen = endpoint or cast("str", file_endpoint)
    try:
        if raw:
            return RawFlow(chosen, mapping)
        return load_flow(chosen, mapping, extra="keep" if keep_unknown else "refuse")
    except InvalidFlow as error:
        # The library names its own argument where it has no closer key to suggest; here that is an option.
        problems = [
            Problem(problem.path, problem.reason.replace('extra="keep" sends', "--keep-unknown sends"))
            for problem in error.problems
        ]
    raise InvalidFlow(f"{name} ({chosen})", problems)
