"""Request headers: those that all requests with one token and content type share, built and checked once."""

import re
from collections.abc import Mapping

from multidict import CIMultiDict
from yarl import URL

from ..config import Config
from ..secret import Secret

_has_control_character = re.compile("[\r\n\0]").search


class Headers:
    """Headers shared by requests to one base URL; those that depend on the body are not among them.

    `mapping` are the headers that this library sets; `encoded` is for the executor, which keeps the bytes of all of
    them here after the first request.
    """

    __slots__ = ("base_url", "encoded", "mapping")

    def __init__(self, base_url: str, *, authorization: Secret | None = None, content_type: str | None = None) -> None:
        self.base_url: str = base_url
        self.mapping: dict[str, str] = {}
        self.encoded: bytes | None = None
        if authorization is not None:
            self.mapping["Authorization"] = authorization.reveal()
        if content_type is not None:
            self.mapping["Content-Type"] = content_type


def bearer_headers(base_url: str, token: Secret) -> tuple[Headers, Headers]:
    """Return the headers for requests without a body, and for those with one."""
    bearer = Secret(f"Bearer {token.reveal()}")
    return (
        Headers(base_url, authorization=bearer),
        Headers(base_url, authorization=bearer, content_type="application/json"),
    )


def merge_headers(config: Config, headers: Headers, url: URL) -> CIMultiDict[str]:
    """Return the headers of the settings and those that this library sets, for requests to a URL."""
    merged = CIMultiDict(config.headers.reveal())
    if config.proxy is not None and url.scheme == "http":  # the proxy reads this request itself
        merged.update(config.proxy_headers.reveal())
    merged.update(headers.mapping)
    return merged


def encode_headers(headers: Mapping[str, str]) -> bytes:
    """Return header lines. Raises `ValueError`, which quotes nothing, for one that would end its line early."""
    lines: list[str] = []
    for name, value in headers.items():
        if _has_control_character(name) or _has_control_character(value):
            raise ValueError("a header holds a control character")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode()
