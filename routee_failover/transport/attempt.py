"""One request on one connection, told as evidence instead of exceptions.

The line that matters is `TrackedRequest.send`: aiohttp calls it once a connection is there and before the first byte is
written. An attempt that never reached it has sent nothing, whatever exception it ended in.
"""

import asyncio
import io
import os
import select
import ssl
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import attrs
from multidict import CIMultiDict

from ..evidence import Answer, Evidence
from ..secret import SecretBytes, hidden
from ..values import Value

LONGEST_PAUSE = 86_400.0
"""The longest pause in seconds that an answer is taken to ask for."""


class _Progress:
    """How far an attempt has come."""

    begun = False


_progress: ContextVar[_Progress] = ContextVar("routee_failover_progress")


class _ConnectionGone(aiohttp.ClientError):
    """The pooled connection turned out to be closed before anything was written to it."""


class _AnswerTooLong(Exception):  # it ends an attempt and is told as its cause
    """The answer has more bytes than `answer_limit`."""


class TrackedRequest(aiohttp.ClientRequest):
    """A request that marks the attempt as begun right before its first byte can leave."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Send, unless the server has closed this pooled connection: then nothing is written, and a retry is safe."""
        if _has_unread(conn.transport):
            # On a connection that has not been asked anything, that is its end, or talk of TLS. The loop reads it in
            # its next turn and hears of it in the one after.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        transport = conn.transport
        if transport is None or transport.is_closing():
            raise _ConnectionGone
        progress = _progress.get(None)
        if progress is not None:
            progress.begun = True
        return await super().send(conn)


def _has_unread(transport: asyncio.Transport | None) -> bool:
    """Whether something has arrived that the loop has not looked at.

    A FIN for example: a message written before the loop hears of it is lost without a trace of whether it was read. To
    ask the socket itself costs less than to give the loop the turns that it would need each time.
    """
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is None:
        return False
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([connection.fileno()], [], [], 0)[0])


_LARGE = 1024 * 1024


@attrs.frozen(slots=False, eq=False, repr=False)
class Request(Value):
    """A request as it goes on the wire. None of it is shown: the headers hold a token, and the body may hold a PIN."""

    method: str
    url: str
    headers: CIMultiDict[str] = attrs.field(repr=hidden)
    body: SecretBytes | None

    def data(self) -> bytes | io.BytesIO | None:
        """The body as aiohttp takes it: bytes, or a stream where it warns of bytes that are too many at once."""
        if self.body is None:
            return None
        return self.body.reveal() if len(self.body) < _LARGE else io.BytesIO(self.body.reveal())


def headers_with(authorization: str, content_type: str | None = None) -> CIMultiDict[str]:
    """The headers of a request, in the form that aiohttp takes as it is."""
    headers: CIMultiDict[str] = CIMultiDict({"Authorization": authorization})
    if content_type is not None:
        headers["Content-Type"] = content_type
    return headers


async def attempt(
    session: aiohttp.ClientSession, request: Request, *, within: aiohttp.ClientTimeout, limit: int
) -> Evidence:
    """Make one request and say what it showed. Raises nothing but a cancellation."""
    progress = _Progress()
    reset = _progress.set(progress)
    try:
        async with session.request(
            request.method,
            request.url,
            data=request.data(),
            headers=request.headers,
            timeout=within,
            allow_redirects=False,
        ) as response:
            answer = Answer(response.status, await _read(response, limit), _retry_after(response))
            return Evidence(begun=True, answer=answer)
    except asyncio.CancelledError as error:
        # Raised anew below: the frames of this one hold the body and the token.
        cancelled = error.args
    except Exception as error:  # noqa: BLE001  # how far the attempt came decides, not what aiohttp calls it
        return Evidence(
            begun=progress.begun,
            cause=_cause(error, begun=progress.begun),
            lasting=isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.InvalidURL),
        )
    finally:
        _progress.reset(reset)
    raise asyncio.CancelledError(*cancelled)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, and no more of it than the limit; a compressed one does not say beforehand how long it is."""
    length = response.content_length
    if length is not None and length <= limit and "Content-Encoding" not in response.headers:
        return await response.read()
    chunks: list[bytes] = []
    total = 0
    async for chunk in response.content.iter_any():
        total += len(chunk)
        if total > limit:
            response.close()
            raise _AnswerTooLong
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Both documented forms of the header: seconds, or a date."""
    header = response.headers.get("Retry-After")
    if header is None:
        return None
    try:
        seconds = float(header) if header.strip().isdigit() else _until(parsedate_to_datetime(header))
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_PAUSE)


def _until(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()


def _cause(error: Exception, *, begun: bool) -> str:
    """What happened, in words of our own: an exception's text may quote what was sent or received."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"the host name {error.host} could not be resolved"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return f"the certificate of {getattr(error, 'host', 'the server')} is not trusted"
        case aiohttp.ClientConnectorError():
            why = os.strerror(error.os_error.errno) if error.os_error.errno else "it failed"
            return f"no connection to {error.host}:{error.port} could be made ({why})"
        case _ConnectionGone():
            return "the pooled connection had been closed by the server"
        case _AnswerTooLong():
            return "the answer is longer than answer_limit"
        case aiohttp.ClientPayloadError():
            return "the answer broke off"
        case aiohttp.ConnectionTimeoutError():
            return "no connection could be made within connect_timeout"
        case TimeoutError():
            return f"no {'answer came' if begun else 'connection could be made'} within total_timeout"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer came"
        case aiohttp.ClientResponseError():
            return "the answer is no valid HTTP"
        case _:
            return f"the connection failed ({type(error).__name__})"
