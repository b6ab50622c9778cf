"""Response to a token request: the access token, its lifetime, and what it allows."""

from typing import Any, NamedTuple

from ..errors import Forbidden, RouteeError, TokenUnavailable
from ..outcomes import AttemptResult
from ..records import TokenInfo
from ..secret import Secret
from .json_codec import decode

DEFAULT_LIFETIME = 300.0
"""Lifetime of a token in seconds if the response does not state one."""


class AccessToken(NamedTuple):
    """An access token, its lifetime in seconds, and what it allows."""

    token: Secret
    lifetime: float
    info: TokenInfo


def read_token(result: AttemptResult) -> AccessToken:
    """Return the token in the result of a token request. Raises `TokenUnavailable`."""
    response = result.response
    if response is None:
        raise TokenUnavailable(
            f"no access token could be obtained: {result.reason}; nothing was sent"
        ) from result.cause
    if response.status != 200:
        reason = f"Routee's token service answered {response.status}"
        if response.status == 401:
            reason = "Routee rejected the application id and secret (401): compare them with Routee's platform"
        raise TokenUnavailable(f"{reason}; nothing was sent", status=response.status)
    try:
        payload: Any = decode(response.body)
    except ValueError:
        payload = None
    payload = payload if isinstance(payload, dict) else {}
    token, life = payload.get("access_token"), payload.get("expires_in")
    if not (isinstance(token, str) and token.isascii() and token.isprintable() and token.strip()):
        raise TokenUnavailable("Routee's token response holds no token; nothing was sent", status=200)
    is_number = isinstance(life, int | float) and not isinstance(life, bool) and life >= 0
    return AccessToken(Secret(token), float(life) if is_number else DEFAULT_LIFETIME, TokenInfo.from_dict(payload))


def explain_forbidden(error: RouteeError, access_token: AccessToken | None) -> None:
    """Add to a 403 what the token allows: it may lack a role or a scope."""
    if not isinstance(error, Forbidden) or access_token is None:
        return
    error.roles, error.scopes = access_token.info.roles, access_token.info.scopes
    known = {"roles": error.roles, "scopes": error.scopes}
    if not any(known.values()):
        return
    error.args = (
        f"{error}. The token has the "
        + " and the ".join(f"{kind} {', '.join(names)}" for kind, names in known.items() if names),
    )
