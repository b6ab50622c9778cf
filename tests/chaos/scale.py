"""How much the chaos tests do: `CHAOS_SCALE=100` makes every count a hundred times what an ordinary run takes."""

import contextlib
import os

SCALE = float(os.environ.get("CHAOS_SCALE", "1"))
SEED = int(os.environ.get("CHAOS_SEED", "739164"))
"""What the storms draw their faults from."""


def scaled(count: int, *, maximum: int | None = None) -> int:
    """So many in an ordinary run, more in a long one, but never over `most`."""
    scaled = max(1, round(count * SCALE))
    return scaled if maximum is None else min(scaled, maximum)


def raise_file_limit(files: int = 8_192) -> None:
    """Allow this process so many open files, if the system does: a storm holds both ends of each connection."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = files if most == resource.RLIM_INFINITY else min(files, most)
        if least < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
