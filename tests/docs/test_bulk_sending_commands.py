"""docs/bulk-sending.md: its commands run as printed, and its tables match the program."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from routee_failover.bulk import FindingKind
from routee_failover.cli.bulk.display.json_events import row_counts_fields
from routee_failover.cli.bulk.display.row_counts import RowCounts
from routee_failover.sandbox import Sandbox

from .test_python_blocks import ROOT, blocks

PAGE = "docs/bulk-sending.md"
TEXT = (ROOT / PAGE).read_text("utf-8")
PEOPLE = 300
"""Fewer than on the page, which says that a few hundred do as well."""


def _folder(tmp_path: Path) -> Path:
    first_program, *_programs = blocks(PAGE, "python")
    (flow,) = blocks(PAGE, "json")
    assert "10_000):" in first_program
    fewer = first_program.replace("10_000):", f"{PEOPLE}):")
    subprocess.run([sys.executable, "-W", "ignore", "-c", fewer], cwd=tmp_path, check=True)
    (tmp_path / "otp.json").write_text(flow, "utf-8")
    program = tmp_path / "bin" / "routee-failover"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m routee_failover.cli "$@"\n', "utf-8")
    program.chmod(0o755)
    return tmp_path


async def test_commands_of_the_page_send_one_message_to_each_recipient(tmp_path: Path) -> None:
    """Run in order, the commands send each recipient one message and write the files that the page names."""
    folder = _folder(tmp_path)
    _install, *commands = blocks(PAGE, "console")
    script = "set -e\n" + "".join(commands)
    with Sandbox(speed=20_000) as sandbox:
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", script],
            cwd=folder,
            env=os.environ | sandbox.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert len({to for flow in sandbox.accepted for to in flow.to}) == len(sandbox.accepted) == PEOPLE
    assert f"{PEOPLE} rows: {PEOPLE} can be sent" in done.stdout
    assert f"All {PEOPLE} rows accepted" in done.stdout
    assert (folder / "people.html").is_file()
    assert len((folder / "accepted.csv").read_text("utf-8").splitlines()) == PEOPLE + 1
    for code in re.findall(r",(\d{6})$", (folder / "people.csv").read_text("utf-8"), re.MULTILINE)[:20]:
        assert not re.search(rf"(?<!\d){code}(?!\d)", done.stdout)


def test_dry_run_of_the_page_prints_its_output(tmp_path: Path) -> None:
    """A dry run over the orders on the page prints the findings that the page shows."""
    (orders,) = (block for block in blocks(PAGE, "csv") if block.startswith("order,phone,"))
    (printed,) = (block for block in blocks(PAGE, "text") if "Possible problems" in block)
    (body,) = re.findall(r"and the text `(.*)`:", TEXT)
    options = re.findall(r"with `(--key .*)` and the text", TEXT)[0].split()
    flow = {
        "endpoint": "otp",
        "flow": [{"type": "Sms", "order": 1, "to": "{phone}", "ttl": 60, "message": {"body": body}}],
    }
    (tmp_path / "orders.csv").write_text(orders, "utf-8")
    (tmp_path / "flow.json").write_text(json.dumps(flow), "utf-8")
    command = [sys.executable, "-m", "routee_failover.cli", "bulk", "run", "orders.csv", "--flow", "flow.json"]
    done = subprocess.run([*command, "--dry-run", *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert printed.rstrip() in "\n".join(line.rstrip() for line in done.stdout.splitlines())


@pytest.mark.parametrize("kind", FindingKind)
def test_finding_kind_is_documented(kind: FindingKind) -> None:
    """The page lists every kind of finding of a dry run."""
    assert f"| `{kind}` |" in TEXT


@pytest.mark.parametrize("name", row_counts_fields(RowCounts()))
def test_json_key_of_the_row_counts_is_documented(name: str) -> None:
    """The page lists every key of the row counts in JSON output."""
    assert f"`{name}`" in TEXT
