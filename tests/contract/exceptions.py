"""The three places where a check of Schemathesis asks for what Routee's pages do not say; loaded by it as its hooks.

Each lets through exactly what is documented, so that anything else there is still a disagreement.
"""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response

OTP_SERVICE = "/failover-otp/"


@schemathesis.hook
def filter_failure(context: HookContext, failure: Any, case: Case, response: Response) -> bool:
    """Whether a failure of a check is one."""
    if failure.code == "ST203":  # a missing header was not answered as it should be
        return not _is_otp_without_token(failure, case)
    if failure.code == "ST202":  # a request that the document allows was refused
        return not (_repeats_an_order(case) or _names_another_scope(case, response))
    return True


def _is_otp_without_token(failure: Any, case: Case) -> bool:
    """The OTP service documents 403 for missing credentials and 401 for a dead token; the check knows 401 only."""
    return case.path.startswith(OTP_SERVICE) and failure.header_name == "Authorization" and failure.status_code == 403


def _repeats_an_order(case: Case) -> bool:
    """`order` is documented as unique in an OTP flow; `x-distinct` says so, since no keyword of JSON schema can."""
    if case.path != "/failover-otp/otp/send-failover" or not isinstance(case.body, dict):
        return False
    orders = [step["order"] for step in case.body["flow"]]
    return len(set(orders)) < len(orders)


def _names_another_scope(case: Case, response: Response) -> bool:
    """Which scopes an application has is no matter of shape."""
    return case.path == "/oauth/token" and response.json().get("error") == "invalid_scope"
