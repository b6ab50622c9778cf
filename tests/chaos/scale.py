"""How much the chaos tests do: `CHAOS_SCALE=100` makes every count a hundred times what an ordinary run takes."""

import os

SCALE = float(os.environ.get("CHAOS_SCALE", "1"))
SEED = int(os.environ.get("CHAOS_SEED", "739164"))
"""What the storms draw their faults from."""


def many(count: int, *, most: int | None = None) -> int:
    """So many in an ordinary run, more in a long one, but never over `most`."""
    scaled = max(1, round(count * SCALE))
    return scaled if most is None else min(scaled, most)
