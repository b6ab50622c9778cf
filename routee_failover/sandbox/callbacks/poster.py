"""One POST to a caller and what came of it, in words; nothing that a receiver does gets past here as an error."""

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
"""Real seconds. It is Routee's rule on other pages; the failover pages name none (INF)."""
MAX_CONCURRENT_POSTS, MAX_CONCURRENT_POSTS_PER_ORIGIN = 100, 10
USER_AGENT = "routee-failover-sandbox"
"""The `User-Agent` of what the sandbox posts."""

_LONGEST_ANSWER = 64 * 1024  # read so that the connection can be used again; nobody wants more of it
_KEEP_ALIVE = 1.0  # real seconds: less than any server's own, so that none closes while a request is on its way
_HEADERS = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
_NO_ADDRESS = "this is no address that could be called"


@attrs.frozen
class PostResult:
    """What came of a POST: the answer's status when there was one, what was wrong in words, real milliseconds."""

    status: int | None
    error: str | None
    duration_ms: int


class Poster:
    """Posts JSON: at most `AT_ONCE` at a time, and `MAX_CONCURRENT_POSTS_PER_ORIGIN` to one receiver, so that a slow one holds up no
    other. It follows no redirect, keeps no cookie, uses no proxy, and verifies certificates.
    """  # noqa: D205

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._origin_semaphore = KeyedSemaphore(MAX_CONCURRENT_POSTS_PER_ORIGIN)
        self._total_semaphore = KeyedSemaphore(MAX_CONCURRENT_POSTS)

    async def post(self, url: str, content: bytes) -> PostResult:
        """Post this once; what comes of it is told and never raised. Waiting for a turn does not count."""
        try:
            address = URL(url)
            origin = str(address.origin())
        except ValueError:
            return PostResult(None, _NO_ADDRESS, 0)
        async with self._origin_semaphore.acquire(origin), self._total_semaphore.acquire(""):
            begun = time.monotonic()
            status, error = await self._answered(address, content)
            return PostResult(status, error, round((time.monotonic() - begun) * 1000))

    async def _answered(self, address: URL, content: bytes) -> tuple[int | None, str | None]:
        status: int | None = None
        try:
            async with (
                asyncio.timeout(RESPONSE_TIMEOUT),
                self._open_session().post(address, data=content, allow_redirects=False) as response,
            ):
                status = response.status  # it decides, whatever becomes of the rest
                with suppress(asyncio.IncompleteReadError):
                    await response.content.readexactly(_LONGEST_ANSWER)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if status is None:
                return None, _in_words(error)
        return status, _complaint(status)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE),
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


def _complaint(status: int) -> str | None:
    if status == 200:
        return None
    if 300 <= status < 400:
        return "a redirect is not followed: only 200 counts"
    return "only 200 counts"


def _in_words(error: Exception) -> str:
    """What went wrong, without the address: there may be a key in it."""
    match error:
        case TimeoutError():
            return f"no answer within {RESPONSE_TIMEOUT:g} s"
        case aiohttp.ClientConnectorDNSError():
            return "the name was not found"
        case aiohttp.ClientConnectorCertificateError():
            return "the certificate is not trusted"
        case aiohttp.ClientSSLError():
            return "no TLS connection could be made"
        case aiohttp.ClientResponseError():
            return "the answer is no HTTP"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "the connection was refused"
        case aiohttp.ServerDisconnectedError() | OSError(errno=errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED):
            return "the connection was reset before an answer"
        case OSError(errno=int(number)):
            return f"no connection: {os.strerror(number)}"
        case OSError():
            return "no connection"
        case _:
            return _NO_ADDRESS
