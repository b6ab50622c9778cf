"""Previous runs: sending to the same people with another ledger needs --again."""

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


def _with_other_ledger(campaign: Campaign) -> list[str]:
    return campaign.run("--ledger", str(campaign.folder / "other.sqlite"))


def test_sent_list_with_another_ledger_needs_again(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Nothing is sent, no file is created, and the error names the ledger, the resume command and --again."""
    campaign.write(5)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    result = cli(*_with_other_ledger(campaign), at=sandbox)
    assert (result.exit_code, result.out, len(sandbox.accepted)) == (2, "", 5)
    assert "this list was already sent; 5 of its messages may have been sent with the ledger" in result.err
    assert f"routee-failover bulk resume {campaign.ledger}" in result.err
    assert "To send everyone another message on purpose, add --again" in result.err
    assert not (campaign.folder / "other.sqlite").exists()
    assert cli(*_with_other_ledger(campaign), "--again", at=sandbox).exit_code == 0
    assert len(sandbox.accepted) == 10


def test_same_ledger_continues_without_again(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Running the same command again, also with more people, continues, and so does resume."""
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
def test_changed_list_is_recognized(
    change: Callable[[Campaign], Path], campaign: Campaign, sandbox: Sandbox, cli: Cli, tmp_path: Path
) -> None:
    """A list is recognized by its content in any folder, and by the keys of its rows if the flow is the same."""
    campaign.write(5)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    people = change(campaign)
    ledger = people.parent / "again.sqlite"
    result = cli("bulk", "run", str(people), "--flow", str(campaign.flow), "--ledger", str(ledger), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 5), result
    assert "add --again" in result.err


def test_earlier_list_of_a_ledger_is_recognized(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A ledger recognizes every list that was sent with it, not only the last one."""
    campaign.write(3, flow=SMS)
    first = campaign.people.read_bytes()
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(5, flow=SMS)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(1, flow=OTP)  # another flow, and another list
    campaign.people.write_bytes(first)
    result = cli(*_with_other_ledger(campaign), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 5)
    assert "this list was already sent" in result.err


def test_same_list_with_a_corrected_flow_needs_again(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The error says that it was another flow: a new campaign, or a corrected typo."""
    campaign.write(3, flow=SMS)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    corrected = json.loads(json.dumps(SMS).replace("Hello", "Good day"))
    campaign.write(3, flow=corrected)
    result = cli(*_with_other_ledger(campaign), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 3)
    assert "by another flow (flow.json)" in result.err


def test_another_campaign_to_the_same_people_is_sent(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Another list with another flow is another campaign, although the people are the same."""
    campaign.write(3, flow=OTP)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    campaign.write(4, flow=SMS)
    assert cli(*_with_other_ledger(campaign), at=sandbox).exit_code == 0
    assert len(sandbox.accepted) == 7


def test_ledger_that_sent_nothing_does_not_need_again(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """If every row was rejected or invalid, no recipient gets a second message."""
    campaign.write(0, "12,Short,1111", flow=SMS)
    assert cli(*campaign.run(), at=sandbox).exit_code == 1
    assert cli(*_with_other_ledger(campaign), at=sandbox).exit_code == 1


def test_ledger_that_lost_its_log_needs_again(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A ledger that lost data cannot be bypassed with another ledger."""
    campaign.write(3)
    assert cli(*campaign.run(), at=sandbox).exit_code == 0
    with closing(sqlite3.connect(campaign.ledger)) as database, database:
        database.execute("UPDATE ledger SET owner = 'a run', accepted = 0")
        database.execute("DELETE FROM entries")
    assert cli(*campaign.run(), at=sandbox).exit_code == 2
    result = cli(*_with_other_ledger(campaign), at=sandbox)
    assert (result.exit_code, len(sandbox.accepted)) == (2, 3)
    assert "this list was already sent; messages may have been sent" in result.err


def test_other_files_in_the_folder_are_ignored(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Other files, other databases, damaged ledgers and folders do not prevent a run."""
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


def test_recover_sends_to_new_people_only(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The error names --recover; with it no recipient gets a second message, and new ones get one."""
    campaign.write(6)
    assert cli(*campaign.run("--reconcile-after", "0.2s"), at=sandbox).exit_code == 0
    with closing(sqlite3.connect(campaign.ledger)) as database, database:
        database.execute("UPDATE ledger SET owner = 'a run', accepted = 2")
        database.execute("DELETE FROM entries WHERE number > 2")
    campaign.write(8)
    for arguments in (campaign.run(), ["bulk", "resume", str(campaign.ledger)]):
        rejected = cli(*arguments, at=sandbox)
        assert (rejected.exit_code, len(sandbox.accepted)) == (2, 6)
        assert "open it with --recover" in rejected.err
    recovered = cli("bulk", "resume", str(campaign.ledger), "--recover", at=sandbox)
    assert recovered.exit_code == 0, recovered
    assert len(sandbox.accepted) == 8
