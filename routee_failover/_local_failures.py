"""Failures of this machine: they look like a connection that failed, and say nothing about the other side."""

import errno
import os
import socket

_REASONS = {
    errno.EMFILE: "this process has no file descriptor left (raise its limit, ulimit -n, or lower pool_size)",
    errno.ENFILE: "this machine has no file descriptor left",
    errno.ENOBUFS: "this machine has no buffer space left for a connection",
    errno.ENOMEM: "this machine has no memory left for a connection",
}


def local_failure(error: object) -> str | None:
    """Return which resource of this machine had run out, in one line; `None` if the error is about something else."""
    # A resolver that cannot open a socket reports that the name server did not answer.
    number = _descriptor_errno() if isinstance(error, socket.gaierror) else getattr(error, "errno", None)
    return _REASONS.get(number) if isinstance(error, OSError) and number is not None else None


def _descriptor_errno() -> int | None:
    """Return the error of opening one more file, which uses one more descriptor; `None` if that works."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno
    return None
