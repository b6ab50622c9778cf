"""Messages of which nobody knows whether Routee took them: found out, kept, or sent once more on demand."""

from datetime import UTC, datetime, timedelta

from routee_failover import CallbackSigner
from routee_failover.bulk import rows_of
from routee_failover.ledger import EntryState, MemoryLedger
from routee_failover.records import OtpRecord
from routee_failover.webhooks import CallbackEvent
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.faults import ALL_FAULTS, NO_FAULT, End, Fault, fixed_response

from .helpers import KEEP, RESEND, OtpFlows, client, number, row, run, sender

LOST = Fault("taken, and the connection lost", response=fixed_response(b""), end=End.RST)
DROPPED = Fault("read, and the connection lost", accepts=False, response=fixed_response(b""), end=End.RST)
assert LOST not in ALL_FAULTS


def _first(*faults: Fault) -> object:
    left = list(faults)
    return lambda: left.pop(0) if left else NO_FAULT


async def test_what_was_taken_is_found_and_not_sent_again(server: ListingServer) -> None:
    """A message whose answer was lost is found in Routee's list by its label, and is ACCEPTED by search."""
    server.next_fault = _first(NO_FAULT, LOST, NO_FAULT, LOST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(10), concurrency=1)
        proofs = [intent.resolved_by async for intent in ledger.entries({EntryState.ACCEPTED})]
    assert progress.counts.accepted == 10
    assert proofs.count("search") == 2
    assert set(server.accepted.values()) == {1}


async def test_what_was_provably_not_taken_is_sent(server: ListingServer) -> None:
    """A message that a complete search does not find after its time to settle is sent in the same run."""
    server.lag = 0.1
    server.next_fault = _first(NO_FAULT, DROPPED, NO_FAULT, DROPPED)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(10), concurrency=1)
        attempts = [intent.attempt async for intent in ledger.entries()]
    assert progress.counts.accepted == 10
    assert sorted(attempts) == [1] * 8 + [2] * 2
    assert set(server.accepted.values()) == {1}


async def test_keep_leaves_doubts_in_the_list(server: ListingServer) -> None:
    """With KEEP nobody is asked: the run ends at once with what is unknown, and what it was about."""
    server.next_fault = _first(LOST, DROPPED)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(5), concurrency=1, on_unknown=KEEP)
        unknown = [intent async for intent in ledger.entries({EntryState.UNKNOWN})]
    assert (progress.counts.unknown, progress.counts.accepted) == (2, 3)
    assert server.read_call_count == 0
    assert all(intent.reason for intent in unknown)


async def test_a_doubt_that_nothing_can_settle_ends_the_run_as_it_is(server: ListingServer) -> None:
    """Where a search proves nothing, because messages carry no label, the run ends and the row is listed."""
    server.next_fault = _first(NO_FAULT, DROPPED)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(5), concurrency=1, add_labels=False)
    assert progress.counts.unknown == 1
    assert max(server.accepted.values()) == 1


async def test_sent_again_is_only_the_same_content(server: ListingServer) -> None:
    """By the caller's policy a doubt is sent once more with the same text; with another one it stays a doubt."""
    server.next_fault = _first(DROPPED, DROPPED)  # type: ignore[assignment]
    rows = [row(1, 1, "code 1111"), row(2, 2, "code 2222")]
    async with MemoryLedger() as ledger:
        await run(server, ledger, rows, concurrency=1, on_unknown=KEEP, add_labels=False)
        rows = [row(1, 1, "code 1111"), row(2, 2, "code 9999")]
        progress = await run(server, ledger, rows, on_unknown=RESEND, add_labels=False)
    assert server.accepted == {number(1): 1, number(2): 0}
    assert (progress.counts.accepted, progress.counts.unknown) == (1, 1)


async def test_a_callback_to_the_signed_address_is_the_receipt(server: ListingServer) -> None:
    """What comes back at the address that was made for a message proves that it was taken."""
    server.next_fault = _first(LOST)  # type: ignore[assignment]
    signer = CallbackSigner("k" * 40, base_url="https://example.com/routee")
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger, concurrency=1, on_unknown=KEEP, callbacks=signer)
        await made.run(rows_of(OtpFlows(2)))
        (doubt,) = [intent async for intent in ledger.entries({EntryState.UNKNOWN})]
        label = server.messages_by_recipient[doubt.recipient][0].label
        assert label is not None
        intent = signer.verify(signer.url(label).rpartition("/")[2])
        record = OtpRecord.from_dict({"flowId": "f-9", "status": "Succeeded", "messages": []})
        await made.handle_callback(CallbackEvent(record=record, reference=intent, received_at=datetime.now(UTC)))
        settled = await ledger.entry(doubt.key_hash)
    assert settled is not None
    assert (settled.state, settled.resolved_by, settled.tracking_id) == (EntryState.ACCEPTED, "callback", "f-9")


async def test_a_second_run_settles_the_doubts_of_the_first(server: ListingServer) -> None:
    """A run that has nothing to send any more settles what an earlier one left unknown."""
    server.next_fault = _first(NO_FAULT, LOST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(5), concurrency=1, on_unknown=KEEP)
        progress = await run(server, ledger, OtpFlows(5))
    assert progress.counts.accepted == 5
    assert set(server.accepted.values()) == {1}


async def test_a_doubt_past_its_deadline_is_not_sent_late(server: ListingServer) -> None:
    """A message that turns out not to be taken, when it is worth nothing any more, is EXPIRED and not sent."""
    server.next_fault = _first(NO_FAULT, DROPPED)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(
            server,
            ledger,
            OtpFlows(3),
            concurrency=1,
            deadline=timedelta(seconds=2.2),
            reconcile_after=timedelta(seconds=2.3),
        )
    assert progress.counts.expired == 1
    assert set(server.accepted.values()) <= {1, 0}
