"""Log of the HTTP server: a fault in a handler is logged, a client that sends invalid HTTP is not.

Such a client gets a 400; a log entry would quote the header that could not be parsed, a token in it included.
"""

import logging

from aiohttp.http_exceptions import HttpProcessingError


def server_logger() -> logging.Logger:
    """Return the logger of the HTTP server."""
    logger = logging.getLogger("routee_failover.sandbox.server")
    logger.addFilter(_is_not_http_error)  # adding the same function again has no effect
    return logger


def _is_not_http_error(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
