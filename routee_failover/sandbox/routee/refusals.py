"""How the two services say no: the failover API with a code and a developerMessage, the OTP service with a detail.

Both bodies are documented in part only; what is inferred is marked.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from ..._http_status import reason_phrase
from ..contract import Violation


class Refusal(Exception):  # an answer on its way out, not a fault
    """An answer that says no: its HTTP status, JSON body, and headers beside the usual ones."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


class Dialect(Protocol):
    """How one service words its refusals."""

    def unreadable(self, reason: str) -> Refusal:
        """The body is no JSON that could be judged."""
        ...

    def invalid(self, entity: str, violations: Sequence[Violation]) -> Refusal:
        """The request breaks these rules."""
        ...

    def no_token(self) -> Refusal:
        """No Bearer token came along."""
        ...

    def bad_token(self) -> Refusal:
        """The token is unknown, expired or revoked."""
        ...

    def not_found(self, what: str) -> Refusal:
        """There is no such thing."""
        ...

    def wrong_method(self) -> Refusal:
        """The path exists, but not for this method."""
        ...

    def scripted(self, status: int) -> Refusal:
        """A rule asked for this answer."""
        ...


class FailoverDialect:
    """The words of the failover API, and of Viber and account calls beside it."""

    def unreadable(self, reason: str) -> Refusal:
        """The body is no JSON that could be judged (INF: the code of other validation errors)."""
        return Refusal(400, {"code": "400000000", "developerMessage": reason})

    def invalid(self, entity: str, violations: Sequence[Violation]) -> Refusal:
        """The request breaks these rules."""
        properties = {violation.place or "body": violation.reason for violation in violations}
        body = {
            "code": "400000000",
            "developerMessage": "Validation Error!",
            "entity": entity,
            "properties": properties,
        }
        return Refusal(400, body)

    def no_token(self) -> Refusal:
        """No Bearer token came along. The key `error` is known from tests, its words are inferred."""
        return Refusal(401, _oauth("unauthorized", "Full authentication is required to access this resource"))

    def bad_token(self) -> Refusal:
        """The token is unknown, expired or revoked."""
        return Refusal(401, _oauth("invalid_token", "The access token is invalid or has expired"))

    def missing_role(self, role: str) -> Refusal:
        """The token lacks a role (INF: the code; failover's own codes are not public)."""
        return Refusal(403, {"code": "403000000", "developerMessage": f"Access is denied: {role} is missing"})

    def unknown_sender(self, place: str) -> Refusal:
        """There is no such Viber sender (INF: the code)."""
        body = {"code": "404000000", "developerMessage": "The sender info was not found", "property": place}
        return Refusal(404, body)

    def not_found(self, what: str, code: str = "404000000") -> Refusal:
        """There is no such thing (INF: the code, but for Viber tracking)."""
        return Refusal(404, {"code": code, "developerMessage": f"{what} was not found"})

    def wrong_method(self) -> Refusal:
        """The path exists, but not for this method."""
        return Refusal(405, {"code": "405000000", "developerMessage": "The method is not allowed here"})

    def scripted(self, status: int) -> Refusal:
        """A rule asked for this answer (INF: the code)."""
        if status == 401:
            return self.bad_token()
        return Refusal(status, {"code": f"{status}000000", "developerMessage": reason_phrase(status)})

    def insufficient_balance(self) -> Refusal:
        """The account cannot pay: documented as a 400, which has a code and a developerMessage (INF: both)."""
        return Refusal(400, {"code": "400001000", "developerMessage": "Insufficient balance"})

    def not_here(self) -> Refusal:
        """The sandbox's own controls are for callers on its machine."""
        message = (
            "The sandbox is controlled from its own page, and from its own machine only, by its address or as "
            "localhost, unless it was started with remote control"
        )
        return Refusal(403, {"code": "403000000", "developerMessage": message})

    def too_late(self, reason: str) -> Refusal:
        """A flow has gone on since: what was asked cannot be done to it any more."""
        return Refusal(409, {"code": "409000000", "developerMessage": reason})


class OtpDialect:
    """The words of the OTP service. Its statuses are documented, its bodies are inferred from its other habits."""

    def unreadable(self, reason: str) -> Refusal:
        """The body is no JSON that could be judged."""
        return Refusal(422, {"detail": [{"loc": ["body"], "msg": reason, "type": "json_invalid"}]})

    def invalid(self, entity: str, violations: Sequence[Violation]) -> Refusal:
        """The request breaks these rules; `entity` is where: `body` or `query`."""
        detail = [
            {
                "loc": [entity, *violation.path],
                "msg": violation.reason,
                "type": "missing" if violation.missing else "value_error",
            }
            for violation in violations
        ]
        return Refusal(422, {"detail": detail})

    def no_token(self) -> Refusal:
        """No Bearer token came along: this service says 403."""
        return Refusal(403, {"detail": "Not authenticated"})

    def bad_token(self) -> Refusal:
        """The token is unknown, expired or revoked."""
        return Refusal(401, {"detail": "Invalid or expired token"})

    def not_found(self, what: str) -> Refusal:
        """There is no such thing."""
        return Refusal(404, {"detail": f"{what} not found"})

    def wrong_method(self) -> Refusal:
        """The path exists, but not for this method."""
        return Refusal(405, {"detail": "Method Not Allowed"})

    def scripted(self, status: int) -> Refusal:
        """A rule asked for this answer."""
        return self.bad_token() if status == 401 else Refusal(status, {"detail": reason_phrase(status)})


def _oauth(error: str, description: str) -> dict[str, Any]:
    return {"error": error, "error_description": description}


FAILOVER = FailoverDialect()
OTP = OtpDialect()
