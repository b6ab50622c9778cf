"""Complete runs of the real program against the real sandbox."""

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


def test_run_resume_status_export_and_report(campaign: Campaign, sandbox: Sandbox) -> None:
    """Everyone gets one message; the ledger has every outcome; a resume sends nothing; no code is written anywhere."""
    campaign.write(200)
    first = run(*campaign.run(), at=sandbox)
    assert (first.exit_code, first.err) == (0, "")
    assert "people.csv as otp" in first.out
    assert " All 200 rows accepted" in first.out
    assert sorted(recipients(sandbox)) == everyone(200)

    ledger = str(campaign.ledger)
    again = run("bulk", "resume", ledger, at=sandbox)
    assert (again.exit_code, len(sandbox.accepted)) == (0, 200)
    assert "Resuming an earlier run: 200 rows are already done." in again.out

    status = run("bulk", "status", ledger)
    assert status.exit_code == 0
    assert "200 of 200" in status.out

    exported = run("bulk", "export", ledger)
    rows = list(csv.DictReader(io.StringIO(exported.out)))
    assert {row["state"] for row in rows} == {"ACCEPTED"}
    assert {row["tracking_id"] for row in rows} == {flow.id for flow in sandbox.accepted}

    report = run("bulk", "report", ledger)
    page = campaign.ledger.with_suffix(".html")
    assert (report.exit_code, report.out) == (0, f"Report written to {page}\n")
    assert page.read_text("utf-8").startswith("<!")
    outputs = [text for result in (first, again, status, exported, report) for text in result]
    assert_no_secret_in(*map(str, outputs), folder=campaign.folder, except_files=[campaign.people])
    assert number(7) not in "".join(map(str, outputs))


def test_invalid_rows_are_listed_and_sent_once_corrected(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Invalid rows go to a file with their lines, the others are sent, and the exit code is 1."""
    campaign.write(20, "12,Short,1111", f"{number(3)},Twice,2222", 'oops,"', flow=SMS)
    result = cli(*campaign.run(), at=sandbox)
    assert result.exit_code == 1, result
    assert sorted(recipients(sandbox)) == everyone(20)
    invalid = list(csv.DictReader(campaign.invalid_rows.read_text("utf-8").splitlines()))
    assert [row["line"] for row in invalid] == ["22", "24"]
    assert "E.164" in invalid[0]["reason"]
    assert f"{campaign.invalid_rows}\n" in result.out
    assert "2 invalid and not sent. Line numbers and reasons are in:" in result.out
    assert number(3) not in result.out

    campaign.write(20, "+306920000000,Corrected,1111", f"{number(3)},Twice,2222", flow=SMS)
    corrected = cli("bulk", "resume", str(campaign.ledger), at=sandbox)
    assert (corrected.exit_code, len(sandbox.accepted)) == (0, 21), corrected
    assert not campaign.invalid_rows.exists()


def test_replaced_rows_are_sent_once_and_counted(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """If rows are replaced by others, each person gets one message, and counts and exit code stay consistent."""
    assert cli(*campaign.write(28).run(), at=sandbox).exit_code == 0
    rows = [f"{number(100 + index)},New,1111" for index in range(29)]
    campaign.people.write_text("\n".join(["phone,name,pin", *rows, ""]), "utf-8")
    moved = cli("bulk", "resume", str(campaign.ledger), at=sandbox)
    status = cli("bulk", "status", str(campaign.ledger))
    assert (moved.exit_code, status.exit_code, len(set(recipients(sandbox)))) == (0, 0, 57), moved
    for output in (moved.out, status.out):
        assert "28 messages in the ledger are no longer in the source." in output
        assert "57 of 29" not in output
    assert "All 57 rows accepted" in moved.out
    counts = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    assert (counts["total"], counts["accepted"], counts["not_sent"], counts["not_in_source"]) == (29, 57, 0, 28)


def test_json_run_prints_started_progress_and_done_events(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """With --json, stdout is one JSON event per line: started, progress, done."""
    campaign.write(30, "12,Short,1111")
    result = cli(*campaign.run("--json"), at=sandbox)
    events = [json.loads(line) for line in result.out.splitlines()]
    started, *between, done = events
    assert started == {
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
    assert (done["exit_code"], done["interrupted"], done["stop_reason"], done["resume"]) == (1, False, None, None)
    assert done["invalid_rows_file"] == str(campaign.invalid_rows)
    assert (result.exit_code, result.err) == (1, "")
    assert_no_secret_in(result.out, folder=campaign.folder, except_files=[campaign.people])

    status = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    names = ("total", "accepted", "invalid", "duplicates", "not_sent", "not_in_source")
    assert {name: status[name] for name in names} == {name: done[name] for name in names}


def test_rejected_row_is_printed_and_can_be_exported(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A rejected row is printed with its line, and the summary has the command to list the reasons."""
    sandbox.script(to=number(4), response=400)
    campaign.write(10)
    result = cli(*campaign.run(), at=sandbox)
    assert result.exit_code == 1
    assert "line 6 +3069****0004 rejected: " in result.out
    command = f"routee-failover bulk export {campaign.ledger} --state REJECTED\n"
    assert command in result.out
    exported = cli(*command.split()[1:])
    assert [row["line"] for row in csv.DictReader(io.StringIO(exported.out))] == ["6"]


def test_unknown_message_is_kept_until_reconcile_finds_it(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """With --unknown keep an unknown message stays unknown, and reconcile finds out that Routee has it."""
    sandbox.script(to=number(4), fault="reset")
    campaign.write(10)
    result = cli(*campaign.run("--unknown", "keep"), at=sandbox)
    assert result.exit_code == 4, result
    assert "1 unknown" in result.out
    assert f"routee-failover bulk export {campaign.ledger} --state UNKNOWN\n" in result.out
    ledger = str(campaign.ledger)
    reconciled = cli("bulk", "reconcile", ledger, "--unknown", "reconcile", "--once", "--ends", at=sandbox)
    assert reconciled.exit_code == 0, reconciled
    assert "Of 1 unknown: 1 accepted, 0 not accepted and ready to send, 0 still unknown." in reconciled.out
    assert "Of 10 accepted: delivered 10, failed 0, unknown 0; Viber " in reconciled.out
    assert sorted(recipients(sandbox)) == everyone(10)
    assert "No unknown messages." in cli("bulk", "reconcile", ledger, at=sandbox).out
    event = json.loads(cli("bulk", "reconcile", ledger, "--json", at=sandbox).out)
    assert (event["event"], event["accepted"], event["exit_code"]) == ("reconciled", 10, 0)


@pytest.mark.parametrize("source_format", ["jsonl", "csv"])
def test_format_and_key_options_select_the_source_and_its_key(
    source_format: str, campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """JSON Lines are sent like CSV; --format overrides the file name, and --key chooses the key column."""
    campaign.write(0, flow=SMS)
    rows: list[dict[str, Any]] = [{"phone": number(1), "name": "A", "order": n} for n in range(3)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if source_format == "csv":
        text = "phone,name,order\n" + "".join(f"{row['phone']},A,{row['order']}\n" for row in rows)
    people = campaign.folder / "people.data"
    people.write_text(text, "utf-8")
    arguments = ["bulk", "run", str(people), "--flow", str(campaign.flow), "--format", source_format, "--key", "order"]
    result = cli(*arguments, "--ledger", str(campaign.ledger), at=sandbox)
    assert result.exit_code == 0, result
    assert recipients(sandbox) == [number(1)] * 3


def test_run_can_be_resumed_from_another_folder(campaign: Campaign, sandbox: Sandbox, tmp_path: Path) -> None:
    """A run that was started in one folder can be resumed from another."""
    campaign.write(5)
    started = run("bulk", "run", "people.csv", "--flow", "flow.json", at=sandbox, cwd=campaign.folder)
    assert started.exit_code == 0
    assert "routee-failover bulk report people.sqlite\n" in started.out
    campaign.write(6)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    resumed = run("bulk", "resume", "../people.sqlite", at=sandbox, cwd=elsewhere)
    assert (resumed.exit_code, len(sandbox.accepted)) == (0, 6), resumed


def test_export_writes_one_format_to_a_file(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """An export goes to the file of -o, in one format; a resumed run has the exit code of the run."""
    assert cli(*campaign.write(3, "12,Short,1").run(), at=sandbox).exit_code == 1
    assert cli("bulk", "resume", str(campaign.ledger), at=sandbox).exit_code == 1
    file = campaign.folder / "all.jsonl"
    result = cli("bulk", "export", str(campaign.ledger), "--json", "--state", "accepted", "-o", str(file))
    assert (result.exit_code, result.out) == (0, "")
    assert [json.loads(line)["line"] for line in file.read_text("utf-8").splitlines()] == [2, 3, 4]
    both = cli("bulk", "export", str(campaign.ledger), "--json", "--csv")
    assert (both.exit_code, both.out) == (2, "")
    assert "cannot be combined" in both.err
