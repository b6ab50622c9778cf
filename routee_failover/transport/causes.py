"""Why there is no answer, in words of our own: the text of an exception may quote what was sent or received."""

import os
import ssl

import aiohttp


class ConnectionGone(aiohttp.ClientError):
    """The pooled connection turned out to be closed before anything was written to it."""


class AnswerTooLong(Exception):  # it ends an attempt and is told as its cause
    """The answer has more bytes than `answer_limit`."""


def is_lasting(error: Exception) -> bool:
    """Whether another try would end the same way."""
    return isinstance(error, aiohttp.ClientConnectorCertificateError)


def cause_of(error: Exception) -> str:
    """What happened, in one line that holds nothing of the request or the answer."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"the host name {error.host} could not be resolved"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return f"the certificate of {getattr(error, 'host', 'the server')} is not trusted"
        case aiohttp.ClientConnectorError():
            why = os.strerror(error.os_error.errno) if error.os_error.errno else "it failed"
            return f"no connection to {error.host}:{error.port} could be made ({why})"
        case ConnectionGone():
            return "the pooled connection had been closed by the server"
        case AnswerTooLong():
            return "the answer is longer than answer_limit"
        case aiohttp.ClientPayloadError():
            return "the answer broke off"
        case aiohttp.ConnectionTimeoutError():
            return "no connection could be made within connect_timeout"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer came"
        case aiohttp.ClientResponseError():
            return "the answer is no valid HTTP"
        case _:
            return f"the connection failed ({type(error).__name__})"
