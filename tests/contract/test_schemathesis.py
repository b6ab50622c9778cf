"""Schemathesis against a running sandbox: what it answers is what its `/openapi.json` says, whatever it is asked.

This is the test that any user of the document can run. By default the requests are the same each time;
`HYPOTHESIS_PROFILE=thorough` makes them many, and other ones in each run.
"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from routee_failover.sandbox.callbacks.poster import Poster, PostResult

from ..sandbox.raw_http import BODIES, Caller, calling

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
THOROUGH = settings().max_examples > 100
EXAMPLES = min(settings().max_examples // 10, 200)

OWN = "^/(sandbox/|openapi.json$|$)"
CLEARING = "^(clearSandboxFlows|resetSandbox)$"
ENDLESS = "^streamSandboxEvents$"  # server-sent events
ADDRESSES = {
    "routee": ["--exclude-path-regex", OWN],
    "own": ["--include-path-regex", OWN, "--exclude-operation-id-regex", f"{CLEARING}|{ENDLESS}"],
    "clearing": ["--include-operation-id-regex", CLEARING],
}
"""The sandbox's own addresses change what others answer, so each kind has a sandbox to itself."""

CONFIG = """
[auth.openapi.application]
username = "sandbox"
password = "sandbox-secret"

[auth.openapi.bearer]
bearer = "{token}"
"""


@pytest.mark.parametrize(
    ("addresses", "phases"),
    [
        ("routee", "coverage"),
        ("routee", "fuzzing"),
        ("routee", "stateful"),
        ("own", "coverage,fuzzing"),
        ("clearing", "coverage"),
    ],
)
async def test_no_disagreement(
    addresses: str,
    phases: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No answer is undocumented or of another shape, nothing valid is refused, nothing invalid or unsigned passes."""
    monkeypatch.setattr(Poster, "post", _posted_nowhere)  # the addresses that are made up may belong to somebody
    async with calling(speed=1000) as caller:
        known = await _known_ids(caller)
        token = caller.headers["Authorization"].removeprefix("Bearer ")
        (tmp_path / "schemathesis.toml").write_text(CONFIG.format(token=token), "utf-8")
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{caller.sandbox.url}/openapi.json"),
            *("--phases", phases, "--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-shrink"),
            *("--request-timeout", "60", "--max-response-time", "60"),  # a busy machine is no disagreement
            *(() if THOROUGH else ("--generation-deterministic",)),
            *("--url", caller.sandbox.url, *ADDRESSES[addresses]),
            cwd=tmp_path,
            env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS), "KNOWN_IDS": json.dumps(known)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await run.communicate()
    report = output.decode()
    assert run.returncode == 0, report
    counted = re.search(r"Selected: (\d+)/\d+\n\s+Tested: (\d+)\n", report)
    assert counted is not None, report
    assert counted[1] == counted[2] or phases == "stateful", "an operation was left out"
    assert caplog.records == []


async def _posted_nowhere(_poster: Poster, _url: str, _content: bytes) -> PostResult:
    return PostResult(200, None, 0)


async def _known_ids(caller: Caller) -> dict[str, dict[str, str]]:
    """Path parameters of flows that were sent, by the operation that they are for."""
    answers: dict[str, Any] = {operation: (await caller.send(operation, body))[1] for operation, body in BODIES.items()}
    return {
        "trackFailover": {"trackingId": answers["sendFailover"]["trackingId"]},
        "trackFailoverOtp": {"id": answers["sendFailoverOtp"]["flowId"]},
        "getSandboxFlow": {"id": answers["sendFailover"]["trackingId"]},
        "actOnSandboxFlow": {"id": answers["sendFailover"]["trackingId"]},
        "trackViber": {"trackingId": answers["sendViberOtp"]["trackingId"]},
    }
