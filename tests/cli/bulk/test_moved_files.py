"""Files of a run that are not where they were: the folder was renamed, or the ledger alone was moved."""

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


def test_a_renamed_folder_is_resumed_by_the_printed_command(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """`resume` says how the run is resumed from where its files are, and that sends the rest, nothing twice."""
    campaign = attrs.evolve(campaign, folder=campaign.folder / "here")
    campaign.folder.mkdir()
    (campaign.folder / "optout.csv").write_text(f"phone\n{number(7)}\n")
    begun = campaign.write(9).run("--suppress", str(campaign.folder / "optout.csv"), "--max-messages", "2")
    assert cli(*begun, at=sandbox).exit_code == 3
    campaign = _moved(campaign)
    lost = cli("bulk", "resume", str(campaign.ledger), "--max-messages", "all", at=sandbox)
    assert (lost.exit_code, "it is not there any more; nothing was sent" in lost.err) == (2, True)
    printed = re.search(r"routee-failover (bulk run .*)", lost.err)
    assert printed is not None
    files = {"RECIPIENTS": str(campaign.people), "FLOW": str(campaign.flow)}
    command = [files.get(word, word) for word in shlex.split(printed[1])]
    listed = cli(*command, at=sandbox)
    assert (listed.exit_code, "optout.csv cannot be read: it is not there" in listed.err) == (2, True), listed
    assert "say with --suppress where it is, under the same name" in listed.err
    more = ["--suppress", str(campaign.folder / "optout.csv"), "--max-messages", "all"]
    assert cli(*command, *more, at=sandbox).exit_code == 0
    assert sorted(recipients(sandbox)) == [to for to in everyone(9) if to != number(7)]
    assert cli("bulk", "resume", str(campaign.ledger), at=sandbox).exit_code == 0


def test_a_list_of_the_same_name_does_not_replace_one_that_is_there(
    campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """Two suppression lists of one name in two folders hold both."""
    other = campaign.folder / "other"
    other.mkdir()
    lists = [campaign.folder / "optout.csv", other / "optout.csv"]
    for place, path in enumerate(lists, 1):
        path.write_text(f"phone\n{number(place)}\n")
    campaign.write(4)
    assert cli(*campaign.run("--suppress", str(lists[0]), "--max-messages", "1"), at=sandbox).exit_code == 3
    more = ["--suppress", str(lists[1]), "--max-messages", "all"]
    assert cli("bulk", "resume", str(campaign.ledger), *more, at=sandbox).exit_code == 0
    assert sorted(recipients(sandbox)) == [number(0), number(3)]


def test_a_ledger_that_was_moved_away_is_not_begun_anew(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """What is said of a missing ledger tells first to look where it is: a new one would send everything again."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    place: Path = campaign.folder / "kept"
    place.mkdir()
    campaign.ledger.rename(place / "renamed.sqlite")
    gone = cli("bulk", "resume", str(campaign.ledger), at=sandbox)
    assert gone.exit_code == 2
    assert "If it was moved or renamed, say where it is: with a new ledger everyone who has a message" in gone.err
    assert cli("bulk", "resume", str(place / "renamed.sqlite"), at=sandbox).exit_code == 0
    assert len(sandbox.accepted) == 3
