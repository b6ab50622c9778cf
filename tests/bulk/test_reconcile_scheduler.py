"""Messages of unknown outcome in a run: reconciled, kept, or resent once on request."""

from datetime import UTC, datetime, timedelta

from routee_failover import CallbackSigner
from routee_failover.bulk import rows_of
from routee_failover.ledger import EntryState, MemoryLedger
from routee_failover.records import OtpRecord
from routee_failover.webhooks import CallbackEvent
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.faults import ALL_FAULTS, NO_FAULT, End, Fault, fixed_response

from .helpers import KEEP, RESEND, OtpFlows, client, number, row, run, sender

LOST_RESPONSE = Fault("accepted, and the connection lost", response=fixed_response(b""), end=End.RST)
LOST_REQUEST = Fault("read, and the connection lost", accepts=False, response=fixed_response(b""), end=End.RST)
assert LOST_RESPONSE not in ALL_FAULTS


def faults_in_order(*faults: Fault) -> object:
    """Return a `next_fault` with these faults in turn, and none after them."""
    remaining = list(faults)
    return lambda: remaining.pop(0) if remaining else NO_FAULT


async def test_accepted_message_without_response_is_found_and_not_resent(server: ListingServer) -> None:
    """A message whose response was lost is found in Routee's list by its label, and is ACCEPTED by search."""
    server.next_fault = faults_in_order(NO_FAULT, LOST_RESPONSE, NO_FAULT, LOST_RESPONSE)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(10), concurrency=1)
        resolutions = [entry.resolved_by async for entry in ledger.entries({EntryState.ACCEPTED})]
    assert progress.counts.accepted == 10
    assert resolutions.count("search") == 2
    assert set(server.accepted.values()) == {1}


async def test_absent_message_is_sent_in_the_same_run(server: ListingServer) -> None:
    """A message that a complete search does not find after `reconcile_after` is sent in the same run."""
    server.lag = 0.1
    server.next_fault = faults_in_order(NO_FAULT, LOST_REQUEST, NO_FAULT, LOST_REQUEST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(10), concurrency=1)
        attempts = [entry.attempt async for entry in ledger.entries()]
    assert progress.counts.accepted == 10
    assert sorted(attempts) == [1] * 8 + [2] * 2
    assert set(server.accepted.values()) == {1}


async def test_keep_policy_leaves_messages_unknown_without_any_search(server: ListingServer) -> None:
    """With KEEP no search is made: the run ends at once with the unknown messages, each with a reason."""
    server.next_fault = faults_in_order(LOST_RESPONSE, LOST_REQUEST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(5), concurrency=1, on_unknown=KEEP)
        unknown = [entry async for entry in ledger.entries({EntryState.UNKNOWN})]
    assert (progress.counts.unknown, progress.counts.accepted) == (2, 3)
    assert server.read_call_count == 0
    assert all(entry.reason for entry in unknown)


async def test_unresolvable_message_stays_unknown_when_the_run_ends(server: ListingServer) -> None:
    """If a search proves nothing, because messages carry no label, the run ends and counts the message as unknown."""
    server.next_fault = faults_in_order(NO_FAULT, LOST_REQUEST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(5), concurrency=1, add_labels=False)
    assert progress.counts.unknown == 1
    assert max(server.accepted.values()) == 1


async def test_only_unchanged_content_is_resent(server: ListingServer) -> None:
    """By policy an unknown message is resent with the same text; with another text it stays unknown."""
    server.next_fault = faults_in_order(LOST_REQUEST, LOST_REQUEST)  # type: ignore[assignment]
    rows = [row(1, 1, "code 1111"), row(2, 2, "code 2222")]
    async with MemoryLedger() as ledger:
        await run(server, ledger, rows, concurrency=1, on_unknown=KEEP, add_labels=False)
        rows = [row(1, 1, "code 1111"), row(2, 2, "code 9999")]
        progress = await run(server, ledger, rows, on_unknown=RESEND, add_labels=False)
    assert server.accepted == {number(1): 1, number(2): 0}
    assert (progress.counts.accepted, progress.counts.unknown) == (1, 1)


async def test_callback_to_the_signed_url_proves_acceptance(server: ListingServer) -> None:
    """A callback to the URL that was signed for a message proves that it was accepted."""
    server.next_fault = faults_in_order(LOST_RESPONSE)  # type: ignore[assignment]
    signer = CallbackSigner("k" * 40, base_url="https://example.com/routee")
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger, concurrency=1, on_unknown=KEEP, callbacks=signer)
        await bulk_sender.run(rows_of(OtpFlows(2)))
        (unknown,) = [entry async for entry in ledger.entries({EntryState.UNKNOWN})]
        label = server.messages_by_recipient[unknown.recipient][0].label
        assert label is not None
        reference = signer.verify(signer.url(label).rpartition("/")[2])
        record = OtpRecord.from_dict({"flowId": "f-9", "status": "Succeeded", "messages": []})
        await bulk_sender.handle_callback(
            CallbackEvent(record=record, reference=reference, received_at=datetime.now(UTC))
        )
        entry = await ledger.entry(unknown.key_hash)
    assert entry is not None
    assert (entry.state, entry.resolved_by, entry.tracking_id) == (EntryState.ACCEPTED, "callback", "f-9")


async def test_second_run_reconciles_messages_of_the_first(server: ListingServer) -> None:
    """A run that has nothing left to send reconciles what an earlier one left unknown."""
    server.next_fault = faults_in_order(NO_FAULT, LOST_RESPONSE)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(5), concurrency=1, on_unknown=KEEP)
        progress = await run(server, ledger, OtpFlows(5))
    assert progress.counts.accepted == 5
    assert set(server.accepted.values()) == {1}


async def test_absent_message_past_its_deadline_expires(server: ListingServer) -> None:
    """A message that turns out not to be accepted after its deadline is EXPIRED and not sent."""
    server.next_fault = faults_in_order(NO_FAULT, LOST_REQUEST)  # type: ignore[assignment]
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
