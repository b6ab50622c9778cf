"""Poster of callbacks: one HTTP POST and its result; a failure of the receiver is a result, never an exception."""

import asyncio
import errno
import os
import time
from contextlib import suppress

import aiohttp
import attrs
from yarl import URL

from .keyed_semaphore import KeyedSemaphore

RESPONSE_TIMEOUT = 2.0
"""Real seconds. It is Routee's limit for callbacks on other pages; the failover pages name none (INF)."""
MAX_CONCURRENT_POSTS, MAX_CONCURRENT_POSTS_PER_ORIGIN = 100, 10
USER_AGENT = "routee-failover-sandbox"
"""The `User-Agent` of callbacks."""

_MAX_RESPONSE_SIZE = 64 * 1024  # read so that the connection can be reused; the contents are ignored
_KEEPALIVE_EXPIRY = 1.0  # real seconds: shorter than any server's own, so that none closes while a request is sent
_HEADERS = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
_INVALID_URL = "the URL is not valid"


@attrs.frozen
class PostResult:
    """Result of a POST: the status of the response if there was one, a description of the error, real milliseconds."""

    status: int | None
    error: str | None
    duration_ms: int


class Poster:
    """Posts JSON, at most `MAX_CONCURRENT_POSTS` at a time and `MAX_CONCURRENT_POSTS_PER_ORIGIN` to one receiver.

    So a slow receiver does not hold up the others. It follows no redirects, keeps no cookies, uses no proxy, and
    verifies certificates.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._origin_semaphore = KeyedSemaphore(MAX_CONCURRENT_POSTS_PER_ORIGIN)
        self._total_semaphore = KeyedSemaphore(MAX_CONCURRENT_POSTS)

    async def post(self, url: str, payload: bytes) -> PostResult:
        """Make one attempt and return its result, errors included. The duration excludes waiting for a free slot."""
        try:
            address = URL(url)
            origin = str(address.origin())
        except ValueError:
            return PostResult(None, _INVALID_URL, 0)
        async with self._origin_semaphore.acquire(origin), self._total_semaphore.acquire(""):
            started = time.monotonic()
            status, error = await self._send(address, payload)
            return PostResult(status, error, round((time.monotonic() - started) * 1000))

    async def _send(self, address: URL, payload: bytes) -> tuple[int | None, str | None]:
        status: int | None = None
        try:
            async with (
                asyncio.timeout(RESPONSE_TIMEOUT),
                self._open_session().post(address, data=payload, allow_redirects=False) as response,
            ):
                status = response.status  # it determines the result, even if the rest cannot be read
                with suppress(asyncio.IncompleteReadError):
                    await response.content.readexactly(_MAX_RESPONSE_SIZE)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if status is None:
                return None, _describe_error(error)
        return status, _status_error(status)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_EXPIRY),
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _status_error(status: int) -> str | None:
    if status == 200:
        return None
    if 300 <= status < 400:
        return "redirects are not followed: only 200 counts as success"
    return "only 200 counts as success"


def _describe_error(error: Exception) -> str:
    """Return a description without the URL, which may contain a key."""
    match error:
        case TimeoutError():
            return f"no response within {RESPONSE_TIMEOUT:g} s"
        case aiohttp.ClientConnectorDNSError():
            return "the host name was not found"
        case aiohttp.ClientConnectorCertificateError():
            return "the certificate is not trusted"
        case aiohttp.ClientSSLError():
            return "no TLS connection could be made"
        case aiohttp.ClientResponseError():
            return "the response is not valid HTTP"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "the connection was refused"
        case aiohttp.ServerDisconnectedError() | OSError(errno=errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED):
            return "the connection was reset before a response"
        case OSError(errno=int(number)):
            return f"no connection: {os.strerror(number)}"
        case OSError():
            return "no connection"
        case _:
            return _INVALID_URL
