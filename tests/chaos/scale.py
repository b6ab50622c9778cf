"""Scale of the chaos tests: `CHAOS_SCALE=100` makes every count a hundred times that of an ordinary run."""

import contextlib
import os

SCALE = float(os.environ.get("CHAOS_SCALE", "1"))
SEED = int(os.environ.get("CHAOS_SEED", "739164"))
"""Seed of the random faults."""


def scaled(count: int, *, maximum: int | None = None) -> int:
    """Return `count` in an ordinary run, more in a long one, but at most `maximum`."""
    scaled = max(1, round(count * SCALE))
    return scaled if maximum is None else min(scaled, maximum)


def raise_file_limit(files: int = 8_192) -> None:
    """Allow this process `files` open files, if the system does: it holds both ends of each connection."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
