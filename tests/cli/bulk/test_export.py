"""`bulk export`: UTF-8 in any locale, masked numbers by default, and no cell that a spreadsheet would compute."""

import csv
import io
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from ..shell import PROGRAM, environment
from .campaign import SMS, Campaign, everyone, number, recipients

ASCII = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
NAME = "Ελένη π"


@pytest.fixture
def sent(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> Campaign:
    """A run with names as keys: one has letters outside ASCII, one a formula after a `;`."""
    campaign.write(1, flow=SMS)
    more = [f"{number(1)},{NAME},1", f"{number(2)},x;=HYPERLINK(1),1", f"{number(3)},\uff1d1+1,1"]
    campaign.people.write_text("\n".join(["phone,name,pin", *more, ""]), "utf-8")
    assert cli(*campaign.run("--key", "name"), at=sandbox).exit_code == 0
    return campaign


def test_numbers_are_masked_with_a_note_unless_requested(sent: Campaign, cli: Cli) -> None:
    """Without --numbers phone numbers are masked, with a note on stderr; with it they are in clear."""
    masked = cli("bulk", "export", str(sent.ledger))
    rows = list(csv.DictReader(io.StringIO(masked.out)))
    assert [row["recipient"] for row in rows] == [f"+3069****{n:04}" for n in (1, 2, 3)]
    assert masked.err == "Phone numbers are masked; --numbers shows them.\n"
    clear = cli("bulk", "export", str(sent.ledger), "--numbers")
    rows = list(csv.DictReader(io.StringIO(clear.out)))
    assert [row["recipient"] for row in rows] == [number(1), number(2), number(3)]
    assert (clear.exit_code, clear.err) == (0, "")
    objects = [
        json.loads(line) for line in cli("bulk", "export", str(sent.ledger), "--json", "--numbers").out.splitlines()
    ]
    assert [row["recipient"] for row in objects] == [number(1), number(2), number(3)]
    file = sent.folder / "all.csv"
    assert cli("bulk", "export", str(sent.ledger), "-o", str(file)).err == masked.err
    assert file.read_text("utf-8") == masked.out


def test_key_that_is_the_number_is_masked_too(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A key that is the phone number is masked and shown as the number is."""
    assert cli(*campaign.write(2).run(), at=sandbox).exit_code == 0
    for more, keys in (([], ["+3069****0000", "+3069****0001"]), (["--numbers"], everyone(2))):
        rows = list(csv.DictReader(io.StringIO(cli("bulk", "export", str(campaign.ledger), *more).out)))
        assert [(row["key"], row["recipient"]) for row in rows] == [(key, key) for key in keys]


def test_export_with_numbers_can_be_sent_to(campaign: Campaign, sandbox: Sandbox, cli: Cli, tmp_path: Path) -> None:
    """An export with --numbers can be the recipients of another run."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    again = Campaign(tmp_path / "again")
    again.folder.mkdir()
    again.write(0, flow={**SMS, "flow": [{**SMS["flow"][0], "to": "{recipient}", "message": {"body": "Hello"}}]})
    assert cli("bulk", "export", str(campaign.ledger), "--numbers", "-o", str(again.people)).exit_code == 0
    assert cli(*again.run(), at=sandbox).exit_code == 0
    assert sorted(recipients(sandbox)) == sorted(everyone(3) * 2)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_no_cell_is_a_formula_for_any_delimiter(delimiter: str, sent: Campaign, cli: Cli) -> None:
    """Whichever delimiter a spreadsheet splits at, no cell begins with a character that makes it a formula."""
    out = cli("bulk", "export", str(sent.ledger)).out
    cells = [cell for row in csv.reader(io.StringIO(out), delimiter=delimiter) for cell in row]
    assert len(cells) >= 4
    assert not [cell for cell in cells if cell.lstrip()[:1] in set("=\uff1d@-")]


@pytest.mark.parametrize("more", [[], ["--csv"], ["--json"]])
def test_export_is_utf_8_in_any_locale(more: list[str], sent: Campaign) -> None:
    """Where text output is ASCII, a pipe still gets UTF-8."""
    arguments = [*PROGRAM, "bulk", "export", str(sent.ledger), *more]
    out = subprocess.run(arguments, capture_output=True, env=environment(None, **ASCII), timeout=60, check=True).stdout
    text = out.decode("utf-8")
    rows = [json.loads(line) for line in text.splitlines()] if more == ["--json"] else csv.DictReader(io.StringIO(text))
    assert next(iter(rows))["key"] == NAME
    file = sent.folder / "all"
    more_bytes = [*arguments, "-o", str(file)]
    subprocess.run(more_bytes, capture_output=True, env=environment(None, **ASCII), timeout=60, check=True)
    assert file.read_bytes() == out


@pytest.mark.parametrize(("settings", "exit_code"), [(ASCII, 2), ({"PYTHONIOENCODING": "utf-8"}, 0)])
def test_terminal_without_the_character_exits_with_2(settings: dict[str, str], exit_code: int, sent: Campaign) -> None:
    """A terminal that lacks a character gets an error with advice; one that has it shows it."""
    terminal, tty = pty.openpty()
    arguments = [*PROGRAM, "bulk", "export", str(sent.ledger)]
    done = subprocess.run(
        arguments, stdout=tty, stderr=subprocess.PIPE, env=environment(None, **settings), timeout=60, check=False
    )
    os.close(tty)
    printed = b""
    while part := _read(terminal):
        printed += part
    os.close(terminal)
    assert done.returncode == exit_code, done.stderr
    assert (NAME in printed.decode()) == (exit_code == 0)
    assert b"\\u" not in printed
    assert (b"which has no U+0395: write it to a file" in b" ".join(done.stderr.split())) == (exit_code == 2)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other side is closed
        return b""


def test_export_help_says_that_numbers_are_masked(cli: Cli) -> None:
    """The help says that numbers are masked, and names the option."""
    text = " ".join(cli("bulk", "export", "--help").out.replace("│", " ").split())
    assert "Phone numbers are masked" in text
    assert "--numbers" in text


def test_closed_pipe_ends_the_export_without_traceback(sent: Campaign) -> None:
    """A reader that closes the pipe ends the export without a traceback."""
    arguments = " ".join([*PROGRAM, "bulk", "export", str(sent.ledger)])
    done = subprocess.run(
        ["bash", "-c", f"{arguments} | true"], capture_output=True, env=environment(), timeout=60, check=False
    )
    assert b"Traceback" not in done.stderr
