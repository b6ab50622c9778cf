"""Header templates for one host: aiohttp assembles the headers of the first request, later requests copy them."""

from multidict import CIMultiDict

from ..secret import Secret


class Headers:
    """Headers shared by all requests with the same content type; those that depend on the body are not among them."""

    __slots__ = ("given", "whole")

    def __init__(self, authorization: Secret | None = None, content_type: str | None = None) -> None:
        self.given: CIMultiDict[str] = CIMultiDict()
        """Headers set by this library."""
        self.whole: CIMultiDict[str] | None = None
        """`given` with the headers that aiohttp, the session and the settings add; None before the first request."""
        if authorization is not None:
            self.given["Authorization"] = authorization.reveal()
        if content_type is not None:
            self.given["Content-Type"] = content_type


def bearer_headers(token: Secret) -> tuple[Headers, Headers]:
    """Return the headers for requests without a body, and for those with one."""
    bearer = Secret(f"Bearer {token.reveal()}")
    return Headers(bearer), Headers(bearer, "application/json")
