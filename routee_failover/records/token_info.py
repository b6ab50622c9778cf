"""Access token of a client, without the token: what it allows, which explains a 403."""

from datetime import timedelta
from typing import Self, cast

import attrs

from ._fields import get_float, get_timedelta
from .record import JsonObject, Record

_MAX_NAMES = 100
_MAX_NAME_LENGTH = 100


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class TokenInfo(Record):
    """What Routee says of an access token (https://docs.routee.net/docs/get-authenticated), but for the token itself.

    An empty tuple means that Routee named none, which is no proof that there is none.
    """

    roles: tuple[str, ...]
    """Roles of the application, such as `MT_ROLE_FAILOVER`. A flow also needs the role of each of its channels."""
    scopes: tuple[str, ...]
    """Scopes of the token, such as `failover` and `sms`."""
    lifetime: timedelta | None
    """How long the token was valid when Routee returned it."""

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read what a token response says; a missing value is `None` or empty. `raw` has nothing else of the response.

        Only the keys that Routee documents are kept, and no name that quotes the token.
        """
        token = data.get("access_token")
        scopes, roles = (_names(data.get(key), token) for key in ("scope", "permissions"))
        kept = {"scope": " ".join(scopes), "permissions": roles, "expires_in": get_float(data, "expires_in")}
        return cls(
            roles=tuple(roles),
            scopes=tuple(scopes),
            lifetime=get_timedelta(kept, "expires_in", timedelta(seconds=1)),
            data={key: value for key, value in kept.items() if key in data},
        )


def _names(value: object, token: object) -> list[str]:
    """Return names from a list, or from a text that separates them by blanks or commas: Routee's pages show both."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value if isinstance(value, list) else []
    return [
        word
        for word in cast("list[object]", words)[:_MAX_NAMES]
        if isinstance(word, str) and word.isprintable() and len(word) <= _MAX_NAME_LENGTH and not _quotes(word, token)
    ]


def _quotes(word: str, token: object) -> bool:
    """Return whether a word is or holds the token or a part of it that is too long to be a coincidence."""
    return isinstance(token, str) and (token in word or (len(word) >= _MIN_PART_LENGTH and word in token))


_MIN_PART_LENGTH = 8
