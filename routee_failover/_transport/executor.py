"""Executor of attempts: it runs one HTTP request and returns an attempt result instead of raising.

What an attempt proves depends on how far it got, not on the exception that ended it.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from ..outcomes import AttemptResult, Response
from .attempt import Attempt, CancelReason, current_attempt, to_aiohttp_data
from .failure_reasons import ResponseTooLarge, StaleConnection, failure_reason, is_connect_error, is_permanent
from .keep_alive import apply_keep_alive

MAX_RETRY_AFTER = 86_400.0
"""Upper bound in seconds of a `Retry-After` header."""

_CANCEL_REASONS = {
    None: "the event loop ended",
    CancelReason.DEADLINE: "the deadline of the message had passed",
    CancelReason.CLIENT_CLOSED: "the client was closed before a response came",
    CancelReason.CALLER_CANCELLED: "the caller was cancelled",
    CancelReason.WITHDRAWN: "the message was withdrawn",
}


async def execute(
    session: aiohttp.ClientSession,
    attempt: Attempt,
    *,
    timeout: aiohttp.ClientTimeout,
    max_response_size: int,
    verified: bool = True,
) -> AttemptResult:
    """Execute an attempt and return its result. Raises nothing, not even when its task is cancelled.

    `verified` says that the session is known to use our request class. Otherwise the request counts as possibly sent
    from here on, and only an error that occurs before there is a connection proves that it was not.
    """
    if attempt.cancel_reason is not None:
        return AttemptResult(may_have_been_sent=False, reason=_cancel_text(attempt))
    current_attempt.set(attempt)
    if not verified and not attempt.request.safe:
        attempt.may_have_been_sent = True
    body = attempt.body
    try:
        response = await session.request(
            attempt.request.method,
            attempt.url,
            data=None if body is None else to_aiohttp_data(body),
            headers=None if attempt.headers.whole is not None else attempt.headers.given,
            timeout=timeout,
            allow_redirects=False,
        )
        if verified or attempt.hooks_called:
            _check_solicited(attempt, response)
        headers = response.headers
        if "Keep-Alive" in headers:
            apply_keep_alive(headers, session)
        # A trace config of the user's session sees a body that is read, but not one taken from the buffer.
        buffered = _is_short(response, max_response_size) and response.content.is_eof() and not session.trace_configs
        content = response.content.read_nowait() if buffered else await _read(response, max_response_size)
        retry_after = _parse_retry_after(headers) if "Retry-After" in headers else None
        return AttemptResult(True, Response(response.status, content, retry_after), "", False, _bytes_written(attempt))
    except asyncio.CancelledError:
        # A connection that is not closing is back in the pool, and may already serve another request.
        if attempt.transport is not None and attempt.transport.is_closing():
            attempt.transport.abort()  # without the TLS shutdown handshake, because the loop may be about to end
        reason, permanent, stale = _cancel_text(attempt), False, False
    except Exception as error:  # noqa: BLE001  # how far the attempt got decides, not the exception type
        reason = _cancel_text(attempt) if attempt.cancel_reason is not None else failure_reason(error)
        permanent, stale = is_permanent(error), isinstance(error, StaleConnection)
        if not verified and is_connect_error(error):
            attempt.may_have_been_sent = False
    return AttemptResult(attempt.may_have_been_sent, None, reason, permanent, _bytes_written(attempt), stale)


def _cancel_text(attempt: Attempt) -> str:
    if attempt.cancel_reason is CancelReason.TIMEOUT:
        return f"no {'response' if attempt.may_have_been_sent else 'connection'} within total_timeout"
    return _CANCEL_REASONS[attempt.cancel_reason]


def _bytes_written(attempt: Attempt) -> int:
    return attempt.writer.output_size if attempt.writer is not None else 0


def _check_solicited(attempt: Attempt, response: aiohttp.ClientResponse) -> None:
    """Raise `StaleConnection` for a response that came although nothing was written: it must not be taken for ours."""
    if attempt.transport is not None and not attempt.may_have_been_sent:
        response.close()
        raise StaleConnection


def _is_short(response: aiohttp.ClientResponse, limit: int) -> bool:
    """Return whether `Content-Length` is within the limit; the length of a compressed body is not known beforehand."""
    length = response.headers.get("Content-Length", "")
    return length.isdecimal() and int(length) <= limit and "Content-Encoding" not in response.headers


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body. Raises `ResponseTooLarge` if it is longer than the limit."""
    if _is_short(response, limit):
        return await response.read()
    try:
        return await _read_chunks(response.content, limit)
    except BaseException:
        response.close()
        raise


async def _read_chunks(content: aiohttp.StreamReader, limit: int) -> bytes:
    chunks: list[bytes] = []
    total = 0
    async for chunk in content.iter_any():
        total += len(chunk)
        if total > limit:
            raise ResponseTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After` header, in either documented form (seconds or a date); None if invalid."""
    header = headers["Retry-After"]
    try:
        seconds = float(header) if header.strip().isdigit() else _seconds_until(parsedate_to_datetime(header))
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


def _seconds_until(time: datetime) -> float:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
