"""The command line, `routee-failover`: the sandbox, a demo of it, and sending and tracking from a shell.

It alone imports typer and rich, and only when it is run: the library works without them.
"""

import sys
from typing import NoReturn

_EXTRA = 'the command line needs typer and rich; nothing was sent. Install them: pip install "routee-failover[cli]"'


def run() -> NoReturn:
    """The console script. Ends with one of the exit statuses that `routee-failover --help` lists."""
    try:
        from .app import main  # noqa: PLC0415  # typer and rich may be missing, and then this function says so
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"typer", "rich"}:
            raise
        _end(_EXTRA, 2)
    except KeyboardInterrupt:
        _end("interrupted; nothing was sent", 130)
    sys.exit(main())


def _end(why: str, status: int) -> NoReturn:
    sys.stderr.write(f"routee-failover: {why}\n")
    sys.exit(status)
