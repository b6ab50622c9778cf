"""An exchange is made and told as evidence instead of exceptions: how far it came decides what it proves."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from ..outcomes import AttemptResult, Response
from .causes import AnswerTooLong, ConnectionGone, cause_of, is_before_connection, is_lasting
from .exchange import Exchange, Stop, as_data, current
from .keep_alive import heed

LONGEST_RETRY_AFTER = 86_400.0
"""The longest pause in seconds that an answer is taken to ask for."""

_ENDED = {
    None: "the event loop ended",
    Stop.DEADLINE: "the deadline of the message had passed",
    Stop.CLOSING: "the client was closed before an answer came",
    Stop.LEFT: "the caller had left",
    Stop.WITHDRAWN: "the message was not wanted any more",
}


async def attempt(
    session: aiohttp.ClientSession,
    exchange: Exchange,
    *,
    within: aiohttp.ClientTimeout,
    limit: int,
    proven: bool = True,
) -> AttemptResult:
    """Make one request and say what it showed. Raises nothing, not even where its task is cancelled.

    `proven` says that the session passes through our request class. Where it may not, the request counts as begun from
    here on, and only an error that comes before there is a connection shows that it was not.
    """
    if exchange.stop is not None:
        return AttemptResult(may_have_been_sent=False, reason=_ended(exchange))
    current.set(exchange)
    if not proven and not exchange.call.safe:
        exchange.begun = True
    body = exchange.body
    try:
        response = await session.request(
            exchange.call.method,
            exchange.url,
            data=None if body is None else as_data(body),
            headers=None if exchange.headers.whole is not None else exchange.headers.given,
            timeout=within,
            allow_redirects=False,
        )
        if proven or exchange.passed:
            _check_asked(exchange, response)
        headers = response.headers
        if "Keep-Alive" in headers:
            heed(headers, session)
        # A trace of one's own hears of a body that is read, not of one that is taken.
        whole = _is_short(response, limit) and response.content.is_eof() and not session.trace_configs
        said = response.content.read_nowait() if whole else await _read(response, limit)
        pause = _retry_after(headers) if "Retry-After" in headers else None
        return AttemptResult(True, Response(response.status, said, pause), "", False, _written(exchange))
    except asyncio.CancelledError:
        # One that is not being closed is back in the pool, and may be another's already.
        if exchange.transport is not None and exchange.transport.is_closing():
            exchange.transport.abort()  # else TLS would go on with its farewells, and the loop may be about to end
        cause, lasting, stale = _ended(exchange), False, False
    except Exception as error:  # noqa: BLE001  # how far it came decides, not what aiohttp calls it
        cause = _ended(exchange) if exchange.stop is not None else cause_of(error)
        lasting, stale = is_lasting(error), isinstance(error, ConnectionGone)
        if not proven and is_before_connection(error):
            exchange.begun = False
    return AttemptResult(exchange.begun, None, cause, lasting, _written(exchange), stale)


def _ended(exchange: Exchange) -> str:
    if exchange.stop is Stop.TIMEOUT:
        return f"no {'answer came' if exchange.begun else 'connection could be made'} within total_timeout"
    return _ENDED[exchange.stop]


def _written(exchange: Exchange) -> int:
    return exchange.writer.output_size if exchange.writer is not None else 0


def _check_asked(exchange: Exchange, response: aiohttp.ClientResponse) -> None:
    """What a server says unasked must not be taken for an answer."""
    if exchange.transport is not None and not exchange.begun:
        response.close()
        raise ConnectionGone


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
            raise AnswerTooLong
        pieces.append(piece)
    return b"".join(pieces)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Both documented forms of the header: seconds, or a date."""
    header = headers["Retry-After"]
    try:
        seconds = float(header) if header.strip().isdigit() else _until(parsedate_to_datetime(header))
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER)


def _until(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
