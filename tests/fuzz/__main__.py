"""`python -m tests.fuzz --executions 1000000`: with atheris, which is guided by coverage, or without it.

`--target cells` fuzzes one parser; without it each execution picks one.
"""

import argparse
import importlib.util
import os
import sys
import time


def _run_without_atheris(executions: int, seed: int, target: str | None) -> None:
    from .inputs import RandomSource
    from .targets import TARGETS, execute

    target_function = TARGETS[target] if target else execute
    slowest = 0.0, 0
    started = time.perf_counter()
    for number in range(executions):
        execution_started = time.perf_counter()
        try:
            target_function(RandomSource(f"{seed}-{number}"))
        except BaseException:
            sys.stderr.write(f"execution {number} of --seed {seed} failed\n")
            raise
        slowest = max(slowest, (time.perf_counter() - execution_started, number))
        if not (number + 1) % 50_000:
            sys.stdout.write(f"{number + 1} executions in {time.perf_counter() - started:.0f} s\n")
            sys.stdout.flush()
    sys.stdout.write(f"{executions} executions, nothing found; the slowest took {slowest[0]:.2f} s ({slowest[1]})\n")


def _run_with_atheris(executions: int, seed: int, target: str | None) -> None:
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    with atheris.instrument_imports(include=["routee_failover"]):
        from . import targets
        from .targets import TARGETS, check_segment, execute

    target_function = TARGETS[target] if target else execute

    class FuzzedSource:
        """Source of decisions made by the fuzzer."""

        def __init__(self, data: bytes) -> None:
            self._data = atheris.FuzzedDataProvider(data)

        def upto(self, maximum: int) -> int:
            return int(self._data.ConsumeIntInRange(0, maximum))

        def text(self) -> str:
            return str(self._data.ConsumeUnicodeNoSurrogates(self.upto(12)))

    def run_one(data: bytes) -> None:
        if target:
            target_function(FuzzedSource(data))
        elif data[:1] == b"{":
            targets.check_callback(data)
            targets.check_response(data)
        elif data[:1] == b"/":
            check_segment(data[1:])
        else:
            target_function(FuzzedSource(data))

    atheris.Setup(
        [sys.argv[0], f"-runs={executions}", f"-seed={seed}", "-max_len=4096", "-print_final_stats=1"], run_one
    )
    atheris.Fuzz()


def main() -> None:
    """Run the fuzzer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    parser.add_argument("--target", choices=["shaped", "raw", "address", "cells", "csv", "flows"])
    parser.add_argument("--own", action="store_true", help="without atheris")
    arguments = parser.parse_args()
    if not arguments.own and importlib.util.find_spec("atheris") is not None:
        _run_with_atheris(arguments.executions, arguments.seed, arguments.target)
    else:
        _run_without_atheris(arguments.executions, arguments.seed, arguments.target)


main()
