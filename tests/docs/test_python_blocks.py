"""The Python programs in the README, the tutorial and the pages about search and reconciliation run as printed."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from routee_failover import load_flow
from routee_failover._wire.json import decode
from routee_failover.sandbox import Sandbox
from tests.chaos.expected_outcomes import markdown

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/tutorial.md", "docs/search.md", "docs/reconciliation.md"]


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of one language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


PROGRAMS = [(page, index) for page in PAGES for index in range(len(blocks(page, "python")))]


def environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment with the variables that the sandbox prints as export lines."""
    config = sandbox.config()
    return os.environ | {
        "ROUTEE_APPLICATION_ID": config.application_id,
        "ROUTEE_APPLICATION_SECRET": config.application_secret.reveal(),
        "ROUTEE_API_URL": config.api_url,
        "ROUTEE_AUTH_URL": config.auth_url,
    }


@pytest.mark.parametrize(("page", "index"), PROGRAMS, ids=str)
async def test_program_of_the_page_runs_and_sends(page: str, index: int, tmp_path: Path) -> None:
    """A program copied from the page prints nothing on stderr, and the sandbox accepts its flows."""
    program = tmp_path / "program.py"
    program.write_text(blocks(page, "python")[index], encoding="utf-8")
    async with Sandbox(speed=600) as sandbox:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-X", "dev", str(program)),
            env=environment(sandbox),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        # Development mode logs slow iterations of the loop, of which a loaded machine has some.
        complaints = [line for line in errors.decode().splitlines() if not re.match("Executing <.* took ", line)]
        assert (process.returncode, complaints) == (0, [])
        assert sandbox.counts.accepted >= 1, output.decode()
    if "first.py" in (ROOT / page).read_text(encoding="utf-8") and "ended:" in program.read_text(encoding="utf-8"):
        assert "primary: Viber Undelivered" in output.decode()
        assert "failover: Sms Delivered" in output.decode()


def test_json_file_of_the_tutorial_loads_as_a_flow() -> None:
    """The JSON file of the tutorial is a valid flow."""
    (page,) = blocks("docs/tutorial.md", "json")
    mapping = decode(page.encode())
    assert mapping.pop("endpoint") == "otp"
    assert len(load_flow("otp", mapping).steps) == 2


def test_table_of_failures_matches_the_tested_rows() -> None:
    """docs/retries-and-outcomes.md shows exactly the rows that tests/chaos checks."""
    assert markdown() in (ROOT / "docs/retries-and-outcomes.md").read_text(encoding="utf-8")


def test_config_example_of_retries_and_outcomes_is_valid() -> None:
    """`Config` accepts the settings that docs/retries-and-outcomes.md shows."""
    (program,) = blocks("docs/retries-and-outcomes.md", "python")
    exec(compile(program, "docs/retries-and-outcomes.md", "exec"), {})
