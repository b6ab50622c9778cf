"""`python -m tests.fuzz --executions 1000000`: with atheris, which follows coverage, or with mutations of our own.

`--target cells` tries one reader; without it each execution picks one.
"""

import argparse
import importlib.util
import os
import sys
import time


def _own(executions: int, seed: int, target: str | None) -> None:
    from .inputs import Randomly
    from .targets import TARGETS, execute

    run = TARGETS[target] if target else execute
    slowest = 0.0, 0
    started = time.perf_counter()
    for number in range(executions):
        began = time.perf_counter()
        try:
            run(Randomly(f"{seed}-{number}"))
        except BaseException:
            sys.stderr.write(f"execution {number} of --seed {seed} failed\n")
            raise
        slowest = max(slowest, (time.perf_counter() - began, number))
        if not (number + 1) % 50_000:
            sys.stdout.write(f"{number + 1} executions in {time.perf_counter() - started:.0f} s\n")
            sys.stdout.flush()
    sys.stdout.write(f"{executions} executions, nothing found; the slowest took {slowest[0]:.2f} s ({slowest[1]})\n")


def _atheris(executions: int, seed: int, target: str | None) -> None:
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    with atheris.instrument_imports(include=["routee_failover"]):
        from . import targets
        from .targets import TARGETS, execute, segment

    run = TARGETS[target] if target else execute

    class Fuzzed:
        """Decisions by the fuzzer."""

        def __init__(self, data: bytes) -> None:
            self._data = atheris.FuzzedDataProvider(data)

        def upto(self, most: int) -> int:
            return int(self._data.ConsumeIntInRange(0, most))

        def text(self) -> str:
            return str(self._data.ConsumeUnicodeNoSurrogates(self.upto(12)))

    def one(data: bytes) -> None:
        if target:
            run(Fuzzed(data))
        elif data[:1] == b"{":
            targets.callback(data)
            targets.answer(data)
        elif data[:1] == b"/":
            segment(data[1:])
        else:
            run(Fuzzed(data))

    atheris.Setup([sys.argv[0], f"-runs={executions}", f"-seed={seed}", "-max_len=4096", "-print_final_stats=1"], one)
    atheris.Fuzz()


def main() -> None:
    """Run."""
    options = argparse.ArgumentParser()
    options.add_argument("--executions", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    options.add_argument("--target", choices=["shaped", "raw", "address", "cells", "csv", "flows"])
    options.add_argument("--own", action="store_true", help="without atheris")
    chosen = options.parse_args()
    if not chosen.own and importlib.util.find_spec("atheris") is not None:
        _atheris(chosen.executions, chosen.seed, chosen.target)
    else:
        _own(chosen.executions, chosen.seed, chosen.target)


main()
