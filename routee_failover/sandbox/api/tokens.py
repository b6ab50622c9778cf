"""Access tokens: their roles, scopes and lifetime.

Tokens expire in real time: a client renews them by its own clock, whatever the speed of the virtual clock.
"""

import base64
import binascii
import hmac
import time
import uuid
from collections.abc import Callable, Collection
from datetime import timedelta

import attrs

# `failover` and `MT_ROLE_FAILOVER` are documented, as are most pairs; the name of the Viber role is inferred.
ROLE_OF_SCOPE = {
    "sms": "MT_ROLE_SMS",
    "voice": "MT_ROLE_VOICE",
    "viber": "MT_ROLE_VIBER",
    "failover": "MT_ROLE_FAILOVER",
    "account": "MT_ROLE_ACCOUNT_FINANCE",
    "report": "MT_ROLE_REPORT",
}
ALL_ROLES = tuple(ROLE_OF_SCOPE.values())
ALL_SCOPES = "all"


@attrs.frozen
class Token:
    """Access token; `expires_at` is in seconds of the service's clock."""

    value: str = attrs.field(repr=False)
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    expires_at: float


class UnknownScope(LookupError):  # no `Error` in the name, like the other errors of this library
    """The requested scope is not one of the application's."""


class TokenService:
    """Issues tokens for one application: the same token for the same scopes while it is valid."""

    def __init__(
        self,
        *,
        application_id: str,
        application_secret: str,
        lifetime: timedelta,
        roles: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if lifetime <= timedelta(0):
            raise ValueError("token_lifetime must be positive")
        self._credentials = f"{application_id}:{application_secret}".encode()
        self._lifetime = lifetime.total_seconds()
        self._roles = tuple(roles)
        self._clock = clock
        self._by_scopes: dict[tuple[str, ...], Token] = {}
        self._by_value: dict[str, Token] = {}

    def has_valid_credentials(self, authorization: str) -> bool:
        """Return whether this is the `Authorization: Basic` header of the application."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, self._credentials)

    def issue(self, scope: str = "") -> Token:
        """Return the valid token for these scopes, or a new one; `scope` holds names separated by blanks or commas.

        Without names, the token has all scopes. Raises `UnknownScope` for one that the application does not have.
        """
        available = tuple(name for name, role in ROLE_OF_SCOPE.items() if role in self._roles)
        names = set(scope.replace(",", " ").split())
        narrowed = bool(names) and ALL_SCOPES not in names
        if narrowed and not names <= set(available):
            raise UnknownScope
        scopes = tuple(name for name in available if name in names) if narrowed else available
        token = self._by_scopes.get(scopes)
        if token is None or self.seconds_left(token) <= 0:
            roles = tuple(ROLE_OF_SCOPE[name] for name in scopes) if narrowed else self._roles
            token = Token(str(uuid.uuid4()), scopes, roles, self._clock() + self._lifetime)
            self._by_scopes[scopes] = token
            self._by_value = {issued.value: issued for issued in self._by_scopes.values()}
        return token

    def seconds_left(self, token: Token) -> float:
        """Return the seconds until the token expires; zero or less when it has."""
        return token.expires_at - self._clock()

    def authenticate(self, authorization: str) -> Token | None:
        """Return the valid token of an `Authorization: Bearer` header, or None."""
        token = self._by_value.get(authorization.partition(" ")[2].strip())
        return token if token is not None and self.seconds_left(token) > 0 else None

    def revoke_all(self) -> None:
        """Revoke every token that was issued."""
        self._by_scopes.clear()
        self._by_value.clear()
