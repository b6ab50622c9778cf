"""HTTP headers: those that requests share, built and checked once, and those of a response that change what follows."""

import functools
import re

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from .._retry_after import parse_retry_after
from ..config import Config
from ..outcomes import Response
from ..secret import Secret
from .aiohttp_api import SERVER_SOFTWARE, BaseConnector, shorten_idle_timeout

CLOSE_MARGIN = 1.0
"""Seconds by which a connection is dropped before its server closes it: time for a request in transit to arrive."""
MIN_IDLE_TIMEOUT = 0.5
"""Lower bound in seconds for how long an idle connection is kept."""

_timeout = re.compile(r"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})(?![0-9])", re.IGNORECASE).search
_has_control_character = re.compile("[\r\n\0]").search


class Headers:
    """Headers shared by requests to one base URL: those of the settings, and those that this library sets.

    Those that depend on the body are not among them. `encoded` are the bytes of all of them, once `encode` was called.
    `mapping` is for a session, which adds Host, Accept and User-Agent itself; copy it before passing it on.
    """

    encoded: bytes | None = None

    def __init__(
        self, config: Config, base_url: str, *, authorization: Secret | None = None, content_type: str | None = None
    ) -> None:
        self.base_url = base_url
        self._url = URL(base_url)
        self.mapping = CIMultiDict(config.headers.reveal())
        self.proxied = config.proxy is not None
        if self.proxied and self._url.scheme == "http":  # the proxy reads this request itself
            self.mapping.update(config.proxy_headers.reveal())
        if authorization is not None:
            self.mapping["Authorization"] = authorization.reveal()
        if content_type is not None:
            self.mapping["Content-Type"] = content_type

    def encode(self) -> bytes:
        """Return header lines. Raises `ValueError`, which quotes nothing, for one that would end its line early."""
        lines = CIMultiDict({"Host": self._url.host_port_subcomponent or "", "Accept": "*/*"})
        lines.update({"Accept-Encoding": "gzip, deflate", "User-Agent": SERVER_SOFTWARE})
        lines.update(self.mapping)
        if any(_has_control_character(text) for line in lines.items() for text in line):
            raise ValueError("a header holds a control character")
        self.encoded = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
        return self.encoded


@functools.lru_cache(maxsize=32)
def announced_idle_timeout(header: str) -> float | None:
    """Return how many seconds a connection may stay idle after a response with this `Keep-Alive` header."""
    match = _timeout(header)
    return max(int(match[1]) - CLOSE_MARGIN, MIN_IDLE_TIMEOUT) if match else None


def read_response(
    status: int, headers: CIMultiDictProxy[str], body: bytes, pool: BaseConnector | None, *, may_be_unsolicited: bool
) -> Response:
    """Return a response, with the pause that it asks for; the pool keeps idle connections no longer than it says."""
    if "Keep-Alive" in headers:
        seconds = announced_idle_timeout(headers["Keep-Alive"])
        if seconds is not None:
            shorten_idle_timeout(pool, seconds)
    retry_after = None
    if "Retry-After" in headers:
        retry_after = parse_retry_after(headers.getall("Retry-After"), headers.get("Date"))
    return Response(status, body, retry_after, may_be_unsolicited)
