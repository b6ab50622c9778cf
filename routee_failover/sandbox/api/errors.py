"""How the two services say no: the failover API with a code and a developerMessage, the OTP service with a detail.

Both bodies are documented in part only; what is inferred is marked.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from ..._http_status import reason_phrase
from ..contract import Violation


class ApiError(Exception):  # an answer on its way out, not a fault
    """An answer that says no: its HTTP status, JSON body, and headers beside the usual ones."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


class ErrorFormat(Protocol):
    """How one service words its refusals."""

    def malformed_body(self, reason: str) -> ApiError:
        """The body is no JSON that could be judged."""
        ...

    def validation_failed(self, entity: str, violations: Sequence[Violation]) -> ApiError:
        """The request breaks these rules."""
        ...

    def missing_token(self) -> ApiError:
        """No Bearer token came along."""
        ...

    def invalid_token(self) -> ApiError:
        """The token is unknown, expired or revoked."""
        ...

    def not_found(self, what: str) -> ApiError:
        """There is no such thing."""
        ...

    def method_not_allowed(self) -> ApiError:
        """The path exists, but not for this method."""
        ...

    def scripted_error(self, status: int) -> ApiError:
        """A rule asked for this answer."""
        ...


class FailoverErrorFormat:
    """The words of the failover API, and of Viber and account calls beside it."""

    def malformed_body(self, reason: str) -> ApiError:
        """The body is no JSON that could be judged (INF: the code of other validation errors)."""
        return ApiError(400, {"code": "400000000", "developerMessage": reason})

    def validation_failed(self, entity: str, violations: Sequence[Violation]) -> ApiError:
        """The request breaks these rules."""
        properties = {violation.location or "body": violation.reason for violation in violations}
        body = {
            "code": "400000000",
            "developerMessage": "Validation Error!",
            "entity": entity,
            "properties": properties,
        }
        return ApiError(400, body)

    def missing_token(self) -> ApiError:
        """No Bearer token came along. The key `error` is known from tests, its words are inferred."""
        return ApiError(401, _oauth("unauthorized", "Full authentication is required to access this resource"))

    def invalid_token(self) -> ApiError:
        """The token is unknown, expired or revoked."""
        return ApiError(401, _oauth("invalid_token", "The access token is invalid or has expired"))

    def missing_role(self, role: str) -> ApiError:
        """The token lacks a role (INF: the code; failover's own codes are not public)."""
        return ApiError(403, {"code": "403000000", "developerMessage": f"Access is denied: {role} is missing"})

    def unknown_sender(self, location: str) -> ApiError:
        """There is no such Viber sender (INF: the code)."""
        body = {"code": "404000000", "developerMessage": "The sender info was not found", "property": location}
        return ApiError(404, body)

    def not_found(self, what: str, code: str = "404000000") -> ApiError:
        """There is no such thing (INF: the code, but for Viber tracking)."""
        return ApiError(404, {"code": code, "developerMessage": f"{what} was not found"})

    def method_not_allowed(self) -> ApiError:
        """The path exists, but not for this method."""
        return ApiError(405, {"code": "405000000", "developerMessage": "The method is not allowed here"})

    def scripted_error(self, status: int) -> ApiError:
        """A rule asked for this answer (INF: the code)."""
        if status == 401:
            return self.invalid_token()
        return ApiError(status, {"code": f"{status}000000", "developerMessage": reason_phrase(status)})

    def insufficient_balance(self) -> ApiError:
        """The account cannot pay: documented as a 400, which has a code and a developerMessage (INF: both)."""
        return ApiError(400, {"code": "400001000", "developerMessage": "Insufficient balance"})

    def remote_caller_forbidden(self) -> ApiError:
        """The sandbox's own controls are for callers on its machine."""
        message = (
            "The sandbox is controlled from its own page, and from its own machine only, by its address or as "
            "localhost, unless it was started with remote control"
        )
        return ApiError(403, {"code": "403000000", "developerMessage": message})

    def conflict(self, reason: str) -> ApiError:
        """A flow has gone on since: what was asked cannot be done to it any more."""
        return ApiError(409, {"code": "409000000", "developerMessage": reason})


class OtpErrorFormat:
    """The words of the OTP service. Its statuses are documented, its bodies are inferred from its other habits."""

    def malformed_body(self, reason: str) -> ApiError:
        """The body is no JSON that could be judged."""
        return ApiError(422, {"detail": [{"loc": ["body"], "msg": reason, "type": "json_invalid"}]})

    def validation_failed(self, entity: str, violations: Sequence[Violation]) -> ApiError:
        """The request breaks these rules; `entity` is where: `body` or `query`."""
        detail = [
            {
                "loc": [entity, *violation.path],
                "msg": violation.reason,
                "type": "missing" if violation.missing else "value_error",
            }
            for violation in violations
        ]
        return ApiError(422, {"detail": detail})

    def missing_token(self) -> ApiError:
        """No Bearer token came along: this service says 403."""
        return ApiError(403, {"detail": "Not authenticated"})

    def invalid_token(self) -> ApiError:
        """The token is unknown, expired or revoked."""
        return ApiError(401, {"detail": "Invalid or expired token"})

    def not_found(self, what: str) -> ApiError:
        """There is no such thing."""
        return ApiError(404, {"detail": f"{what} not found"})

    def method_not_allowed(self) -> ApiError:
        """The path exists, but not for this method."""
        return ApiError(405, {"detail": "Method Not Allowed"})

    def scripted_error(self, status: int) -> ApiError:
        """A rule asked for this answer."""
        return self.invalid_token() if status == 401 else ApiError(status, {"detail": reason_phrase(status)})


def _oauth(error: str, description: str) -> dict[str, Any]:
    return {"error": error, "error_description": description}


FAILOVER_ERRORS = FailoverErrorFormat()
OTP_ERRORS = OtpErrorFormat()
