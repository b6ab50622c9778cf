"""The table of failures in docs/retries-and-outcomes.md quotes the reasons that the transport gives."""

import errno
import ssl
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from routee_failover._transport.attempt import ApiRequest, Attempt, CancelReason
from routee_failover._transport.connection_check import connection_error
from routee_failover._transport.failure_reasons import (
    CERTIFICATE_REQUIRED,
    RESPONSE_TOO_LARGE,
    PermanentFailure,
    SafeMessageError,
    failed_result,
)

from .test_python_blocks import ROOT

ROUTEE = URL("https://connect.routee.net")
Row = tuple[str, str, str]
"""Section of the table, exception, and reason."""
BEFORE, AFTER, EITHER = "Before the write", "After the write", "At either moment"


def _documented_rows() -> Iterator[Row]:
    page = (ROOT / "docs/retries-and-outcomes.md").read_text(encoding="utf-8")
    table = page.partition("| what happened | aiohttp raises | reason |\n|---|---|---|\n")[2].partition("\n\n")[0]
    section = ""
    for line in table.splitlines():
        happened, raised, reason = (cell.strip() for cell in line.strip("|").split("|"))
        if happened.startswith("**"):
            section = happened.strip("*").partition(":")[0]
        else:
            yield from ((section, name, reason) for name in raised.split("`")[1::2] or [""])


def _key(host: str = ROUTEE.host or "", port: int = 443) -> Any:
    return SimpleNamespace(host=host, port=port, is_ssl=True, ssl=True)


def _http_error(kind: type[aiohttp.ClientResponseError], status: int) -> aiohttp.ClientResponseError:
    info: Any = SimpleNamespace(real_url=ROUTEE)
    return kind(info, (), status=status)


def _tls_error(name: str) -> aiohttp.ClientOSError:
    return aiohttp.ClientOSError(1, f"[SSL: {name}] the rest of OpenSSL's text")


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "canary")
CONNECT_ERRORS: list[Exception] = [
    aiohttp.ClientConnectorDNSError(_key(), OSError("canary")),
    aiohttp.ClientConnectorError(_key(), REFUSED),
    aiohttp.ClientConnectorSSLError(_key(), ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] canary")),
    aiohttp.ClientProxyConnectionError(_key("proxy.example", 3128), REFUSED),
    aiohttp.ClientConnectorCertificateError(_key(), ssl.SSLCertVerificationError("canary")),
    TimeoutError(),
]
PROXY_ERRORS: list[Exception] = [
    *(_http_error(aiohttp.ClientHttpProxyError, status) for status in (407, 502)),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientOSError(errno.ECONNRESET, "canary"),
    _http_error(aiohttp.ClientResponseError, 400),
]
RESPONSE_ERRORS: list[Exception] = [
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientOSError(errno.ECONNRESET, "canary"),
    _tls_error("TLSV1_ALERT_INTERNAL_ERROR"),
    _tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    HttpProcessingError(message="canary"),
    _http_error(aiohttp.ClientResponseError, 400),
    aiohttp.ClientPayloadError("canary"),
]
OWN_ERRORS_BEFORE = [
    PermanentFailure(CERTIFICATE_REQUIRED),
    PermanentFailure("resolver raised ValueError"),
]
ONLY_OBSERVED = {CancelReason.DEADLINE, CancelReason.WITHDRAWN, CancelReason.CALLER_CANCELLED}
"""They end a send in an error of its own, or in the cancellation of its caller."""


def _reason(
    error: Exception | None, *, written: bool, proxied: bool = False, cancel_reason: CancelReason | None = None
) -> str:
    headers: Any = SimpleNamespace(proxied=proxied, mapping={})
    attempt = Attempt(ApiRequest("POST", "/failover"), ROUTEE, headers, 0.0, 1.0, None, 1, 1)  # type: ignore[arg-type]
    attempt.may_have_been_sent, attempt.cancel_reason = written, cancel_reason
    return failed_result(attempt, error).reason


async def _possible_rows() -> AsyncIterator[Row]:
    closed: Any = SimpleNamespace(protocol=None)
    for is_new in (False, True):
        yield BEFORE, "", _reason(await connection_error(closed, is_new=is_new), written=False)
    for errors, proxied in ((CONNECT_ERRORS, False), (PROXY_ERRORS, True)):
        for error in errors:
            yield BEFORE, type(error).__name__, _reason(error, written=False, proxied=proxied)
    for error in RESPONSE_ERRORS:
        yield AFTER, type(error).__name__, _reason(error, written=True)
    for error in OWN_ERRORS_BEFORE:
        yield BEFORE, "", _reason(error, written=False)
    yield AFTER, "", _reason(SafeMessageError(RESPONSE_TOO_LARGE), written=True)
    yield EITHER, "TypeError", _reason(TypeError("canary"), written=True)
    exhausted = aiohttp.ClientConnectorError(_key(), OSError(errno.EMFILE, "canary"))
    yield EITHER, "OSError", _reason(exhausted, written=False)
    yield BEFORE, "", _reason(None, written=False, cancel_reason=CancelReason.TIMEOUT)
    for cancel_reason in {None, *CancelReason} - ONLY_OBSERVED:
        yield AFTER, "", _reason(None, written=True, cancel_reason=cancel_reason)


async def test_table_of_failures_shows_each_reason_of_the_transport() -> None:
    """Section, exception and reason of every row are what the transport makes of the failure, and none is missing."""
    assert sorted(set(_documented_rows())) == sorted({row async for row in _possible_rows()})
