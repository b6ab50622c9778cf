"""Who may ask: access tokens, the roles that they carry, and how long they live.

Tokens live in real time: a client renews them by its own clock, however fast the flows play.
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
    """An access token; `expires_at` is a reading of the service's clock."""

    value: str = attrs.field(repr=False)
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    expires_at: float


class UnknownScope(LookupError):  # named like the errors of the whole library
    """A scope was asked for that the application does not have."""


class TokenService:
    """Hands out tokens for one application, the same token for the same scopes while it lives."""

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
        self._by_text: dict[str, Token] = {}

    def check_credentials(self, authorization: str) -> bool:
        """Whether this is the `Authorization: Basic` header of the application."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, self._credentials)

    def issue(self, scope: str = "") -> Token:
        """The living token for these scopes, or a new one; `scope` holds names parted by blanks or commas.

        Raises `UnknownScope` for a name that the application does not have. Without names, the token has them all.
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
            self._by_text = {living.value: living for living in self._by_scopes.values()}
        return token

    def seconds_left(self, token: Token) -> float:
        """How long it lives yet; zero or less when its time is over."""
        return token.expires_at - self._clock()

    def authenticate(self, authorization: str) -> Token | None:
        """The living token of an `Authorization: Bearer` header."""
        token = self._by_text.get(authorization.partition(" ")[2].strip())
        return token if token is not None and self.seconds_left(token) > 0 else None

    def revoke_all(self) -> None:
        """End every token that was handed out."""
        self._by_scopes.clear()
        self._by_text.clear()
