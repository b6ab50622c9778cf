"""Every Python program in the README, the tutorial and the pages about searching runs as it is printed."""

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
    """The fenced blocks of one language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


PROGRAMS = [(page, index) for page in PAGES for index in range(len(blocks(page, "python")))]


def environment(sandbox: Sandbox) -> dict[str, str]:
    """What a person pastes from the sandbox's terminal."""
    config = sandbox.config()
    return os.environ | {
        "ROUTEE_APPLICATION_ID": config.application_id,
        "ROUTEE_APPLICATION_SECRET": config.application_secret.reveal(),
        "ROUTEE_API_URL": config.api_url,
        "ROUTEE_AUTH_URL": config.auth_url,
    }


@pytest.mark.parametrize(("page", "index"), PROGRAMS, ids=str)
async def test_program_runs_as_printed(page: str, index: int, tmp_path: Path) -> None:
    """A program copied from the page runs without a word on stderr, and its flows reach Routee."""
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
        # Development mode tells of slow turns of the loop, of which a loaded machine has some.
        said = [line for line in errors.decode().splitlines() if not re.match("Executing <.* took ", line)]
        assert (process.returncode, said) == (0, [])
        assert sandbox.counts.accepted >= 1, output.decode()
    if "first.py" in (ROOT / page).read_text(encoding="utf-8") and "ended:" in program.read_text(encoding="utf-8"):
        assert "primary: Viber Undelivered" in output.decode()
        assert "failover: Sms Delivered" in output.decode()


def test_json_of_the_tutorial_is_a_flow() -> None:
    """The file that the tutorial tells people to save loads as it is."""
    (page,) = blocks("docs/tutorial.md", "json")
    mapping = decode(page.encode())
    assert mapping.pop("endpoint") == "otp"
    assert len(load_flow("otp", mapping).steps) == 2


def test_the_table_of_faults_is_the_one_that_is_tested() -> None:
    """The page that tells how sending decides shows the very rows that the client is held to."""
    assert markdown() in (ROOT / "docs/retries-and-outcomes.md").read_text(encoding="utf-8")


def test_the_settings_on_the_page_can_be_made() -> None:
    """The settings that the page about deciding shows are ones that `Config` takes."""
    (program,) = blocks("docs/retries-and-outcomes.md", "python")
    exec(compile(program, "docs/retries-and-outcomes.md", "exec"), {})
