"""The server's log: a fault in a handler is worth a line, a caller who speaks no HTTP is not.

Such a caller has had an answer, 400; a line about it would quote the header that could not be read, token and all.
"""

import logging

from aiohttp.http_exceptions import HttpProcessingError


def server_logger() -> logging.Logger:
    """The logger of the server behind a sandbox."""
    log = logging.getLogger("routee_failover.sandbox.server")
    log.addFilter(_is_worth_a_line)  # the same function again is not added twice
    return log


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
