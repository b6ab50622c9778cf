"""The page about scripting: its programs run, its rules can be made, and its table is the sandbox's own."""

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


def _row(ending: ScriptedOutcome) -> str:
    words = dict.fromkeys(
        word for known in OUTCOMES_BY_CHANNEL.values() for word, is_ in known.items() if is_ is ending
    )
    last = [
        f" `{status_sequence(channel, ending)[-1].name}` " if ending in OUTCOMES_BY_CHANNEL[channel].values() else " "
        for channel in SimulatedChannel
    ]
    return f"| {ending.value} | {' or '.join(f'`{word}`' for word in words)} |{'|'.join(last)}|"


@pytest.mark.parametrize("ending", ScriptedOutcome)
def test_each_digit_and_outcome_is_on_the_page(ending: ScriptedOutcome) -> None:
    """The table says of each digit which outcomes it is, and the status it ends in on each channel that knows it."""
    assert _row(ending) in PAGE


@pytest.mark.parametrize("ending", ScriptedOutcome)
def test_a_blank_is_delivered_but_for_6(ending: ScriptedOutcome) -> None:
    """Where the table is blank, the digit does what the sentence below the table says."""
    for channel in SimulatedChannel:
        if ending not in OUTCOMES_BY_CHANNEL[channel].values():
            status = status_sequence(channel, ending)[-1].name
            if ending is ScriptedOutcome.TERMINATED:
                assert f"`{status}`" in PAGE.partition("but 6 is")[2].partition(".")[0]
            else:
                assert any(
                    change.name.upper() in {"DELIVERED", "COMPLETED"} for change in status_sequence(channel, ending)
                )


@pytest.mark.parametrize(("path", "body"), CURL_BODIES)
def test_what_is_sent_can_be_sent(path: str, body: str) -> None:
    """The contract takes each rule and setting that the page posts."""
    operation = {"/sandbox/rules": "addSandboxRule", "/sandbox/settings": "setSandboxSettings"}[path]
    assert load_contract().check_body(operation, json.loads(body)) == []


def test_there_is_something_to_send() -> None:
    """The page shows as many requests as it did when this was written, so that none escapes the test above."""
    assert len(CURL_BODIES) == PAGE.count("curl ") == 4


async def test_the_program_runs_as_printed(tmp_path: Path) -> None:
    """A program copied from the page runs without a word on stderr, and does what the page says."""
    (printed,) = blocks("docs/sandbox-scripting.md", "python")
    program = tmp_path / "program.py"
    program.write_text(printed, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert re.fullmatch(r"Failed\n[0-9]+ may have been sent, and 102 were\n", output.decode())
