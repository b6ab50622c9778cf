"""Moved files of a run: a renamed folder, a moved ledger, and suppression lists elsewhere."""

import re
import shlex
from pathlib import Path

import attrs

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import Campaign, everyone, number, recipients


def _moved(campaign: Campaign) -> Campaign:
    folder = campaign.folder.with_name("moved")
    campaign.folder.rename(folder)
    return attrs.evolve(campaign, folder=folder)


def test_renamed_folder_is_resumed_by_the_printed_command(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """`resume` prints the command for the new paths, and that sends the rest, nothing twice."""
    campaign = attrs.evolve(campaign, folder=campaign.folder / "here")
    campaign.folder.mkdir()
    (campaign.folder / "optout.csv").write_text(f"phone\n{number(7)}\n")
    arguments = campaign.write(9).run("--suppress", str(campaign.folder / "optout.csv"), "--max-messages", "2")
    assert cli(*arguments, at=sandbox).exit_code == 3
    campaign = _moved(campaign)
    failed = cli("bulk", "resume", str(campaign.ledger), "--max-messages", "all", at=sandbox)
    assert (failed.exit_code, "does not exist any more; nothing was sent" in failed.err) == (2, True)
    printed = re.search(r"routee-failover (bulk run .*)", failed.err)
    assert printed is not None
    files = {"RECIPIENTS": str(campaign.people), "FLOW": str(campaign.flow)}
    command = [files.get(word, word) for word in shlex.split(printed[1])]
    without_list = cli(*command, at=sandbox)
    assert (without_list.exit_code, "optout.csv does not exist" in without_list.err) == (2, True), without_list
    assert "give its new path with --suppress, under the same file name" in without_list.err
    more = ["--suppress", str(campaign.folder / "optout.csv"), "--max-messages", "all"]
    assert cli(*command, *more, at=sandbox).exit_code == 0
    assert sorted(recipients(sandbox)) == [to for to in everyone(9) if to != number(7)]
    assert cli("bulk", "resume", str(campaign.ledger), at=sandbox).exit_code == 0


def test_suppression_lists_of_the_same_name_both_apply(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Two suppression lists with the same name in two folders both apply."""
    other = campaign.folder / "other"
    other.mkdir()
    lists = [campaign.folder / "optout.csv", other / "optout.csv"]
    for index, path in enumerate(lists, 1):
        path.write_text(f"phone\n{number(index)}\n")
    campaign.write(4)
    assert cli(*campaign.run("--suppress", str(lists[0]), "--max-messages", "1"), at=sandbox).exit_code == 3
    more = ["--suppress", str(lists[1]), "--max-messages", "all"]
    assert cli("bulk", "resume", str(campaign.ledger), *more, at=sandbox).exit_code == 0
    assert sorted(recipients(sandbox)) == [number(0), number(3)]


def test_moved_ledger_is_asked_for_and_not_recreated(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The error about a missing ledger asks for its path first: a new one would send everything again."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    archive: Path = campaign.folder / "kept"
    archive.mkdir()
    campaign.ledger.rename(archive / "renamed.sqlite")
    missing = cli("bulk", "resume", str(campaign.ledger), at=sandbox)
    assert missing.exit_code == 2
    assert "If it was moved or renamed, give its path: with a new ledger everyone who has a message" in missing.err
    assert cli("bulk", "resume", str(archive / "renamed.sqlite"), at=sandbox).exit_code == 0
    assert len(sandbox.accepted) == 3
