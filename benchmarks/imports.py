"""How long `import routee_failover` takes beyond the libraries that it stands on: `python benchmarks/imports.py`.

Fresh interpreters, the two imports in turn, the median of the differences between neighbours.
"""

import os
import statistics
import subprocess
import sys

BARE = "import aiohttp, attrs, backoff, cattrs, cattrs.gen, orjson"
OURS = BARE + "; import routee_failover"
ROUNDS = 25
GOAL_MS = 25.0

# An installed package has its byte code beside it; a checkout gets it on the first round.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

PROBE = "import time; start = time.perf_counter(); {}; print((time.perf_counter() - start) * 1000)"


def milliseconds(imports: str) -> float:
    """The time that one fresh interpreter spends on some imports."""
    command = [sys.executable, "-c", PROBE.format(imports)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout)


def main() -> None:
    """Measure and print."""
    milliseconds(OURS)  # the first run writes the byte code
    pairs = [(milliseconds(BARE), milliseconds(OURS)) for _ in range(ROUNDS)]
    beyond = statistics.median(ours - bare for bare, ours in pairs)
    print(f"bare dependencies  {statistics.median(bare for bare, _ in pairs):7.1f} ms")
    print(f"with ours          {statistics.median(ours for _, ours in pairs):7.1f} ms")
    print(f"beyond             {beyond:7.1f} ms   (goal: at most {GOAL_MS:.0f})")


if __name__ == "__main__":
    main()
