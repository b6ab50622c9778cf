"""Error responses of the services: the failover API with code and developerMessage, the OTP service with detail.

Both bodies are documented in part only; what is inferred is marked.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from ..._http_reason_phrases import reason_phrase
from ..contract import Violation

# INF: Routee's pages show no headers. HTTP requires this one on every 401 (RFC 9110, 11.6.1; RFC 6750, 3).
_BEARER_CHALLENGE = MappingProxyType({"WWW-Authenticate": 'Bearer realm="routee"'})
_INVALID_TOKEN_CHALLENGE = MappingProxyType({"WWW-Authenticate": 'Bearer realm="routee", error="invalid_token"'})


class ApiError(Exception):  # a response, not a fault of the sandbox
    """Error response: HTTP status, JSON body, and additional headers."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


class ErrorFormat(Protocol):
    """Error responses in the format of one service."""

    def malformed_body(self, reason: str) -> ApiError:
        """Return the error for a body that cannot be read as JSON."""
        ...

    def validation_failed(self, entity: str, violations: Sequence[Violation]) -> ApiError:
        """Return the error for a request with these violations."""
        ...

    def missing_token(self) -> ApiError:
        """Return the error for a request without a Bearer token."""
        ...

    def invalid_token(self) -> ApiError:
        """Return the error for a token that is unknown, expired or revoked."""
        ...

    def not_found(self, what: str) -> ApiError:
        """Return the error for something that does not exist."""
        ...

    def method_not_allowed(self) -> ApiError:
        """Return the error for a path that does not support the method."""
        ...

    def scripted_error(self, status: int) -> ApiError:
        """Return the error that a rule scripts, with this HTTP status."""
        ...


class FailoverErrorFormat:
    """Error format of the failover API, also used by the Viber and account endpoints."""

    def malformed_body(self, reason: str) -> ApiError:
        """Return the error for a body that cannot be read as JSON (INF: the code of other validation errors)."""
        return ApiError(400, {"code": "400000000", "developerMessage": reason})

    def validation_failed(self, entity: str, violations: Sequence[Violation]) -> ApiError:
        """Return the error for a request with these violations."""
        properties = {violation.location or "body": violation.reason for violation in violations}
        body = {
            "code": "400000000",
            "developerMessage": "Validation Error!",
            "entity": entity,
            "properties": properties,
        }
        return ApiError(400, body)

    def missing_token(self) -> ApiError:
        """Return the error for a request without a Bearer token.

        The key `error` was seen in tests; its value is inferred.
        """
        body = _oauth_error_body("unauthorized", "Full authentication is required to access this resource")
        return ApiError(401, body, _BEARER_CHALLENGE)

    def invalid_token(self) -> ApiError:
        """Return the error for a token that is unknown, expired or revoked."""
        body = _oauth_error_body("invalid_token", "The access token is invalid or has expired")
        return ApiError(401, body, _INVALID_TOKEN_CHALLENGE)

    def missing_role(self, role: str) -> ApiError:
        """Return the error for a token that lacks a role (INF: the code; failover's own codes are not public)."""
        return ApiError(403, {"code": "403000000", "developerMessage": f"Access is denied: {role} is missing"})

    def unknown_sender(self, location: str) -> ApiError:
        """Return the error for an unknown Viber sender (INF: the code)."""
        body = {"code": "404000000", "developerMessage": "The sender info was not found", "property": location}
        return ApiError(404, body)

    def not_found(self, what: str, code: str = "404000000") -> ApiError:
        """Return the error for something that does not exist (INF: the code, except for Viber tracking)."""
        return ApiError(404, {"code": code, "developerMessage": f"{what} was not found"})

    def method_not_allowed(self) -> ApiError:
        """Return the error for a path that does not support the method."""
        return ApiError(405, {"code": "405000000", "developerMessage": "The method is not allowed here"})

    def scripted_error(self, status: int) -> ApiError:
        """Return the error that a rule scripts (INF: the code)."""
        if status == 401:
            return self.invalid_token()
        return ApiError(status, {"code": f"{status}000000", "developerMessage": reason_phrase(status)})

    def insufficient_balance(self) -> ApiError:
        """Return the error for an insufficient balance: a 400 with a code and a message (INF: the message)."""
        return ApiError(400, {"code": "400001009", "developerMessage": "Insufficient balance"})

    def remote_caller_forbidden(self) -> ApiError:
        """Return the error for a caller of the admin API that is remote, or a page of another host."""
        message = (
            "The admin API of the sandbox accepts requests from its own page only, and only from the machine that it "
            "runs on, by its address or as localhost, unless it was started with --remote-control "
            "(allow_remote_admin=True)"
        )
        return ApiError(403, {"code": "403000000", "developerMessage": message})

    def conflict(self, reason: str) -> ApiError:
        """Return the error for an action that the current state of the flow does not allow."""
        return ApiError(409, {"code": "409000000", "developerMessage": reason})


class OtpErrorFormat:
    """Error format of the OTP service. Its statuses are documented; its bodies are inferred from its conventions."""

    def malformed_body(self, reason: str) -> ApiError:
        """Return the error for a body that cannot be read as JSON."""
        return ApiError(422, {"detail": [{"loc": ["body"], "msg": reason, "type": "json_invalid"}]})

    def validation_failed(self, entity: str, violations: Sequence[Violation]) -> ApiError:
        """Return the error for a request with these violations; `entity` is their location: `body` or `query`."""
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
        """Return the error for a request without a Bearer token: a 403 here."""
        return ApiError(403, {"detail": "Not authenticated"})

    def invalid_token(self) -> ApiError:
        """Return the error for a token that is unknown, expired or revoked."""
        return ApiError(401, {"detail": "Invalid or expired token"}, _INVALID_TOKEN_CHALLENGE)

    def not_found(self, what: str) -> ApiError:
        """Return the error for something that does not exist."""
        return ApiError(404, {"detail": f"{what} not found"})

    def method_not_allowed(self) -> ApiError:
        """Return the error for a path that does not support the method."""
        return ApiError(405, {"detail": "Method Not Allowed"})

    def scripted_error(self, status: int) -> ApiError:
        """Return the error that a rule scripts."""
        return self.invalid_token() if status == 401 else ApiError(status, {"detail": reason_phrase(status)})


def _oauth_error_body(error: str, description: str) -> dict[str, Any]:
    return {"error": error, "error_description": description}


FAILOVER_ERRORS = FailoverErrorFormat()
OTP_ERRORS = OtpErrorFormat()
