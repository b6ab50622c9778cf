"""Failure reasons: one line that says why an attempt got no response.

The line is always our own text: that of a library's exception may quote what was sent or received. It proves nothing:
whether anything was sent depends on how far the attempt got.
"""

import contextlib
import os
import re
import ssl
from collections.abc import Mapping

from .._local_failures import local_failure
from .._wire.redaction import header_secrets
from ..outcomes import AttemptResult
from ..secret import safe_copy
from . import aiohttp_api as aiohttp
from .attempt import Attempt, CancelReason


class SafeMessageError(Exception):  # it ends an attempt, and becomes its failure reason
    """A failure whose text is our own, so that it may be used as the failure reason."""


class PermanentFailure(SafeMessageError):
    """The configuration (a session, a resolver, a certificate) makes every attempt fail; a retry cannot help."""


class NothingWritten(SafeMessageError):
    """A connection was made, and closed before anything was written to it."""


class StaleConnection(NothingWritten):
    """A pooled connection was found closed (stale) before anything was written to it."""


RESPONSE_TOO_LARGE = "the response is longer than max_response_size"
_REASONS: Mapping[type[Exception], str] = {
    aiohttp.ClientPayloadError: "the response ended early or could not be decoded",
    aiohttp.ConnectionTimeoutError: "no connection could be made within connect_timeout",
    aiohttp.ServerDisconnectedError: "the connection was closed before a response came",
    aiohttp.ClientResponseError: "the response is not valid HTTP",
    aiohttp.HttpProcessingError: "the response is not valid HTTP",
}

_CANCEL_REASONS = {
    None: "the event loop ended",
    CancelReason.DEADLINE: "the deadline of the message had passed",
    CancelReason.CLIENT_CLOSED: "the client was closed before a response came",
    CancelReason.CALLER_CANCELLED: "the caller was cancelled",
    CancelReason.WITHDRAWN: "the message was withdrawn",
}


def failed_result(attempt: Attempt, error: BaseException | None = None) -> AttemptResult:
    """Return the result of an attempt that ended without a response: cancelled, or by an error."""
    failure = error if isinstance(error, Exception) else None
    cause: Exception | None = None
    if attempt.cancel_reason is CancelReason.TIMEOUT:
        reason = f"no {'response' if attempt.may_have_been_sent else 'connection'} within total_timeout"
    elif failure is None or attempt.cancel_reason is not None:
        reason = _CANCEL_REASONS[attempt.cancel_reason]
    else:
        reason, cause = _explain(failure, attempt)
    permanent, stale = failure is not None and _is_permanent(failure), isinstance(failure, StaleConnection)
    return AttemptResult(attempt.may_have_been_sent, None, reason, permanent, attempt.bytes_written, stale, cause)


def _explain(error: Exception, attempt: Attempt) -> tuple[str, Exception | None]:
    """Return the failure reason, and a safe copy of the error if it is this process that failed, not the connection."""
    origin, secrets = getattr(error, "os_error", error), header_secrets(attempt.headers.mapping)
    if reason := local_failure(origin):
        return reason, safe_copy(origin, secrets)
    with contextlib.suppress(Exception):  # an error made by other code may lack what aiohttp's own ones have
        reason = _failure_reason(error, attempt)
    if reason or isinstance(error, OSError | EOFError | aiohttp.ClientError):
        return reason or f"the connection failed ({type(error).__name__})", None
    return f"an unexpected {type(error).__name__} was raised in this process", safe_copy(origin, secrets)


def _is_permanent(error: Exception) -> bool:
    """Return whether a retry would fail the same way."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return 400 <= error.status < 500 and error.status not in {408, 429}
    return isinstance(error, aiohttp.ClientConnectorCertificateError | PermanentFailure)


def _failure_reason(error: Exception, attempt: Attempt) -> str:
    """Return the failure reason in one line that quotes nothing of the request or response; empty for any other."""
    through_proxy = attempt.headers.proxied and not attempt.may_have_been_sent
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"the host name {error.host} could not be resolved"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return f"the certificate of {getattr(error, 'host', 'the server')} is not trusted"
        case aiohttp.ClientConnectorError():
            proxy = "the proxy " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
            return f"no connection to {proxy}{error.host}:{error.port} could be made ({_os_reason(error.os_error)})"
        case aiohttp.ClientHttpProxyError():
            hint = ": it asks for Proxy-Authorization, which belongs in proxy_headers" if error.status == 407 else ""
            return f"the proxy refused the connection ({error.status}){hint}"
        case SafeMessageError():
            return str(error)
        case TimeoutError() if not attempt.may_have_been_sent:
            return "no connection could be made within connect_timeout"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() if through_proxy:
            return "the proxy closed the connection instead of opening a tunnel"
        case aiohttp.ClientResponseError() if through_proxy:
            return "the response of the proxy is not valid HTTP"
        case _:
            reasons = (reason for kind, reason in _REASONS.items() if isinstance(error, kind))
            return next(reasons, "") or tls_alert_reason(error)


def _os_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):  # its errno is a number of OpenSSL, not of the operating system
        return _openssl_reason(error) or "TLS failed"
    if not error.errno:
        return "it was closed" if isinstance(error, ConnectionError) else "it failed"
    return os.strerror(error.errno)


_match_openssl = re.compile(r"\[SSL: ([A-Z0-9_]{1,60})\]").match


def _openssl_reason(error: object) -> str:
    """Return OpenSSL's own name of an error, which quotes nothing. aiohttp keeps only the text of the error."""
    match = _match_openssl(str(error.strerror)) if isinstance(error, OSError) else None
    return match[1].lower().replace("_", " ") if match else ""


CERTIFICATE_REQUIRED = "the server asks for a client certificate, which belongs in the context of the setting tls"


def tls_alert_reason(error: BaseException | None) -> str:
    """Return the TLS alert with which the server ended an established connection; empty if there was none."""
    reason = _openssl_reason(error)
    if "certificate required" in reason:
        return CERTIFICATE_REQUIRED
    return f"the server aborted TLS ({reason})" if reason else ""
