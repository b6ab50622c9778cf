"""Schemathesis against a running sandbox: what it answers is what its `/openapi.json` says, whatever it is asked.

This is the test that any user of the document can run. By default the requests are the same each time;
`HYPOTHESIS_PROFILE=thorough` makes them many, and other ones in each run.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from ..sandbox.callers import BODIES, calling

EXCEPTIONS = Path(__file__).with_name("exceptions.py")
THOROUGH = settings().max_examples > 100
EXAMPLES = settings().max_examples // 10

OWN = "^/(sandbox/|openapi.json$)"
ADDRESSES = {"routee": ("--exclude-path-regex", OWN), "own": ("--include-path-regex", OWN)}
"""The sandbox's own addresses change what Routee's answer, so each kind has a sandbox to itself."""

CONFIG = """
[auth.openapi.application]
username = "sandbox"
password = "sandbox-secret"

[auth.openapi.bearer]
bearer = "{token}"
"""


@pytest.mark.parametrize("phase", ["coverage", "fuzzing", "stateful"])
@pytest.mark.parametrize("addresses", ADDRESSES)
async def test_no_disagreement(addresses: str, phase: str, tmp_path: Path) -> None:
    """No answer is undocumented or of another shape, nothing valid is refused, nothing invalid or unsigned passes."""
    async with calling(speed=1000, keep=1000) as caller:
        for operation, body in BODIES.items():
            await caller.send(operation, body)
        token = caller.headers["Authorization"].removeprefix("Bearer ")
        (tmp_path / "schemathesis.toml").write_text(CONFIG.format(token=token), "utf-8")
        bounds = ("--phases", phase, "--max-examples", str(EXAMPLES), *ADDRESSES[addresses])
        kind = () if THOROUGH else ("--generation-deterministic",)
        code, report = await _schemathesis(tmp_path, caller.sandbox.url, *bounds, *kind)
    assert code == 0, report
    assert "No issues found" in report


async def _schemathesis(folder: Path, url: str, *options: str) -> tuple[int | None, str]:
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{url}/openapi.json", "--url", url),
        *("--continue-on-failure", "--no-shrink", *options),
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(EXCEPTIONS)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    report, _ = await run.communicate()
    return run.returncode, report.decode()
