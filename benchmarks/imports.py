"""Time of `import routee_failover` beyond its dependencies: `python benchmarks/imports.py`.

Fresh interpreters, the imports alternately, the median of the differences between neighbours.
"""

import os
import statistics
import subprocess
import sys

BARE = "import aiohttp, attrs, backoff, cattrs, cattrs.gen, orjson"
OURS = BARE + "; import routee_failover"
EVERYTHING = BARE + "; from routee_failover import *"
ROUNDS = 25
GOAL_MS = 25.0

# An installed package has its byte code beside it; a checkout gets it on the first round.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

PROBE = "import time; start = time.perf_counter(); {}; print((time.perf_counter() - start) * 1000)"


def milliseconds(imports: str) -> float:
    """Return the time in milliseconds that one fresh interpreter takes for some imports."""
    command = [sys.executable, "-c", PROBE.format(imports)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout)


def main() -> None:
    """Measure and print."""
    milliseconds(EVERYTHING)  # the first run writes the byte code
    rounds = [[milliseconds(imports) for imports in (BARE, OURS, EVERYTHING)] for _ in range(ROUNDS)]
    print(f"bare dependencies            {statistics.median(bare for bare, _, _ in rounds):7.1f} ms")
    for name, column in (("import routee_failover", 1), ("from routee_failover import *", 2)):
        overhead = statistics.median(one[column] - one[0] for one in rounds)
        print(f"{name:29}{overhead:+7.1f} ms   (goal: at most {GOAL_MS:.0f})")


if __name__ == "__main__":
    main()
