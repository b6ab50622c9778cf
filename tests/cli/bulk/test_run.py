"""A run from its beginning to its report, through the real program against the real sandbox."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from ..shell import run
from .campaign import SMS, Campaign, assert_no_secret_in, everyone, number, recipients


def test_from_the_beginning_to_the_report(campaign: Campaign, sandbox: Sandbox) -> None:
    """Everybody gets one message; the ledger tells of each; going on sends nothing; no code is written anywhere."""
    campaign.write(200)
    first = run(*campaign.run(), at=sandbox)
    assert (first.status, first.err) == (0, "")
    assert "people.csv as otp" in first.out
    assert " All 200 are accepted" in first.out
    assert sorted(recipients(sandbox)) == everyone(200)

    ledger = str(campaign.ledger)
    again = run("bulk", "resume", ledger, at=sandbox)
    assert (again.status, len(sandbox.accepted)) == (0, 200)
    assert "It goes on with a run that was begun before: 200 rows are dealt with already." in again.out

    status = run("bulk", "status", ledger)
    assert status.status == 0
    assert "200 of 200" in status.out

    exported = run("bulk", "export", ledger)
    rows = list(csv.DictReader(io.StringIO(exported.out)))
    assert {row["state"] for row in rows} == {"ACCEPTED"}
    assert {row["tracking_id"] for row in rows} == {flow.id for flow in sandbox.accepted}

    report = run("bulk", "report", ledger)
    page = campaign.ledger.with_suffix(".html")
    assert (report.status, report.out) == (0, f"The report is in {page}\n")
    assert page.read_text("utf-8").startswith("<!")
    said = [text for result in (first, again, status, exported, report) for text in result]
    assert_no_secret_in(*map(str, said), folder=campaign.folder, except_files=[campaign.people])
    assert number(7) not in "".join(map(str, said))


def test_bad_rows(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Rows that cannot be sent go to a file with their lines, the others are sent, and the status says 1."""
    campaign.write(20, "12,Short,1111", f"{number(3)},Twice,2222", 'oops,"', flow=SMS)
    result = cli(*campaign.run(), at=sandbox)
    assert result.status == 1, result
    assert sorted(recipients(sandbox)) == everyone(20)
    refused = list(csv.DictReader(campaign.invalid_rows.read_text("utf-8").splitlines()))
    assert [row["line"] for row in refused] == ["22", "24"]
    assert "E.164" in refused[0]["reason"]
    assert f"{campaign.invalid_rows}\n" in result.out
    assert "2 could not be sent as they are" in result.out
    assert number(3) not in result.out

    campaign.write(20, "+306920000000,Mended,1111", f"{number(3)},Twice,2222", flow=SMS)
    mended = cli("bulk", "resume", str(campaign.ledger), at=sandbox)
    assert (mended.status, len(sandbox.accepted)) == (0, 21), mended
    assert not campaign.invalid_rows.exists()


def test_rows_that_moved(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Where rows were exchanged for others, each person has one message, and numbers and status stay sensible."""
    assert cli(*campaign.write(28).run(), at=sandbox).status == 0
    rows = [f"{number(100 + place)},New,1111" for place in range(29)]
    campaign.people.write_text("\n".join(["phone,name,pin", *rows, ""]), "utf-8")
    moved = cli("bulk", "resume", str(campaign.ledger), at=sandbox)
    status = cli("bulk", "status", str(campaign.ledger))
    assert (moved.status, status.status, len(set(recipients(sandbox)))) == (0, 0, 57), moved
    for said in (moved.out, status.out):
        assert "28 messages of the ledger are not in the source any more." in said
        assert "57 of 29" not in said
    assert "All 57 are accepted" in moved.out
    told = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    assert (told["total"], told["accepted"], told["not_sent"], told["not_in_source"]) == (29, 57, 0, 28)


def test_json(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """With --json, stdout is lines of JSON: how it began, how it went, how it ended."""
    campaign.write(30, "12,Short,1111")
    result = cli(*campaign.run("--json"), at=sandbox)
    events = [json.loads(line) for line in result.out.splitlines()]
    began, *between, done = events
    assert began == {
        "event": "started",
        "recipients": str(campaign.people),
        "flow": str(campaign.flow),
        "endpoint": "otp",
        "service": "this machine",
        "total": 31,
        "resumed": False,
        "already_done": 0,
        "suppression_list": None,
        "max_messages": None,
        "balance": {"amount": 100.0, "currency": "EUR"},
        "note": None,
    }
    assert {event["event"] for event in between} <= {"progress", "row_problem"}
    assert all(event["total"] == 31 for event in between if event["event"] == "progress")
    assert done["event"] == "done"
    assert (done["total"], done["accepted"], done["invalid"], done["not_sent"]) == (31, 30, 1, 0)
    assert (done["exit_status"], done["interrupted"], done["stop_reason"], done["resume"]) == (1, False, None, None)
    assert done["invalid_rows_file"] == str(campaign.invalid_rows)
    assert (result.status, result.err) == (1, "")
    assert_no_secret_in(result.out, folder=campaign.folder, except_files=[campaign.people])

    status = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    counted = ("total", "accepted", "invalid", "duplicates", "not_sent", "not_in_source")
    assert {name: status[name] for name in counted} == {name: done[name] for name in counted}


def test_rejected(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """What Routee refuses is told with its line, and how to list the reasons."""
    sandbox.script(to=number(4), response=400)
    campaign.write(10)
    result = cli(*campaign.run(), at=sandbox)
    assert result.status == 1
    assert "line 6 +3069****0004 rejected: " in result.out
    command = f"routee-failover bulk export {campaign.ledger} --state REJECTED\n"
    assert command in result.out
    listed = cli(*command.split()[1:])
    assert [row["line"] for row in csv.DictReader(io.StringIO(listed.out))] == ["6"]


def test_unknown(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A message of which nobody knows is kept if that was asked for, and reconcile finds out that Routee has it."""
    sandbox.script(to=number(4), fault="reset")
    campaign.write(10)
    result = cli(*campaign.run("--unknown", "keep"), at=sandbox)
    assert result.status == 4, result
    assert "1 unknown" in result.out
    assert f"routee-failover bulk export {campaign.ledger} --state UNKNOWN\n" in result.out
    ledger = str(campaign.ledger)
    found = cli("bulk", "reconcile", ledger, "--unknown", "reconcile", "--once", "--ends", at=sandbox)
    assert found.status == 0, found
    assert "Of 1 in doubt, Routee has 1; 0 may be sent; 0 still in doubt." in found.out
    assert "Of 10 accepted: delivered 10, failed 0, unknown 0; Viber " in found.out
    assert sorted(recipients(sandbox)) == everyone(10)
    assert "No message was in doubt." in cli("bulk", "reconcile", ledger, at=sandbox).out
    told = json.loads(cli("bulk", "reconcile", ledger, "--json", at=sandbox).out)
    assert (told["event"], told["accepted"], told["exit_status"]) == ("reconciled", 10, 0)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_other_sources(form: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """JSON lines are sent as CSV is, and --format names what a file's name does not; --key knows rows by a column."""
    campaign.write(0, flow=SMS)
    rows: list[dict[str, Any]] = [{"phone": number(1), "name": "A", "order": n} for n in range(3)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if form == "csv":
        text = "phone,name,order\n" + "".join(f"{row['phone']},A,{row['order']}\n" for row in rows)
    people = campaign.folder / "people.data"
    people.write_text(text, "utf-8")
    arguments = ["bulk", "run", str(people), "--flow", str(campaign.flow), "--format", form, "--key", "order"]
    result = cli(*arguments, "--ledger", str(campaign.ledger), at=sandbox)
    assert result.status == 0, result
    assert recipients(sandbox) == [number(1)] * 3


def test_paths_are_absolute(campaign: Campaign, sandbox: Sandbox, tmp_path: Path) -> None:
    """A run that was begun in one folder goes on from another."""
    campaign.write(5)
    begun = run("bulk", "run", "people.csv", "--flow", "flow.json", at=sandbox, cwd=campaign.folder)
    assert begun.status == 0
    assert "routee-failover bulk report people.sqlite\n" in begun.out
    campaign.write(6)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    went_on = run("bulk", "resume", "../people.sqlite", at=sandbox, cwd=elsewhere)
    assert (went_on.status, len(sandbox.accepted)) == (0, 6), went_on


def test_exports(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """An export goes to a file where one is named, in one form; resuming a run tells its status as the run did."""
    assert cli(*campaign.write(3, "12,Short,1").run(), at=sandbox).status == 1
    assert cli("bulk", "resume", str(campaign.ledger), at=sandbox).status == 1
    file = campaign.folder / "all.jsonl"
    result = cli("bulk", "export", str(campaign.ledger), "--json", "--state", "accepted", "-o", str(file))
    assert (result.status, result.out) == (0, "")
    assert [json.loads(line)["line"] for line in file.read_text("utf-8").splitlines()] == [2, 3, 4]
    both = cli("bulk", "export", str(campaign.ledger), "--json", "--csv")
    assert (both.status, both.out) == (2, "")
    assert "cannot be given together" in both.err
