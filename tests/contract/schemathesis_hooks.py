"""Hooks of Schemathesis: known ids for the paths that need one, and exceptions for checks that are too strict.

Each exception allows exactly what is documented, so that anything else there is still a disagreement.
"""

import contextlib
import json
import os
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response

KNOWN: dict[str, dict[str, str]] = json.loads(os.environ.get("KNOWN_IDS", "{}"))
"""Path parameters of existing resources, by operationId."""


@schemathesis.hook
def flatmap_path_parameters(context: HookContext, path_parameters: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Draw the generated path parameters, or those of an existing resource."""
    operation: Any = context.operation
    known = KNOWN.get(operation.definition.raw.get("operationId", ""))
    return st.sampled_from([path_parameters, path_parameters | known]) if known else st.just(path_parameters)


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Shorten the timeout of a long poll, which otherwise waits up to a minute for an event that never comes."""
    query = case.query or {}
    with contextlib.suppress(TypeError, ValueError):  # the generated timeout may be invalid on purpose
        seconds = float(query.get("timeout", 0))
        if 1 < seconds <= 60:
            query["timeout"] = str(seconds / 1000)


@schemathesis.hook
def filter_failure(context: HookContext, failure: Any, case: Case[Any], response: Response) -> bool:
    """Return whether the failure of a check is a real one."""
    if failure.code == "ST203":  # a missing header got another status than expected
        return not _is_otp_without_token(failure, case)
    if failure.code == "ST202":  # a request that the document allows was rejected
        return not (_repeats_an_order(case) or _names_another_scope(case, response))
    return True


def _is_otp_without_token(failure: Any, case: Case[Any]) -> bool:
    """The OTP service documents 403 for missing credentials and 401 for a dead token; the check knows 401 only."""
    otp = case.path.startswith("/failover-otp/")
    return otp and failure.header_name == "Authorization" and failure.status_code == 403


def _repeats_an_order(case: Case[Any]) -> bool:
    """`order` is documented as unique in an OTP flow: `x-distinct` says so, since no keyword of JSON schema can."""
    if case.path != "/failover-otp/otp/send-failover" or not isinstance(case.body, dict):
        return False
    steps: Any = case.body["flow"]
    orders = [step["order"] for step in steps]
    return len(set(orders)) < len(orders)


def _names_another_scope(case: Case[Any], response: Response) -> bool:
    """The scopes of an application are not part of the schema."""
    return case.path == "/oauth/token" and response.json().get("error") == "invalid_scope"
