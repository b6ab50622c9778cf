"""A second run of people who were written to already, with another ledger: it asks before it sends."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import OTP, SMS, Campaign


def _other(campaign: Campaign) -> list[str]:
    return campaign.run("--ledger", str(campaign.folder / "other.sqlite"))


def test_another_ledger_for_a_list_that_was_sent_asks_for_again(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """It sends nothing, makes no file, and names the ledger, what resumes it and the word that sends a second time."""
    campaign.write(5)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    result = cli(*_other(campaign), at=sandbox)
    assert (result.exit_code, result.out, len(sandbox.accepted)) == (2, "", 5)
    assert "this list was sent before; 5 of its messages may have left with the ledger" in result.err
    assert f"routee-failover bulk resume {campaign.ledger}" in result.err
    assert "To send everyone another message on purpose, add --again" in result.err
    assert not (campaign.folder / "other.sqlite").exists()
    assert cli(*_other(campaign), "--again", at=sandbox).exit_code == 0
    assert len(sandbox.accepted) == 10


def test_the_same_ledger_does_not_ask(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A run that is said again, with more people too, goes on, and so does a resume."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(4)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    assert cli("bulk", "resume", str(campaign.ledger), at=sandbox).exit_code == 0
    assert len(sandbox.accepted) == 4


def _renamed(campaign: Campaign) -> Path:
    return campaign.people.rename(campaign.folder / "final.csv")


def _copied_elsewhere(campaign: Campaign) -> Path:
    folder = campaign.folder / "elsewhere"
    folder.mkdir()
    shutil.move(campaign.people, folder / "people.csv")
    shutil.copy(campaign.ledger, folder / "done.db")
    return folder / "people.csv"


def _saved_with_other_line_ends(campaign: Campaign) -> Path:
    text = campaign.people.read_bytes()
    campaign.people.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") + b"\r\n\r\n")
    return campaign.people


def _with_one_more(campaign: Campaign) -> Path:
    campaign.write(6)
    return campaign.people


def _with_a_linked_folder(campaign: Campaign) -> Path:
    link = campaign.folder / "link"
    link.mkdir()
    (link / "people.csv").symlink_to(campaign.people)
    return link / "people.csv"


@pytest.mark.parametrize(
    "change",
    [_renamed, _copied_elsewhere, _saved_with_other_line_ends, _with_one_more, _with_a_linked_folder],
)
def test_a_list_is_known_again(
    change: Callable[[Campaign], Path], campaign: Campaign, sandbox: Sandbox, cli: Cli, tmp_path: Path
) -> None:
    """By its content, wherever it lies; and by the keys of its rows where the flow is the same."""
    campaign.write(5)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    people = change(campaign)
    ledger = people.parent / "again.sqlite"
    result = cli("bulk", "run", str(people), "--flow", str(campaign.flow), "--ledger", str(ledger), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 5), result
    assert "add --again" in result.err


def test_a_former_list_of_a_ledger_is_known_again(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A ledger knows every list that was sent with it, not the last one alone."""
    campaign.write(3, flow=SMS)
    first = campaign.people.read_bytes()
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(5, flow=SMS)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(1, flow=OTP)  # another flow, and another list
    campaign.people.write_bytes(first)
    result = cli(*_other(campaign), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 5)
    assert "this list was sent before" in result.err


def test_the_same_list_with_a_corrected_flow_asks_too(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The refusal says that it was another flow: it may be another campaign, or a typo that was put right."""
    campaign.write(3, flow=SMS)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    corrected = json.loads(json.dumps(SMS).replace("Hello", "Good day"))
    campaign.write(3, flow=corrected)
    result = cli(*_other(campaign), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 3)
    assert "by another flow (flow.json)" in result.err


def test_another_campaign_to_the_same_people_does_not_ask(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Another list and another flow are another message, though the people are the same."""
    campaign.write(3, flow=OTP)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(4, flow=SMS)
    assert cli(*_other(campaign), at=sandbox).exit_code == 0
    assert len(sandbox.accepted) == 7


def test_a_ledger_that_sent_nothing_is_no_reason_to_ask(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Where every row was rejected or invalid, nobody gets a second message."""
    campaign.write(0, "12,Short,1111", flow=SMS)
    assert cli(*campaign.run(), at=sandbox).exit_code == 1
    assert cli(*_other(campaign), at=sandbox).exit_code == 1


def test_a_ledger_that_lost_its_log_is_a_reason_to_ask(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A ledger that is refused for what it lost is not gone round by naming another one."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    with closing(sqlite3.connect(campaign.ledger)) as database, database:
        database.execute("UPDATE ledger SET owner = 'a run', accepted = 0")
        database.execute("DELETE FROM entries")
    assert cli(*campaign.run(), at=sandbox).exit_code == 2
    result = cli(*_other(campaign), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 3)
    assert "this list was sent before; messages may have left" in result.err


def test_whatever_else_lies_there_is_passed_over(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Files of other kinds, other databases, damaged ledgers and folders keep nobody from sending."""
    campaign.write(3)
    (campaign.folder / "folder.sqlite").mkdir()
    (campaign.folder / "empty.sqlite").touch()
    (campaign.folder / "text.sqlite").write_text("no database " * 20)
    with closing(sqlite3.connect(campaign.folder / "other.db")) as database, database:
        database.execute("CREATE TABLE customers (name)")
    with closing(sqlite3.connect(campaign.folder / "claims.sqlite")) as database, database:
        database.execute("PRAGMA application_id=1380338759")
        database.execute("CREATE TABLE no_ledger (name)")
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    assert len(sandbox.accepted) == 3


def test_a_run_that_lost_its_log_is_recovered_by_asking(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Refused with the word for it, and with that word nobody gets a second message and who is new gets one."""
    campaign.write(6)
    assert cli(*campaign.run("--reconcile-after", "0.2s"), at=sandbox).exit_code == 0
    with closing(sqlite3.connect(campaign.ledger)) as database, database:
        database.execute("UPDATE ledger SET owner = 'a run', accepted = 2")
        database.execute("DELETE FROM entries WHERE number > 2")
    campaign.write(8)
    for arguments in (campaign.run(), ["bulk", "resume", str(campaign.ledger)]):
        refused = cli(*arguments, at=sandbox)
        assert (refused.exit_code, len(sandbox.accepted)) == (2, 6)
        assert "open it with --recover" in refused.err
    recovered = cli("bulk", "resume", str(campaign.ledger), "--recover", at=sandbox)
    assert recovered.exit_code == 0, recovered
    assert len(sandbox.accepted) == 8
