"""What a run promises when nobody disturbs it: each key once, every row in one outcome, the rest told."""

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


async def test_every_row_is_sent_once_and_counted(server: ListingServer) -> None:
    """Each row is taken by the server exactly once, and stands in the ledger as accepted, with Routee's id."""
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(50))
        intents = [intent async for intent in ledger.entries()]
    assert server.accepted == {number(place): 1 for place in range(1, 51)}
    assert (progress.phase, progress.counts.accepted, progress.counts.total) == (Phase.DONE, 50, 50)
    assert {intent.tracking_id for intent in intents} == {"f-1"}
    assert {intent.resolved_by for intent in intents} == {"answer"}
    assert all(intent.response_time > 0 for intent in intents)


async def test_a_second_run_over_the_same_ledger_sends_what_is_new(server: ListingServer) -> None:
    """What an earlier run has sent is passed over; rows that were added to the source are sent."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(20))
        progress = await run(server, ledger, OtpFlows(30))
    assert set(server.accepted.values()) == {1}
    assert (progress.skipped, progress.counts.accepted) == (20, 30)


async def test_a_key_that_is_there_twice_is_sent_once_and_told(server: ListingServer) -> None:
    """Of two rows with one key the first is sent, and the second is told with the line of the first."""
    rows = [row(2, 1), row(3, 2), row(4, 1, "Another text")]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, rows)
    assert server.accepted == {number(1): 1, number(2): 1}
    assert progress.duplicates == 1
    (trouble,) = progress.problems
    assert (trouble.line, trouble.outcome) == (4, "duplicate")
    assert "line 2" in trouble.reason
    assert number(1) not in repr(progress)


async def test_rows_with_keys_of_their_own_may_share_a_recipient(server: ListingServer) -> None:
    """The key decides, and not the number: two orders of one person are two messages."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [row(1, 1, key="order-1"), row(2, 1, key="order-2")])
    assert server.accepted == {number(1): 2}


async def test_a_bad_row_is_told_and_the_rest_is_sent(server: ListingServer) -> None:
    """A row of which no flow can be made is INVALID with its reason; it keeps no other from being sent."""

    def unmade(_stamp: object) -> Any:
        raise InvalidFlow("row", [Problem(("flow", 0, "message"), "must not be empty (column text)")])

    refused: list[tuple[int, str, tuple[Problem, ...]]] = []
    rows = [row(2, 1), invalid_row(3), attrs.evolve(row(4, 2), build_flow=unmade), row(5, 3)]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, rows, on_invalid_row=lambda *told: refused.append(told))
        invalid = [intent async for intent in ledger.entries({EntryState.INVALID})]
    assert server.accepted == {number(1): 1, number(3): 1}
    assert (progress.invalid, progress.counts.invalid, progress.counts.accepted) == (2, 2, 2)
    assert [intent.line for intent in invalid] == [3, 4]
    assert "must not be empty" in invalid[1].reason
    assert [line for line, _, _ in refused] == [3, 4]


async def test_a_row_that_was_mended_is_sent_by_the_next_run(server: ListingServer) -> None:
    """INVALID is what the source was like; the next run reads it anew and does not count what is no more."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [row(2, 1), invalid_row(3)])
        progress = await run(server, ledger, [row(2, 1), row(3, 2)])
    assert server.accepted == {number(1): 1, number(2): 1}
    assert (progress.counts.accepted, progress.counts.invalid) == (2, 0)


async def test_a_refusal_ends_a_row_and_no_other(server: ListingServer) -> None:
    """What Routee refuses is REJECTED with its words, and is not sent again, by the next run neither."""
    fates = iter([ERROR_STATUSES[400], ERROR_STATUSES[422]])
    server.next_fault = lambda: next(fates, NO_FAULT)
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(10), concurrency=1)
        server.next_fault = lambda: NO_FAULT
        progress = await run(server, ledger, OtpFlows(10))
        rejected = [intent async for intent in ledger.entries({EntryState.REJECTED})]
    assert (progress.counts.rejected, progress.counts.accepted) == (2, 8)
    assert sum(server.request_counts.values()) == 10
    assert all(intent.reason and PIN not in intent.reason and TEXT not in intent.reason for intent in rejected)


@pytest.mark.parametrize("endpoint", [*Endpoint])
async def test_messages_of_every_endpoint_are_sent(server: ListingServer, endpoint: Endpoint) -> None:
    """All four kinds of flow go through a ledger."""
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, [FLOW_FACTORIES[endpoint](number(place)) for place in range(1, 6)])
    assert progress.counts.accepted == 5
    assert sum(server.accepted.values()) == 5


async def test_one_run_goes_to_one_endpoint(server: ListingServer) -> None:
    """A message of another endpoint is INVALID: what can be proven of it differs."""
    flows = [FLOW_FACTORIES[Endpoint.OTP](number(1)), FLOW_FACTORIES[Endpoint.STANDARD](number(2))]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, flows)
    assert (progress.counts.accepted, progress.counts.invalid) == (1, 1)
    assert "another endpoint" in progress.problems[0].reason


async def test_messages_carry_a_label_of_their_own(server: ListingServer) -> None:
    """Each message is marked with a label that begins with the run's id, so that it can be found again."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(5))
        labels = {entry.label for entries in server.messages_by_recipient.values() for entry in entries}
        assert len(labels) == 5
        assert all(label is not None and label.startswith(f"{ledger.run_id}-") for label in labels)


async def test_without_stamps_a_message_leaves_as_it_is(server: ListingServer) -> None:
    """`add_labels=False` leaves labels alone."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(2), add_labels=False)
    assert {entry.label for entries in server.messages_by_recipient.values() for entry in entries} == {None}


async def test_an_account_that_cannot_pay_rejects_nobody(server: ListingServer, monkeypatch: Any) -> None:
    """Insufficient balance holds the run; once there is balance, everybody is written to."""
    monkeypatch.setattr("routee_failover.bulk.sender._ACCOUNT_PROBE_INTERVAL", 0.05)
    poor = [True]
    server.next_fault = lambda: FAILED_FLOW if poor[0] else NO_FAULT
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger)

        running = asyncio.create_task(made.run(rows_of(OtpFlows(30))))
        await until(lambda: made.progress.phase is Phase.PAUSED)
        assert "balance" in str(made.progress.pause_reason)
        poor[0] = False
        progress = await running
    assert (progress.counts.accepted, progress.counts.rejected) == (30, 0)
    assert set(server.accepted.values()) <= {1, 0}


def test_settings_that_cannot_work_are_refused() -> None:
    """Each setting is checked when it is given, in words that name it."""
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
async def test_a_key_of_another_recipient_is_no_duplicate(server: ListingServer, concurrency: int) -> None:
    """Rows that share a key and a recipient are sent once; another recipient under that key is told as a problem."""
    rows = [row(1, 1, key="k"), row(2, 1, key="k"), row(3, 2, key="k"), row(4, 3, key="other"), row(5, 2, key="k")]
    told: list[tuple[int, str]] = []

    def refused(line: int, _recipient: str, problems: tuple[Problem, ...]) -> None:
        told.append((line, str(problems[0])))

    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, rows, concurrency=concurrency, on_invalid_row=refused)
        assert (progress.counts.accepted, progress.counts.invalid) == (2, 2)
        assert (progress.duplicates, progress.key_conflicts, progress.invalid) == (1, 2, 2)
        assert sorted(line for line, _ in told) == [3, 5]
        assert {why for _, why in told} == {
            "has the key of line 1, which is for another recipient: one message per key is sent, and this one is not"
        }
        again = await run(server, ledger, rows, concurrency=concurrency)
        assert (again.counts.accepted, again.counts.invalid, again.key_conflicts) == (2, 2, 2)
    assert set(server.accepted.values()) == {1}
    assert len(server.accepted) == 2


async def test_a_recipient_that_was_changed_after_its_message_was_accepted(server: ListingServer) -> None:
    """A key whose message went to another number in an earlier run is not passed over in silence."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [row(1, 1, key="k")])
        progress = await run(server, ledger, [row(1, 2, key="k")])
        assert (progress.counts.accepted, progress.counts.invalid, progress.key_conflicts) == (1, 1, 1)
        assert "a message of an earlier run" in progress.problems[0].reason
        back = await run(server, ledger, [row(1, 1, key="k")])
        assert (back.counts.accepted, back.counts.invalid, back.key_conflicts) == (1, 0, 0)
