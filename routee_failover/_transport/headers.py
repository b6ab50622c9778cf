"""The headers of requests to one host: aiohttp puts them together for the first, and later ones copy what it made."""

from multidict import CIMultiDict

from ..secret import Secret


class Headers:
    """Headers that are the same from request to request but for what depends on the body."""

    __slots__ = ("given", "whole")

    def __init__(self, authorization: Secret | None = None, content_type: str | None = None) -> None:
        self.given: CIMultiDict[str] = CIMultiDict()
        """What we say."""
        self.whole: CIMultiDict[str] | None = None
        """The same with what aiohttp, the session and the settings add to it, once that is known."""
        if authorization is not None:
            self.given["Authorization"] = authorization.reveal()
        if content_type is not None:
            self.given["Content-Type"] = content_type


def bearer_headers(token: Secret) -> tuple[Headers, Headers]:
    """The headers of requests without a body, and of those with one."""
    bearer = Secret(f"Bearer {token.reveal()}")
    return Headers(bearer), Headers(bearer, "application/json")
