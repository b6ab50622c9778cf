"""An export has a line for each message, in a format that programs and spreadsheets read, with masked numbers."""

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
ENTRY = LedgerEntry(
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
    resolved_by="response",
    channel="Viber",
    delivery_report=DeliveryReport(1, "Succeeded", "Sms", 0.034, "GR"),
)


async def _export_text(ledger: SampleLedger, format: Literal["csv", "jsonl"], **settings: Any) -> str:  # noqa: A002
    stream = io.StringIO(newline="")
    await export(ledger, stream, format=format, **settings)
    return stream.getvalue()


async def _csv_rows(*entries: LedgerEntry) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(await _export_text(SampleLedger(iter(entries)), "csv"), newline=""))]


async def test_csv_row_has_every_column_with_masked_number() -> None:
    """Every column is there; times are in UTC, the number and the key that is the number are masked."""
    (row,) = await _csv_rows(ENTRY)
    assert tuple(row) == COLUMNS
    assert row == {
        "line": "2",
        "key": "+3069****5678",
        "recipient": "+3069****5678",
        "state": "ACCEPTED",
        "attempt": "1",
        "reason": "",
        "tracking_id": "8b6f",
        "resolved_by": "response",
        "claimed_at": "2025-11-20T22:00:00.000Z",
        "ended_at": "2025-11-20T22:00:00.250Z",
        "response_time": "0.25",
        "channel": "Viber",
        "status": "Succeeded",
        "ended_channel": "Sms",
        "price": "0.034",
        "country": "GR",
        "lookup_label": "",
    }


async def test_json_line_has_the_same_keys_and_null_for_unknown_values() -> None:
    """JSON Lines have the same names; unknown values are null, and a row that was never sent was not claimed."""
    blank = attrs.evolve(
        ENTRY, state=EntryState.NEW, attempt=0, ended_at=None, response_time=0.0, delivery_report=None, channel=None
    )
    text = await _export_text(SampleLedger(iter([ENTRY, blank])), "jsonl")
    one, other = map(json.loads, text.splitlines())
    assert tuple(one) == tuple(other) == COLUMNS
    assert (one["price"], one["ended_channel"], one["lookup_label"]) == (0.034, "Sms", None)
    assert (other["claimed_at"], other["ended_at"], other["response_time"], other["price"]) == (None,) * 4


async def test_only_unknown_messages_have_a_lookup_label() -> None:
    """An unknown message has the label that it carries at Routee; no other message has one."""
    unknown = attrs.evolve(ENTRY, number=2, state=EntryState.UNKNOWN, delivery_report=None)
    ledger = SampleLedger(iter([ENTRY, unknown]))
    rows = [json.loads(line) for line in (await _export_text(ledger, "jsonl")).splitlines()]
    assert [row["lookup_label"] for row in rows] == [None, build_label(ledger.run_id, 99)]


@pytest.mark.parametrize("name", ["endpoint", "run"])
async def test_unknown_viber_otp_has_no_lookup_label(name: str) -> None:
    """An unknown Viber OTP has no label, whichever ledger document names the endpoint."""
    unknown = attrs.evolve(ENTRY, state=EntryState.UNKNOWN, delivery_report=None)
    for endpoint, has_label in (("viber-otp", False), ("otp", True), ("transactional", True)):
        ledger = SampleLedger(iter([unknown]))
        async with ledger:
            await ledger.put_document(name, {"endpoint": endpoint})
            (row,) = map(json.loads, (await _export_text(ledger, "jsonl")).splitlines())
        assert (row["lookup_label"] is not None) == has_label


async def test_hostile_texts_stay_text_on_one_line() -> None:
    """Formulas, line ends, control and direction characters are exported as text on one line."""
    hostile = attrs.evolve(
        ENTRY,
        key="=HYPERLINK(1)",
        reason='=cmd|"/c calc"!A1\r\n\x1b[2J\u202e to +306912345678',
        tracking_id="@id\x07",
        delivery_report=DeliveryReport(1, "-Failed", "+Sms", float("nan"), "\u202eRG"),
    )
    (row,) = await _csv_rows(hostile)
    assert row["reason"] == '\'=cmd|"/c calc"!A1 [2J to +3069****5678'
    assert (row["key"], row["tracking_id"], row["status"], row["ended_channel"]) == (
        "'=HYPERLINK(1)",
        "'@id ",
        "'-Failed",
        "'+Sms",
    )
    assert (row["price"], row["country"]) == ("", " RG")
    json_row = json.loads(await _export_text(SampleLedger(iter([hostile])), "jsonl"))
    assert json_row["price"] is None
    assert json_row["key"] == "=HYPERLINK(1)"


@pytest.mark.parametrize("export_format", ["csv", "jsonl"])
async def test_only_the_requested_states_are_exported(export_format: Literal["csv", "jsonl"]) -> None:
    """The requested states are exported, and no other."""
    text = await _export_text(sample_run(2_000), export_format, states={EntryState.REJECTED, EntryState.INVALID})
    assert "REJECTED" in text
    assert "INVALID" in text
    assert "ACCEPTED" not in text


@pytest.mark.parametrize("export_format", ["csv", "jsonl"])
async def test_large_export_uses_constant_memory(export_format: Literal["csv", "jsonl"]) -> None:
    """Each entry is on a line of its own, whatever it contains, and none stays in memory."""

    class Lines:
        count = 0

        def write(self, text: str) -> None:
            self.count += text.count("\n")

    lines = Lines()
    tracemalloc.start()
    try:
        await export(SampleLedger(sample_entries(3_000)), lines, format=export_format)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines.count == 3_000 + (export_format == "csv")
    assert peak < 3 * 2**20
