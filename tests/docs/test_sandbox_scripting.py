"""docs/sandbox-scripting.md: its program runs, its rules are valid, and its table matches the sandbox."""

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from routee_failover.sandbox.contract import load_contract
from routee_failover.sandbox.simulation.channel_statuses import status_sequence
from routee_failover.sandbox.simulation.outcomes import OUTCOMES_BY_CHANNEL, ScriptedOutcome, SimulatedChannel

from .test_python_blocks import ROOT, blocks

PAGE = (ROOT / "docs/sandbox-scripting.md").read_text(encoding="utf-8")
CURL_BODIES = re.findall(r"(/sandbox/\w+) .*?-d '(.*?)'", PAGE, re.DOTALL)


def _row(outcome: ScriptedOutcome) -> str:
    words = dict.fromkeys(
        word for outcomes in OUTCOMES_BY_CHANNEL.values() for word, is_ in outcomes.items() if is_ is outcome
    )
    last = [
        f" `{status_sequence(channel, outcome)[-1].name}` " if outcome in OUTCOMES_BY_CHANNEL[channel].values() else " "
        for channel in SimulatedChannel
    ]
    return f"| {outcome.value} | {' or '.join(f'`{word}`' for word in words)} |{'|'.join(last)}|"


@pytest.mark.parametrize("outcome", ScriptedOutcome)
def test_row_of_each_outcome_matches_the_sandbox(outcome: ScriptedOutcome) -> None:
    """The table has the outcomes of each digit, and the final status on each channel that supports it."""
    assert _row(outcome) in PAGE


@pytest.mark.parametrize("outcome", ScriptedOutcome)
def test_unsupported_outcome_is_delivered_except_digit_6(outcome: ScriptedOutcome) -> None:
    """On a channel where the table is blank, the digit does what the sentence below the table says."""
    for channel in SimulatedChannel:
        if outcome not in OUTCOMES_BY_CHANNEL[channel].values():
            status = status_sequence(channel, outcome)[-1].name
            if outcome is ScriptedOutcome.TERMINATED:
                assert f"`{status}`" in PAGE.partition("but 6 is")[2].partition(".")[0]
            else:
                assert any(
                    change.name.upper() in {"DELIVERED", "COMPLETED"} for change in status_sequence(channel, outcome)
                )


@pytest.mark.parametrize(("path", "body"), CURL_BODIES)
def test_curl_body_of_the_page_is_valid(path: str, body: str) -> None:
    """The contract accepts each rule and setting that the page posts."""
    operation = {"/sandbox/rules": "addSandboxRule", "/sandbox/settings": "setSandboxSettings"}[path]
    assert load_contract().check_body(operation, json.loads(body)) == []


def test_page_shows_four_curl_commands() -> None:
    """The page has four curl commands, so that the test above finds them all."""
    assert len(CURL_BODIES) == PAGE.count("curl ") == 4


async def test_program_of_the_page_prints_its_output(tmp_path: Path) -> None:
    """A program copied from the page prints nothing on stderr, and the counts that the page describes."""
    (printed,) = blocks("docs/sandbox-scripting.md", "python")
    program = tmp_path / "program.py"
    program.write_text(printed, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert re.fullmatch(r"Failed\n[0-9]+ may have been sent, and 102 were\n", output.decode())
