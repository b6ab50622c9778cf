"""Why there is no answer, in words of our own: the text of an exception may quote what was sent or received."""

import os
import re
import ssl
from collections.abc import Mapping

import aiohttp


class NothingWritten(aiohttp.ClientError):
    """A connection was there, and closed before anything was written to it."""


class StaleConnection(NothingWritten):
    """The pooled connection turned out to be closed before anything was written to it."""


class NewConnectionClosed(NothingWritten):
    """A new connection was closed before anything was written to it. Another one may well end the same way."""


class ResponseTooLarge(Exception):  # it ends an attempt and is told as its cause
    """The answer has more bytes than `max_response_size`."""


class SafeMessageError(aiohttp.ClientError):
    """An end whose text is ours, and is told as its cause."""


class PermanentFailure(SafeMessageError):
    """What the settings brought in cannot be worked with, this time or the next."""


_REASONS: Mapping[type[Exception], str] = {
    StaleConnection: "the pooled connection had been closed by the server",
    NewConnectionClosed: "the server closed the new connection at once",
    ResponseTooLarge: "the answer is longer than max_response_size",
    aiohttp.ClientPayloadError: "the answer broke off",
    aiohttp.ConnectionTimeoutError: "no connection could be made within connect_timeout",
    aiohttp.ServerDisconnectedError: "the connection was closed before an answer came",
    aiohttp.ClientResponseError: "the answer is no valid HTTP",
}


def is_permanent(error: Exception) -> bool:
    """Whether another try would end the same way."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return 400 <= error.status < 500 and error.status not in {408, 429}
    return isinstance(error, aiohttp.ClientConnectorCertificateError | PermanentFailure)


def is_connect_error(error: Exception) -> bool:
    """Whether an error, by its kind alone, comes before there is a connection to write to."""
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def failure_reason(error: Exception) -> str:
    """What happened, in one line that holds nothing of the request or the answer."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"the host name {error.host} could not be resolved"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return f"the certificate of {getattr(error, 'host', 'the server')} is not trusted"
        case aiohttp.ClientConnectorError():
            to = "the proxy " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
            return f"no connection to {to}{error.host}:{error.port} could be made ({_why(error.os_error)})"
        case aiohttp.ClientHttpProxyError():
            asks = ": it asks for Proxy-Authorization, which belongs in proxy_headers" if error.status == 407 else ""
            return f"the proxy refused the connection ({error.status}){asks}"
        case SafeMessageError():
            return str(error)
        case _:
            known = (words for kind, words in _REASONS.items() if isinstance(error, kind))
            return next(known, "") or tls_alert_reason(error) or f"the connection failed ({type(error).__name__})"


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):  # its number is OpenSSL's and not the system's
        return _openssl_reason(error) or "TLS failed"
    if not error.errno:
        return "it was closed" if isinstance(error, ConnectionError) else "it failed"
    return os.strerror(error.errno)


_openssl_says = re.compile(r"\[SSL: ([A-Z0-9_]{1,60})\]").match


def _openssl_reason(error: object) -> str:
    """OpenSSL's own name for what went wrong, which quotes nothing. aiohttp keeps of it the text alone."""
    said = _openssl_says(str(error.strerror)) if isinstance(error, OSError) else None
    return said[1].lower().replace("_", " ") if said else ""


CLIENT_CERTIFICATE_REQUIRED = (
    "the server asks for a client certificate, which belongs in the context of the setting tls"
)


def tls_alert_reason(error: BaseException | None) -> str:
    """What the server said when it broke off TLS on a connection that was there; empty if it was not that."""
    reason = _openssl_reason(error)
    if "certificate required" in reason:
        return CLIENT_CERTIFICATE_REQUIRED
    return f"the server broke TLS off ({reason})" if reason else ""
