"""An exchange is made and told as evidence instead of exceptions: how far it came decides what it proves."""

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
"""The longest pause in seconds that an answer is taken to ask for."""

_CANCEL_REASONS = {
    None: "the event loop ended",
    CancelReason.DEADLINE: "the deadline of the message had passed",
    CancelReason.CLIENT_CLOSED: "the client was closed before an answer came",
    CancelReason.CALLER_CANCELLED: "the caller had left",
    CancelReason.WITHDRAWN: "the message was not wanted any more",
}


async def execute(
    session: aiohttp.ClientSession,
    attempt: Attempt,
    *,
    timeout: aiohttp.ClientTimeout,
    max_response_size: int,
    verified: bool = True,
) -> AttemptResult:
    """Make one request and say what it showed. Raises nothing, not even where its task is cancelled.

    `proven` says that the session passes through our request class. Where it may not, the request counts as begun from
    here on, and only an error that comes before there is a connection shows that it was not.
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
        # A trace of one's own hears of a body that is read, not of one that is taken.
        whole = _is_short(response, max_response_size) and response.content.is_eof() and not session.trace_configs
        said = response.content.read_nowait() if whole else await _read(response, max_response_size)
        pause = _parse_retry_after(headers) if "Retry-After" in headers else None
        return AttemptResult(True, Response(response.status, said, pause), "", False, _bytes_written(attempt))
    except asyncio.CancelledError:
        # One that is not being closed is back in the pool, and may be another's already.
        if attempt.transport is not None and attempt.transport.is_closing():
            attempt.transport.abort()  # else TLS would go on with its farewells, and the loop may be about to end
        cause, lasting, stale = _cancel_text(attempt), False, False
    except Exception as error:  # noqa: BLE001  # how far it came decides, not what aiohttp calls it
        cause = _cancel_text(attempt) if attempt.cancel_reason is not None else failure_reason(error)
        lasting, stale = is_permanent(error), isinstance(error, StaleConnection)
        if not verified and is_connect_error(error):
            attempt.may_have_been_sent = False
    return AttemptResult(attempt.may_have_been_sent, None, cause, lasting, _bytes_written(attempt), stale)


def _cancel_text(attempt: Attempt) -> str:
    if attempt.cancel_reason is CancelReason.TIMEOUT:
        return f"no {'answer came' if attempt.may_have_been_sent else 'connection could be made'} within total_timeout"
    return _CANCEL_REASONS[attempt.cancel_reason]


def _bytes_written(attempt: Attempt) -> int:
    return attempt.writer.output_size if attempt.writer is not None else 0


def _check_solicited(attempt: Attempt, response: aiohttp.ClientResponse) -> None:
    """What a server says unasked must not be taken for an answer."""
    if attempt.transport is not None and not attempt.may_have_been_sent:
        response.close()
        raise StaleConnection


def _is_short(response: aiohttp.ClientResponse, limit: int) -> bool:
    """Whether the body says that it is within the limit; a compressed one does not say beforehand how long it is."""
    length = response.headers.get("Content-Length", "")
    return length.isdecimal() and int(length) <= limit and "Content-Encoding" not in response.headers


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, and no more of it than the limit."""
    if _is_short(response, limit):
        return await response.read()
    try:
        return await _read_pieces(response.content, limit)
    except BaseException:
        response.close()
        raise


async def _read_pieces(content: aiohttp.StreamReader, limit: int) -> bytes:
    pieces: list[bytes] = []
    total = 0
    async for piece in content.iter_any():
        total += len(piece)
        if total > limit:
            raise ResponseTooLarge
        pieces.append(piece)
    return b"".join(pieces)


def _parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Both documented forms of the header: seconds, or a date."""
    header = headers["Retry-After"]
    try:
        seconds = float(header) if header.strip().isdigit() else _until(parsedate_to_datetime(header))
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


def _until(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
