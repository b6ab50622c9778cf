"""Schemathesis against a running sandbox: what it answers is what its `/openapi.json` says, whatever it is asked.

This is the test that any user of the document can run. By default the requests are the same each time;
`HYPOTHESIS_PROFILE=thorough` makes them many, and other ones in each run.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ..sandbox.callers import BODIES, Caller, calling

HOOKS = Path(__file__).with_name("exceptions.py")
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


@pytest.mark.parametrize(
    ("addresses", "phase"),
    [("routee", "coverage"), ("routee", "fuzzing"), ("routee", "stateful"), ("own", "coverage"), ("own", "fuzzing")],
)
async def test_no_disagreement(addresses: str, phase: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No answer is undocumented or of another shape, nothing valid is refused, nothing invalid or unsigned passes."""
    async with calling(speed=1000, keep=1000) as caller:
        known = await _known_ids(caller)
        token = caller.headers["Authorization"].removeprefix("Bearer ")
        (tmp_path / "schemathesis.toml").write_text(CONFIG.format(token=token), "utf-8")
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{caller.sandbox.url}/openapi.json"),
            *("--phases", phase, "--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-shrink"),
            *(() if THOROUGH else ("--generation-deterministic",)),
            *("--url", caller.sandbox.url, *ADDRESSES[addresses]),
            cwd=tmp_path,
            env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS), "KNOWN_IDS": json.dumps(known)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        report, _ = await run.communicate()
    assert run.returncode == 0, report.decode()
    assert caplog.records == []


async def _known_ids(caller: Caller) -> dict[str, dict[str, str]]:
    """Path parameters of flows that were sent, by the operation that they are for."""
    answers: dict[str, Any] = {operation: (await caller.send(operation, body))[1] for operation, body in BODIES.items()}
    return {
        "trackFailover": {"trackingId": answers["sendFailover"]["trackingId"]},
        "trackFailoverOtp": {"id": answers["sendFailoverOtp"]["flowId"]},
        "trackViber": {"trackingId": answers["sendViberOtp"]["trackingId"]},
    }
