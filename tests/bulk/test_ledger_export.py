"""An export has a line for each message, in a form that programs and spreadsheets read, and gives nobody's number."""

import csv
import io
import json
import tracemalloc
from typing import Any, Literal

import attrs
import pytest

from routee_failover.bulk.ledger_export import COLUMNS, export
from routee_failover.ledger import DeliveryReport, EntryState, LedgerEntry
from routee_failover.ledger.entry import build_label

from .report.sample_runs import STARTED_AT, SampleLedger, sample_entries, sample_run

NUMBER = "+306912345678"
ONE = LedgerEntry(
    number=1,
    key_hash=99,
    key=NUMBER,
    recipient=NUMBER,
    line=2,
    state=EntryState.ACCEPTED,
    attempt=1,
    claimed_at=STARTED_AT,
    lease_expires_at=STARTED_AT + 60,
    ended_at=STARTED_AT + 0.25,
    response_time=0.25,
    tracking_id="8b6f",
    resolved_by="answer",
    channel="Viber",
    delivery_report=DeliveryReport(1, "Succeeded", "Sms", 0.034, "GR"),
)


async def _written(ledger: SampleLedger, format: Literal["csv", "jsonl"], **settings: Any) -> str:  # noqa: A002
    stream = io.StringIO(newline="")
    await export(ledger, stream, format=format, **settings)
    return stream.getvalue()


async def _rows(*given: LedgerEntry) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(await _written(SampleLedger(iter(given)), "csv"), newline=""))]


async def test_a_row_of_csv() -> None:
    """Every column is there; times are in UTC, the number and the key that is the number are masked."""
    (row,) = await _rows(ONE)
    assert tuple(row) == COLUMNS
    assert row == {
        "line": "2",
        "key": "+3069****5678",
        "recipient": "+3069****5678",
        "state": "ACCEPTED",
        "attempt": "1",
        "reason": "",
        "id": "8b6f",
        "proof": "answer",
        "begun_at": "2025-11-20T22:00:00.000Z",
        "ended_at": "2025-11-20T22:00:00.250Z",
        "seconds": "0.25",
        "channel": "Viber",
        "status": "Succeeded",
        "ended_channel": "Sms",
        "price": "0.034",
        "country": "GR",
        "look_up": "",
    }


async def test_a_row_of_json() -> None:
    """JSON lines have the same names; what is not known is null, and a row that was never sent has no begin."""
    blank = attrs.evolve(
        ONE, state=EntryState.NEW, attempt=0, ended_at=None, response_time=0.0, delivery_report=None, channel=None
    )
    text = await _written(SampleLedger(iter([ONE, blank])), "jsonl")
    one, other = map(json.loads, text.splitlines())
    assert tuple(one) == tuple(other) == COLUMNS
    assert (one["price"], one["ended_channel"], one["look_up"]) == (0.034, "Sms", None)
    assert (other["begun_at"], other["ended_at"], other["seconds"], other["price"]) == (None,) * 4


async def test_how_one_in_doubt_is_found() -> None:
    """A message in doubt has the label that it carries at Routee; no other has."""
    doubt = attrs.evolve(ONE, number=2, state=EntryState.UNKNOWN, delivery_report=None)
    ledger = SampleLedger(iter([ONE, doubt]))
    rows = [json.loads(line) for line in (await _written(ledger, "jsonl")).splitlines()]
    assert [row["look_up"] for row in rows] == [None, build_label(ledger.run_id, 99)]


@pytest.mark.parametrize("name", ["endpoint", "run"])
async def test_what_carries_no_label(name: str) -> None:
    """A Viber OTP in doubt has nothing to be looked up by, wherever the ledger says that it is one."""
    doubt = attrs.evolve(ONE, state=EntryState.UNKNOWN, delivery_report=None)
    for endpoint, has_label in (("viber-otp", False), ("otp", True), ("transactional", True)):
        ledger = SampleLedger(iter([doubt]))
        async with ledger:
            await ledger.put_document(name, {"endpoint": endpoint})
            (row,) = map(json.loads, (await _written(ledger, "jsonl")).splitlines())
        assert (row["look_up"] is not None) == has_label


async def test_hostile_texts() -> None:
    """Formulas, line ends, control codes and turned directions stay what they are worth: text on its line."""
    evil = attrs.evolve(
        ONE,
        key="=HYPERLINK(1)",
        reason='=cmd|"/c calc"!A1\r\n\x1b[2J\u202e to +306912345678',
        tracking_id="@id\x07",
        delivery_report=DeliveryReport(1, "-Failed", "+Sms", float("nan"), "\u202eRG"),
    )
    (row,) = await _rows(evil)
    assert row["reason"] == '\'=cmd|"/c calc"!A1 [2J to +3069****5678'
    assert (row["key"], row["id"], row["status"], row["ended_channel"]) == (
        "'=HYPERLINK(1)",
        "'@id ",
        "'-Failed",
        "'+Sms",
    )
    assert (row["price"], row["country"]) == ("", " RG")
    told = json.loads(await _written(SampleLedger(iter([evil])), "jsonl"))
    assert told["price"] is None
    assert told["key"] == "=HYPERLINK(1)"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_only_some_states(form: Literal["csv", "jsonl"]) -> None:
    """The states that are asked for are exported, and no other."""
    text = await _written(sample_run(2_000), form, states={EntryState.REJECTED, EntryState.INVALID})
    assert "REJECTED" in text
    assert "INVALID" in text
    assert "ACCEPTED" not in text


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_all_of_them_in_constant_memory(form: Literal["csv", "jsonl"]) -> None:
    """Each row is on a line of its own, whatever it holds, and none stays in memory."""

    class Lines:
        count = 0

        def write(self, text: str) -> None:
            self.count += text.count("\n")

    lines = Lines()
    tracemalloc.start()
    try:
        await export(SampleLedger(sample_entries(3_000)), lines, format=form)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines.count == 3_000 + (form == "csv")
    assert peak < 3 * 2**20
