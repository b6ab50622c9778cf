"""Schemathesis against a running sandbox: its responses to any request match its `/openapi.json`.

Any user of the document can run this test. By default the requests are the same each time;
`HYPOTHESIS_PROFILE=thorough` makes many more, which differ in each run.
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

from ..sandbox.raw_http import BODIES, Caller, open_caller

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
THOROUGH = settings().max_examples > 100
EXAMPLES = min(settings().max_examples // 10, 200)

ADMIN = "^/(sandbox/|openapi.json$|$)"
CLEARING = "^(clearSandboxFlows|resetSandbox)$"
ENDLESS = "^streamSandboxEvents$"  # server-sent events
SELECTIONS = {
    "routee": ["--exclude-path-regex", ADMIN],
    "admin": ["--include-path-regex", ADMIN, "--exclude-operation-id-regex", f"{CLEARING}|{ENDLESS}"],
    "clearing": ["--include-operation-id-regex", CLEARING],
}
"""The admin API changes the responses of other paths, so each selection of operations runs against its own sandbox."""

CONFIG = """
[auth.openapi.application]
username = "sandbox"
password = "sandbox-secret"

[auth.openapi.bearer]
bearer = "{token}"
"""


@pytest.mark.parametrize(
    ("selection", "phases"),
    [
        ("routee", "coverage"),
        ("routee", "fuzzing"),
        ("routee", "stateful"),
        ("admin", "coverage,fuzzing"),
        ("clearing", "coverage"),
    ],
)
async def test_sandbox_responses_match_its_openapi_document(
    selection: str,
    phases: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No response is undocumented or of another shape, no valid request is rejected, no invalid one passes."""
    monkeypatch.setattr(Poster, "post", _discard_callback)  # generated callback URLs may exist
    async with open_caller(speed=1000) as caller:
        known = await _known_ids(caller)
        token = caller.headers["Authorization"].removeprefix("Bearer ")
        (tmp_path / "schemathesis.toml").write_text(CONFIG.format(token=token), "utf-8")
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{caller.sandbox.url}/openapi.json"),
            *("--phases", phases, "--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-shrink"),
            *("--request-timeout", "60", "--max-response-time", "60"),  # a busy machine is not a disagreement
            *(() if THOROUGH else ("--generation-deterministic",)),
            *("--url", caller.sandbox.url, *SELECTIONS[selection]),
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


async def _discard_callback(_poster: Poster, _url: str, _content: bytes) -> PostResult:
    return PostResult(200, None, 0)


async def _known_ids(caller: Caller) -> dict[str, dict[str, str]]:
    """Send one flow of each kind and return path parameters by operation."""
    responses: dict[str, Any] = {
        operation: (await caller.send(operation, body))[1] for operation, body in BODIES.items()
    }
    return {
        "trackFailover": {"trackingId": responses["sendFailover"]["trackingId"]},
        "trackFailoverOtp": {"id": responses["sendFailoverOtp"]["flowId"]},
        "getSandboxFlow": {"id": responses["sendFailover"]["trackingId"]},
        "actOnSandboxFlow": {"id": responses["sendFailover"]["trackingId"]},
        "trackViber": {"trackingId": responses["sendViberOtp"]["trackingId"]},
    }
