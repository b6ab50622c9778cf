"""Command-line interface `routee-failover`: sandbox, demo, sending, tracking, searching and bulk runs.

This package alone imports typer and rich, and only when the program runs: the library works without them.
"""

import sys
from typing import NoReturn

_MISSING_EXTRA = (
    'the command line needs typer and rich; nothing was sent. Install them: pip install "routee-failover[cli]"'
)


def run() -> NoReturn:
    """Run the console script and exit with one of the exit codes that `routee-failover --help` lists."""
    try:
        from .app import main  # noqa: PLC0415  # typer and rich may be missing; this function then reports that
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"typer", "rich"}:
            raise
        _exit_with_error(_MISSING_EXTRA, 2)
    except KeyboardInterrupt:
        _exit_with_error("interrupted; nothing was sent", 130)
    sys.exit(main())


def _exit_with_error(message: str, exit_code: int) -> NoReturn:
    sys.stderr.write(f"routee-failover: {message}\n")
    sys.exit(exit_code)
