"""Runs without interruptions: each key is sent once, every row has one outcome, and problems are reported."""

import asyncio
from typing import Any

import attrs
import pytest

from routee_failover import Endpoint, InvalidConfig, InvalidFlow, Problem
from routee_failover.bulk import BulkSettings, Phase, rows_of
from routee_failover.ledger import EntryState, MemoryLedger
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.faults import ERROR_STATUSES, FAILED_FLOW, NO_FAULT
from tests.chaos.sample_flows import FLOW_FACTORIES, PIN, TEXT
from tests.client.fake_routee import until

from .helpers import OtpFlows, client, invalid_row, number, row, run, sender


async def test_every_row_is_sent_once_and_recorded_as_accepted(server: ListingServer) -> None:
    """Each row is accepted by the server exactly once, and is ACCEPTED in the ledger, with Routee's id."""
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(50))
        entries = [entry async for entry in ledger.entries()]
    assert server.accepted == {number(index): 1 for index in range(1, 51)}
    assert (progress.phase, progress.counts.accepted, progress.counts.total) == (Phase.DONE, 50, 50)
    assert {entry.tracking_id for entry in entries} == {"f-1"}
    assert {entry.resolved_by for entry in entries} == {"response"}
    assert all(entry.response_time > 0 for entry in entries)


async def test_second_run_sends_only_new_rows(server: ListingServer) -> None:
    """Messages that an earlier run has sent are skipped; rows that were added to the source are sent."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(20))
        progress = await run(server, ledger, OtpFlows(30))
    assert set(server.accepted.values()) == {1}
    assert (progress.skipped, progress.counts.accepted) == (20, 30)


async def test_duplicate_key_is_sent_once_and_reported(server: ListingServer) -> None:
    """Of two rows with one key the first is sent, and the second is reported with the line of the first."""
    rows = [row(2, 1), row(3, 2), row(4, 1, "Another text")]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, rows)
    assert server.accepted == {number(1): 1, number(2): 1}
    assert progress.duplicates == 1
    (problem,) = progress.problems
    assert (problem.line, problem.outcome) == (4, "duplicate")
    assert "line 2" in problem.reason
    assert number(1) not in repr(progress)


async def test_rows_with_different_keys_may_share_a_recipient(server: ListingServer) -> None:
    """The key decides, not the number: two orders of one person are two messages."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [row(1, 1, key="order-1"), row(2, 1, key="order-2")])
    assert server.accepted == {number(1): 2}


async def test_invalid_rows_are_reported_and_the_rest_is_sent(server: ListingServer) -> None:
    """A row without a valid flow is INVALID with its reason; it prevents no other row from being sent."""

    def build_invalid(_correlation: object) -> Any:
        raise InvalidFlow("row", [Problem(("flow", 0, "message"), "must not be empty (column text)")])

    reported: list[tuple[int, str, tuple[Problem, ...]]] = []
    rows = [row(2, 1), invalid_row(3), attrs.evolve(row(4, 2), build_flow=build_invalid), row(5, 3)]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, rows, on_invalid_row=lambda *arguments: reported.append(arguments))
        invalid = [entry async for entry in ledger.entries({EntryState.INVALID})]
    assert server.accepted == {number(1): 1, number(3): 1}
    assert (progress.invalid, progress.counts.invalid, progress.counts.accepted) == (2, 2, 2)
    assert [entry.line for entry in invalid] == [3, 4]
    assert "must not be empty" in invalid[1].reason
    assert [line for line, _, _ in reported] == [3, 4]


async def test_corrected_row_is_sent_by_the_next_run(server: ListingServer) -> None:
    """INVALID describes the source; the next run reads it again and discards earlier invalid entries."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [row(2, 1), invalid_row(3)])
        progress = await run(server, ledger, [row(2, 1), row(3, 2)])
    assert server.accepted == {number(1): 1, number(2): 1}
    assert (progress.counts.accepted, progress.counts.invalid) == (2, 0)


async def test_rejected_messages_are_never_resent(server: ListingServer) -> None:
    """What Routee rejects is REJECTED with its reason, and is not sent again, also not by the next run."""
    faults = iter([ERROR_STATUSES[400], ERROR_STATUSES[422]])
    server.next_fault = lambda: next(faults, NO_FAULT)
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(10), concurrency=1)
        server.next_fault = lambda: NO_FAULT
        progress = await run(server, ledger, OtpFlows(10))
        rejected = [entry async for entry in ledger.entries({EntryState.REJECTED})]
    assert (progress.counts.rejected, progress.counts.accepted) == (2, 8)
    assert sum(server.request_counts.values()) == 10
    assert all(entry.reason and PIN not in entry.reason and TEXT not in entry.reason for entry in rejected)


@pytest.mark.parametrize("endpoint", [*Endpoint])
async def test_messages_of_each_endpoint_are_sent(server: ListingServer, endpoint: Endpoint) -> None:
    """All four kinds of flow can be sent through a ledger."""
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, [FLOW_FACTORIES[endpoint](number(index)) for index in range(1, 6)])
    assert progress.counts.accepted == 5
    assert sum(server.accepted.values()) == 5


async def test_message_of_another_endpoint_is_invalid(server: ListingServer) -> None:
    """A message of another endpoint is INVALID: what can be proven about it differs."""
    flows = [FLOW_FACTORIES[Endpoint.OTP](number(1)), FLOW_FACTORIES[Endpoint.STANDARD](number(2))]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, flows)
    assert (progress.counts.accepted, progress.counts.invalid) == (1, 1)
    assert "another endpoint" in progress.problems[0].reason


async def test_each_message_carries_a_unique_label_of_the_run(server: ListingServer) -> None:
    """Each message carries a label that begins with the run's id, so that it can be found again."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(5))
        labels = {entry.label for entries in server.messages_by_recipient.values() for entry in entries}
        assert len(labels) == 5
        assert all(label is not None and label.startswith(f"{ledger.run_id}-") for label in labels)


async def test_messages_have_no_label_without_add_labels(server: ListingServer) -> None:
    """`add_labels=False` adds no labels."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(2), add_labels=False)
    assert {entry.label for entries in server.messages_by_recipient.values() for entry in entries} == {None}


async def test_insufficient_balance_pauses_the_run_and_rejects_no_message(
    server: ListingServer, monkeypatch: Any
) -> None:
    """Insufficient balance pauses the run; once there is balance, all messages are sent."""
    monkeypatch.setattr("routee_failover.bulk.sender._ACCOUNT_PROBE_INTERVAL", 0.05)
    has_no_balance = [True]
    server.next_fault = lambda: FAILED_FLOW if has_no_balance[0] else NO_FAULT
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger)

        task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(30))))
        await until(lambda: bulk_sender.progress.phase is Phase.PAUSED)
        assert "balance" in str(bulk_sender.progress.pause_reason)
        has_no_balance[0] = False
        progress = await task
    assert (progress.counts.accepted, progress.counts.rejected) == (30, 0)
    assert set(server.accepted.values()) <= {1, 0}


def test_invalid_setting_is_refused_by_name() -> None:
    """Each setting is validated when it is given, and the error names it."""
    for name, value in {
        "rate": 0,
        "concurrency": 0,
        "send_window": "9-20",
        "error_budget": 3,
        "stall_timeout": 5,
        "add_labels": 1,
    }.items():
        with pytest.raises(InvalidConfig, match=name):
            BulkSettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_key_of_another_recipient_is_invalid_and_no_duplicate(server: ListingServer, concurrency: int) -> None:
    """Rows that share a key and a recipient are sent once; another recipient with that key is reported as a problem."""
    rows = [row(1, 1, key="k"), row(2, 1, key="k"), row(3, 2, key="k"), row(4, 3, key="other"), row(5, 2, key="k")]
    reported: list[tuple[int, str]] = []

    def on_invalid_row(line: int, _recipient: str, problems: tuple[Problem, ...]) -> None:
        reported.append((line, str(problems[0])))

    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, rows, concurrency=concurrency, on_invalid_row=on_invalid_row)
        assert (progress.counts.accepted, progress.counts.invalid) == (2, 2)
        assert (progress.duplicates, progress.key_conflicts, progress.invalid) == (1, 2, 2)
        assert sorted(line for line, _ in reported) == [3, 5]
        assert {reason for _, reason in reported} == {
            "has the key of line 1, which is for another recipient: one message per key is sent, and this one is not"
        }
        repeated = await run(server, ledger, rows, concurrency=concurrency)
        assert (repeated.counts.accepted, repeated.counts.invalid, repeated.key_conflicts) == (2, 2, 2)
    assert set(server.accepted.values()) == {1}
    assert len(server.accepted) == 2


async def test_recipient_changed_after_acceptance_is_reported_as_key_conflict(server: ListingServer) -> None:
    """A key whose message went to another number in an earlier run is not silently skipped."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [row(1, 1, key="k")])
        progress = await run(server, ledger, [row(1, 2, key="k")])
        assert (progress.counts.accepted, progress.counts.invalid, progress.key_conflicts) == (1, 1, 1)
        assert "a message of an earlier run" in progress.problems[0].reason
        reverted = await run(server, ledger, [row(1, 1, key="k")])
        assert (reverted.counts.accepted, reverted.counts.invalid, reverted.key_conflicts) == (1, 0, 0)
