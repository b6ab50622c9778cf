"""Suppression lists: supported files, refused files, and proof that no listed recipient is ever written to."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from routee_failover import AnyFlow, InvalidConfig, InvalidSource, SmsStep, StandardFlow, VoiceStep
from routee_failover.bulk import BulkSettings, DryRunResult, FlowTemplate, SuppressionList, check_rows, rows_of
from routee_failover.flows import DialPlan, Say, Speech, VoiceRecipient
from routee_failover.ledger import EntryState, MemoryLedger
from tests.chaos.bulk.listing_server import ListingServer

from .helpers import KEEP, RESEND, OtpFlows, client, invalid_row, number, row, run, sender
from .test_reconcile_scheduler import LOST_REQUEST, LOST_RESPONSE, faults_in_order

ONE, TWO = "+306987654321", "+306987654322"


def _read(folder: Path, text: str | bytes, name: str = "optout.csv", **arguments: Any) -> SuppressionList:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return SuppressionList.read(path, **arguments)


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}\n{TWO}\n",
        f"{ONE}\r\n{TWO}\r\n",
        f"\n  \n# asked on 3 May\n{ONE}\n\n{TWO}\n{ONE}",
        f"\ufeff{ONE}\n{TWO}",
        f'"{ONE}"\n"{TWO}"\n',
        f"+30 698 765 4321\n{TWO}\n,,\n",
        f"phone\n{ONE}\n{TWO}\n",
        f"Unsubscribed\n{ONE}\n{TWO}\n",
        f"sep=;\nName;Phone Number;Address 2\nAda;{ONE};x\nBob;{TWO};\n;;\n",
        f'name,PHONE,when\n# a remark\nAda,{ONE},2026-01-01\n\n"Bob, Jr",{TWO},\n',
        f"name\tmobile\nAda\t{ONE}\nBob\t{TWO}\n",
    ],
)
def test_text_files_with_comments_blank_lines_and_repeats_are_read(tmp_path: Path, text: str) -> None:
    """One number a line or a column of them, with comments, blank lines and repeats: each number is listed once."""
    suppressed = _read(tmp_path, text)
    assert ONE in suppressed
    assert TWO in suppressed
    assert len(suppressed) == 2
    assert "+306987654320" not in suppressed
    assert repr(suppressed) == "SuppressionList(2 numbers)"


def test_json_lines_and_parquet_files_are_read(tmp_path: Path) -> None:
    """JSON Lines and Parquet have a column of numbers as CSV does."""
    lines = "\n".join(json.dumps({"name": "x", "phone": to}) for to in (ONE, TWO))
    assert len(_read(tmp_path, lines, "optout.jsonl")) == 2
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"msisdn": [ONE, TWO], "name": ["x", "y"]}), tmp_path / "optout.parquet")
    assert TWO in SuppressionList.read(tmp_path / "optout.parquet")


def test_several_notations_of_a_number_are_one_entry(tmp_path: Path) -> None:
    """Numbers are compared in E.164: blanks, the international prefix and a missing country code do not matter."""
    suppressed = _read(tmp_path, "6987654321\n0030 698 765 4321\n(+30) 698-7654321\n", region="GR")
    assert (len(suppressed), ONE in suppressed, "306987654321" in suppressed, None in suppressed) == (
        1,
        True,
        True,
        False,
    )


def test_column_of_the_recipients_takes_precedence(tmp_path: Path) -> None:
    """If a file has several columns of numbers, the one with the name of the recipients' column is used."""
    suppressed = _read(tmp_path, f"phone,handy\n{ONE},{TWO}\n", columns=("Handy",))
    assert (ONE in suppressed, TWO in suppressed) == (False, True)


def test_several_files_are_merged(tmp_path: Path) -> None:
    """Each file adds its numbers, also if all of them are listed already."""
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text(f"{ONE}\n")
    second.write_text(f"{ONE}\n{TWO}\n")
    assert len(SuppressionList.read(first, second)) == len(SuppressionList.read(second, first)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ONE}\nAda\n", "line 2: "),
        (f"{ONE}\n+3069****4321\n", "line 2: "),
        (f"{ONE}\n6987654321\n", "line 2: "),
        ("12345\n", "line 1: "),
        ("+306987\n", "line 1: "),
        (f"{ONE}\n+30698765\n", "line 2: "),
        (f"{ONE};{TWO}\n", "line 1: has several values"),
        (f"{ONE},Ada\n", "line 1: has several values, and line 1 does not name the columns"),
        (f"phone,name\n{ONE},Ada\n,Bob\n", "line 3: "),
        (f"phone,name\n{ONE},Ada,x\n", "line 2: has 3 values where line 1 names 2 columns"),
        (f'phone\n{ONE}\n"{TWO}\n', "line 3: has a quote"),
        (f'phone,name\n{ONE},"Ada\n{TWO},Bob"\n', "line 2: has a quote"),
        (f"{ONE}\n".encode() + b"\xff\xfe1\n", "line 2: is not UTF-8"),
        (f"{ONE}\n" + "1" * 2_000_000 + "\n", "line 2: is longer than"),
        ("\n".join([ONE, *["Ada"] * 9]), "; 6 more"),
        ("name,address\nAda,x\n", "has the columns name, address, and which has the numbers is not clear"),
        (f"phone,mobile\n{ONE},{TWO}\n", "has the columns phone, mobile"),
        ("", "holds no number"),
        ("\n# nobody yet\n\n", "holds no number"),
        ("phone\n", "holds no number"),
        (f"{ONE}\n".encode("utf-16"), "is not UTF-8 text"),
        (b"PK\x03\x04\0\0", "it is not text"),
    ],
)
def test_list_with_an_invalid_line_or_no_number_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    """The error gives line and reason, and quotes nothing."""
    with pytest.raises(InvalidSource) as refused:
        _read(tmp_path, text)
    assert message in str(refused.value)
    assert "nothing was sent" in str(refused.value)
    assert "optout.csv" in str(refused.value)
    assert "Ada" not in str(refused.value)
    assert "4321" not in str(refused.value)


def test_missing_files_folders_and_devices_are_refused(tmp_path: Path) -> None:
    """A missing file, a folder and a device are no list; nor is a table with a row that has no number."""
    for path in (tmp_path / "none.txt", tmp_path, Path("/dev/null"), tmp_path / "none.jsonl"):
        with pytest.raises(InvalidSource, match=r"suppression list .*nothing was sent"):
            SuppressionList.read(path)
    with pytest.raises(InvalidSource, match="line 2: "):
        _read(tmp_path, f'{{"phone": "{ONE}"}}\n{{"name": "Ada"}}\n', "optout.jsonl")
    with pytest.raises(InvalidSource, match="number 2: "):
        SuppressionList([ONE, "Ada"])
    with pytest.raises(InvalidSource, match="region"):
        SuppressionList(region="XX")


@pytest.mark.parametrize("value", ["optout.csv", [ONE], {ONE}, frozenset({ONE}), (ONE,), {ONE: 1}, 5])
def test_file_name_or_plain_collection_is_no_suppression_list(value: Any) -> None:
    """A file name or a plain collection is refused, because its numbers may be in another notation."""
    with pytest.raises(InvalidConfig, match="suppression_list must be a SuppressionList"):
        BulkSettings(suppression_list=value)


def _listed(*indexes: int) -> SuppressionList:
    return SuppressionList(number(index) for index in indexes)


async def test_listed_recipients_are_never_written_to(server: ListingServer) -> None:
    """Rows with a listed number are counted separately, have no ledger entry, and never reach the server."""
    rows = [row(index, index) for index in range(1, 41)] + [row(41, 5, key="again"), invalid_row(42)]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, rows, suppression_list=_listed(5, 7))
        counts = await ledger.counts()
    assert sorted(server.accepted) == sorted(number(index) for index in range(1, 41) if index not in {5, 7})
    assert (progress.suppressed, progress.suppressed_new, progress.invalid) == (3, 0, 1)
    assert (counts.accepted, counts.total) == (38, 39)


def _sms(to: str) -> SmsStep:
    return SmsStep(from_="Demo", to=to, message="Hello")


def _call(to: VoiceRecipient) -> VoiceStep:
    verb = Say(message=Speech(text="Hello", language="en-US"))
    return VoiceStep(from_="Demo", to=to, dial_plan=DialPlan(verbs=[verb]))


async def test_listed_number_in_any_step_suppresses_the_flow(server: ListingServer) -> None:
    """A flow with a listed number in any of its steps, calls included, is not sent at all."""
    first = _sms(number(1))
    recipients: list[str | VoiceRecipient] = [
        number(2),
        number(3),
        VoiceRecipient(phone=number(4)),
        VoiceRecipient(viber=number(4), phone=number(5)),
    ]
    recipients += [VoiceRecipient(sip=f"{number(4)}@host"), VoiceRecipient(sip="1111@host")]
    flows: list[AnyFlow] = [
        StandardFlow(steps=[first, _call(to) if isinstance(to, VoiceRecipient) else _sms(to)]) for to in recipients
    ]
    async with MemoryLedger() as ledger:
        rows = [*rows_of(flows, key=lambda flow: str(flows.index(flow)))]
        progress = await run(server, ledger, rows, suppression_list=_listed(3, 4))
    assert (progress.suppressed, progress.counts.accepted) == (4, 2)


async def test_unsent_message_is_suppressed_once_its_number_is_listed(server: ListingServer) -> None:
    """A message that is NEW, or proven absent, is not sent any more, and counts as suppressed."""
    server.next_fault = faults_in_order(LOST_RESPONSE, LOST_REQUEST, LOST_REQUEST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        before = await run(server, ledger, OtpFlows(6), concurrency=1, on_unknown=KEEP)
        assert before.counts.unknown == 3
        server.accepted.clear()
        progress = await run(server, ledger, OtpFlows(8), suppression_list=_listed(1, 2, 4, 7))
        new = [entry.recipient async for entry in ledger.entries({EntryState.NEW})]
    assert server.accepted == {number(3): 1, number(8): 1}
    assert new == [number(2)]
    assert (progress.suppressed, progress.suppressed_new) == (2, 1)
    assert (progress.counts.accepted, progress.counts.new, progress.counts.unknown) == (6, 1, 0)


async def test_listed_number_is_not_resent_and_stays_unknown(server: ListingServer) -> None:
    """A message that may have been accepted and was to be resent stays UNKNOWN: it is not reported as unsent."""
    server.next_fault = faults_in_order(LOST_REQUEST, LOST_REQUEST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(2), concurrency=1, on_unknown=KEEP, add_labels=False)
        progress = await run(
            server, ledger, OtpFlows(2), on_unknown=RESEND, add_labels=False, suppression_list=_listed(1)
        )
    assert {to for to, count in server.accepted.items() if count} == {number(2)}
    assert (progress.counts.unknown, progress.counts.accepted, progress.suppressed) == (1, 1, 0)
    assert any("suppression list" in problem.reason for problem in progress.problems)


async def test_custom_list_is_checked_again_before_each_claim(server: ListingServer) -> None:
    """An object with `__contains__` may change while the run is paused: it is asked before each new claim."""

    class GrowingList:
        def __init__(self) -> None:
            self.numbers: set[str] = set()

        def __contains__(self, to: object) -> bool:
            return to in self.numbers

    listed = GrowingList()
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger, suppression_list=listed, lease=timedelta(milliseconds=50), concurrency=4)
        bulk_sender.pause()
        task = asyncio.ensure_future(bulk_sender.run(rows_of(OtpFlows(4))))
        while (await ledger.counts()).sending < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        listed.numbers = {number(2), number(3)}
        await asyncio.sleep(0.1)
        bulk_sender.resume()
        progress = await asyncio.wait_for(task, 20)
    assert server.accepted == {number(1): 1, number(4): 1}
    assert (progress.suppressed, progress.suppressed_new) == (2, 2)


async def test_dry_run_counts_suppressed_rows(tmp_path: Path) -> None:
    """The dry run counts the rows on the list, and neither checks nor previews them."""
    template = FlowTemplate.from_mapping(
        {"endpoint": "standard", "flow": [{"type": "Sms", "from": "Demo", "to": "{phone}", "message": {"body": "x"}}]}
    )
    assert template.recipient_columns == ("phone",)
    rows = template.rows([{"phone": number(index)} for index in (1, 2, 3)])
    result: DryRunResult = await check_rows(rows, _listed(1))
    assert (result.rows, result.valid, result.invalid, result.suppressed) == (3, 2, 0, 1)
    assert (await check_rows(rows)).suppressed == 0
