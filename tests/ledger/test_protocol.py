"""The promises of the `Ledger` protocol, for every implementation."""

import asyncio

import pytest

from routee_failover import ledger as ledger_package
from routee_failover.ledger import (
    ClaimRequest,
    ClaimResult,
    DeliveryCount,
    DeliveryReport,
    EntryState,
    Ledger,
    StateCounts,
    Transition,
)
from routee_failover.ledger.entry import hash_key
from routee_failover.ledger.state_machine import TRANSITIONS, next_state

from .factories import LEASE, claim_lines, claim_request, transition_details


async def test_a_message_is_claimed_once(ledger: Ledger) -> None:
    """The first request has the claim; later ones, and a repeat in the same list, get the state of the entry."""
    first = await ledger.claim([claim_request(1), claim_request(2), claim_request(1)], lease=LEASE)
    assert [(one.claimed, one.state, one.attempt, one.line) for one in first] == [
        (True, EntryState.SENDING, 1, 1),
        (True, EntryState.SENDING, 1, 2),
        (False, EntryState.SENDING, 1, 1),
    ]
    assert first[2].number == first[0].number
    second = await ledger.claim([claim_request(2), claim_request(3)], lease=LEASE)
    assert [one.claimed for one in second] == [False, True]
    assert second[0] == first[1]._replace(claimed=False)
    assert await ledger.claim([], lease=LEASE) == []


async def test_concurrent_claims_of_any_size_claim_each_row_once(ledger: Ledger) -> None:
    """Of many concurrent claims, whatever their sizes, exactly one claims each row."""
    sizes = [1, 2, 3, 7, 64, 255, 256, 257]
    lists = [[claim_request(line) for line in range(size)] for size in sizes]
    results = await asyncio.gather(*(ledger.claim(rows, lease=LEASE) for rows in lists))
    assert [len(found) for found in results] == sizes
    claimed = [one.number for found in results for one in found if one.claimed]
    assert sorted(claimed) == list(range(1, 258))
    for rows, found in zip(lists, results, strict=True):
        known = await ledger.find([row.key_hash for row in rows])
        assert [known[row.key_hash].number for row in rows] == [one.number for one in found]
        assert [known[row.key_hash].line for row in rows] == [row.line for row in rows]


@pytest.mark.parametrize("transition", [transition for transition in Transition if transition is not Transition.CLAIM])
@pytest.mark.parametrize("waits", [True, False])
async def test_every_transition_from_sending_follows_the_table(
    ledger: Ledger, transition: Transition, waits: bool
) -> None:
    """A transition leads to the state in the table, or changes nothing; the same for one of an earlier attempt."""
    for same in (True, False):
        (found,) = await claim_lines(ledger, 1 + same)
        details = transition_details(found if same else found._replace(attempt=0), "why", "id-1")
        state = next_state(EntryState.SENDING, transition, same_attempt=same)
        if waits:
            assert await ledger.apply(transition, details) == (state is not EntryState.SENDING)
        else:
            ledger.record(transition, details)
            await ledger.flush()
        entry = await ledger.entry(claim_request(1 + same).key_hash)
        assert entry is not None
        assert entry.state is state
        if state is EntryState.SENDING:
            assert (entry.reason, entry.tracking_id, entry.ended_at) == ("", None, None)
        else:
            assert (entry.reason, entry.tracking_id, entry.resolved_by) == ("why", "id-1", "response")
            assert (entry.channel, entry.response_time) == ("Viber", 0.25)
            assert entry.ended_at is not None
            assert entry.claimed_at <= entry.ended_at <= ledger.now()


async def test_recorded_transitions_are_applied_in_order(ledger: Ledger) -> None:
    """Transitions of one entry that are recorded without waiting are applied in their order, each where it counts."""
    first, second = await claim_lines(ledger, 1, 2)
    for transition in (
        Transition.MARK_UNKNOWN,
        Transition.CONFIRM_ABSENT,
        Transition.EXPIRE,
        Transition.ACCEPT,
        Transition.REJECT,
    ):
        ledger.record(transition, transition_details(first, transition.value, transition.value))
        ledger.record(Transition.MARK_UNKNOWN, transition_details(second))
    counts = await ledger.counts()
    assert counts == StateCounts(accepted=1, unknown=1)
    entry = await ledger.entry(claim_request(1).key_hash)
    assert entry is not None
    assert (entry.state, entry.reason, entry.tracking_id) == (EntryState.ACCEPTED, "accept", "accept")


async def test_details_without_id_channel_or_time_keep_the_known_ones(ledger: Ledger) -> None:
    """Transition details without an id, a channel or a response time leave those that are known."""
    (found,) = await claim_lines(ledger, 1)
    await ledger.apply(Transition.MARK_UNKNOWN, transition_details(found, "no answer", "id-1"))
    await ledger.apply(
        Transition.ACCEPT, transition_details(found)._replace(channel=None, response_time=0.0, resolved_by="search")
    )
    entry = await ledger.entry(claim_request(1).key_hash)
    assert entry is not None
    assert (entry.tracking_id, entry.channel, entry.response_time, entry.resolved_by) == (
        "id-1",
        "Viber",
        0.25,
        "search",
    )


async def test_released_entry_is_claimed_as_a_new_attempt(ledger: Ledger) -> None:
    """The next attempt has its own number, line and fingerprint; transitions of the earlier attempt do not count."""
    (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.RELEASE, transition_details(found, "not now"))
    (again,) = await ledger.claim([claim_request(1)._replace(line=7, fingerprint=b"new")], lease=LEASE)
    assert again == ClaimResult(found.number, 2, EntryState.SENDING, 7, b"new", True, claim_request(1).recipient)
    entry = await ledger.entry(claim_request(1).key_hash)
    assert entry is not None
    assert (entry.ended_at, entry.reason, entry.resolved_by) == (None, "", "")
    assert not await ledger.apply(Transition.MARK_UNKNOWN, transition_details(found))
    assert await ledger.apply(Transition.REJECT, transition_details(again))
    (closed,) = await ledger.claim([claim_request(1)], lease=LEASE)
    assert (closed.claimed, closed.state) == (False, EntryState.REJECTED)


async def claim_rows(ledger: Ledger, *rows: ClaimRequest) -> list[ClaimResult]:
    """Claim rows for `LEASE` seconds."""
    return await ledger.claim(rows, lease=LEASE)


async def test_claiming_a_released_entry_updates_its_recipient(ledger: Ledger) -> None:
    """A row that was not sent may have a new recipient in the source: the ledger has that one, with the same key."""
    (found,) = await claim_rows(ledger, claim_request(1, "k"))
    ledger.record(Transition.RELEASE, transition_details(found))
    (again,) = await claim_rows(ledger, claim_request(2, "k"))
    assert (again.claimed, again.number, again.recipient) == (True, found.number, claim_request(2).recipient)
    entry = await ledger.entry(claim_request(1, "k").key_hash)
    assert entry is not None
    assert (entry.key, entry.recipient, entry.line) == ("k", claim_request(2).recipient, 2)
    (other,) = await claim_rows(ledger, claim_request(1, "k"))
    assert (other.claimed, other.recipient) == (False, claim_request(2).recipient)
    assert (await ledger.find([claim_request(1, "k").key_hash]))[
        claim_request(1, "k").key_hash
    ].recipient == claim_request(2).recipient


async def test_claim_result_repr_shows_no_recipient(ledger: Ledger) -> None:
    """The `repr` of a claim result may be logged."""
    (found,) = await claim_lines(ledger, 1)
    assert found.recipient == claim_request(1).recipient
    assert found.recipient not in repr(found)


async def test_invalid_rows_are_recorded_and_never_claimed(ledger: Ledger) -> None:
    """They are recorded with the reason, may be recorded again, and are never claimed; a sent entry keeps its state."""
    assert await ledger.mark_invalid(claim_request(1, "a"), "no number")
    assert await ledger.mark_invalid(claim_request(2, "a"), "still none")
    entry = await ledger.entry(hash_key("a"))
    assert entry is not None
    assert (entry.state, entry.reason, entry.line, entry.attempt) == (EntryState.INVALID, "still none", 2, 0)
    assert (entry.key, entry.recipient) == ("a", claim_request(1).recipient)
    (found,) = await ledger.claim([claim_request(3, "a")], lease=LEASE)
    assert (found.claimed, found.state, found.line) == (False, EntryState.INVALID, 2)
    (sent,) = await claim_lines(ledger, 5)
    assert not await ledger.mark_invalid(claim_request(5), "too late")
    ledger.record(Transition.RELEASE, transition_details(sent))
    assert await ledger.mark_invalid(claim_request(5), "after all")
    assert await ledger.counts() == StateCounts(invalid=2)


async def test_delete_invalid_keeps_entries_that_may_have_been_accepted(ledger: Ledger) -> None:
    """A corrected row is as new; one that was to be resent and may have been accepted is not deleted."""
    await ledger.mark_invalid(claim_request(1), "no number")
    (invalid,) = await claim_lines(ledger, 2)
    ledger.record(Transition.INVALIDATE, transition_details(invalid, "no flow"))
    (maybe,) = await ledger.claim([claim_request(3)._replace(fingerprint=b"sent")], lease=LEASE)
    for transition in (Transition.MARK_UNKNOWN, Transition.RESEND):
        ledger.record(transition, transition_details(maybe))
    assert await ledger.mark_invalid(claim_request(3), "broken since")
    await ledger.delete_invalid()
    assert await ledger.counts() == StateCounts(invalid=1)
    found = await ledger.claim([claim_request(line) for line in (1, 2, 3)], lease=LEASE)
    assert [(one.claimed, one.attempt) for one in found] == [(True, 1), (True, 1), (False, 1)]
    assert await ledger.apply(Transition.ACCEPT, transition_details(maybe))


async def test_delete_invalid_includes_transitions_not_written_yet(ledger: Ledger) -> None:
    """A row that its own sender found INVALID is deleted with the others, though that was recorded without waiting."""
    (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.INVALIDATE, transition_details(found))
    await ledger.delete_invalid()
    assert await ledger.counts() == StateCounts()
    assert await ledger.entry(claim_request(1).key_hash) is None


async def test_expire_leases_makes_only_expired_claims_unknown(ledger: Ledger) -> None:
    """A claim past its lease becomes UNKNOWN, and nothing else does."""
    await ledger.claim([claim_request(1), claim_request(2)], lease=0.0)
    await claim_lines(ledger, 3, 4)
    (accepted,) = await ledger.claim([claim_request(5)], lease=0.0)
    ledger.record(Transition.ACCEPT, transition_details(accepted))
    assert await ledger.expire_leases() == 2
    assert await ledger.expire_leases() == 0
    assert await ledger.counts() == StateCounts(unknown=2, sending=2, accepted=1)
    entry = await ledger.entry(claim_request(1).key_hash)
    assert entry is not None
    assert "lease" in entry.reason


async def test_later_delivery_report_replaces_the_earlier(ledger: Ledger) -> None:
    """The delivery report of a flow is recorded beside its state; the later one counts."""
    first, second = await claim_lines(ledger, 1, 2)
    ledger.record(Transition.ACCEPT, transition_details(first))
    ledger.record(Transition.ACCEPT, transition_details(second))
    ledger.record_delivery_report(DeliveryReport(first.number, "Started"))
    ledger.record_delivery_report(DeliveryReport(first.number, "Succeeded", "Sms", 0.04, "GR", None, 2.5))
    known = [entry async for entry in ledger.entries({EntryState.ACCEPTED})]
    assert [entry.delivery_report for entry in known] == [
        DeliveryReport(first.number, "Succeeded", "Sms", 0.04, "GR", None, 2.5),
        None,
    ]
    assert [entry.number async for entry in ledger.entries(without_report=True)] == [second.number]


async def test_delivery_counts_group_accepted_messages_by_status_and_channel(ledger: Ledger) -> None:
    """Accepted messages are counted by status and channel of their report; others are not counted."""
    assert await ledger.delivery_counts() == []
    found = await claim_lines(ledger, *range(1, 9))
    for one in found[:6]:
        ledger.record(Transition.ACCEPT, transition_details(one))
    ledger.record(Transition.REJECT, transition_details(found[6]))
    for one, status, channel in zip(
        found, ["Succeeded"] * 3 + ["Failed"], ["Viber", "Sms", "Viber", None], strict=False
    ):
        ledger.record_delivery_report(DeliveryReport(one.number, status, channel))
    assert sorted(await ledger.delivery_counts(), key=str) == sorted(
        [
            DeliveryCount("Succeeded", "Viber", 2),
            DeliveryCount("Succeeded", "Sms", 1),
            DeliveryCount("Failed", None, 1),
            DeliveryCount(None, None, 2),
        ],
        key=str,
    )


async def test_entries_are_listed_by_number_and_may_change_meanwhile(ledger: Ledger) -> None:
    """They come in the order of their numbers, all or those in some states, and may be changed during the iteration."""
    found = await ledger.claim([claim_request(line) for line in range(1200)], lease=LEASE)
    for one in found[::2]:
        ledger.record(Transition.ACCEPT, transition_details(one))
    listed = [entry async for entry in ledger.entries()]
    assert [entry.line for entry in listed] == list(range(1200))
    assert [entry.line async for entry in ledger.entries({EntryState.ACCEPTED})] == list(range(0, 1200, 2))
    assert [entry.line async for entry in ledger.entries({EntryState.NEW, EntryState.SENDING})] == list(
        range(1, 1200, 2)
    )
    assert [entry async for entry in ledger.entries(set())] == []
    async for entry in ledger.entries({EntryState.SENDING}):
        assert await ledger.apply(Transition.MARK_UNKNOWN, transition_details(found[entry.number - 1]))
    assert await ledger.counts() == StateCounts(accepted=600, unknown=600)


async def test_last_document_of_a_name_is_returned(ledger: Ledger) -> None:
    """JSON comes back as it was stored, the last document of each name."""
    assert await ledger.get_document("run") is None
    await ledger.put_document("run", {"flow": "a.toml", "rate": 1.5, "none": None})
    await ledger.put_document("run", {"flow": "Γεια", "many": [1, {"a": True}]})
    assert await ledger.get_document("run") == {"flow": "Γεια", "many": [1, {"a": True}]}


async def test_keys_of_any_characters_are_distinct(ledger: Ledger) -> None:
    """Keys of any characters are distinct, also with lone surrogates in them, as a wrong encoding leaves them."""
    keys = ["a", "A", "ά", "a\0", "", " ", "\udcff", "\udcfe", "x" * 5000]
    rows = [
        claim_request(line, None, bytes([line]))._replace(key=key, key_hash=hash_key(key))
        for line, key in enumerate(keys)
    ]
    found = await ledger.claim(rows, lease=LEASE)
    assert all(one.claimed for one in found)
    assert not any(one.claimed for one in await ledger.claim(rows, lease=LEASE))
    ledger.record(Transition.REJECT, transition_details(found[0], "half \udcff"))
    assert (await ledger.counts()).rejected == 1
    assert await ledger.mark_invalid(claim_request(99, "\udcfd"), "\udcfc")


async def test_empty_ledger_has_no_entries_and_a_run_id(ledger: Ledger) -> None:
    """Nothing is in it, and it has an id of its own."""
    assert await ledger.counts() == StateCounts()
    assert await ledger.entry(1) is None
    assert await ledger.find([1, 2]) == {}
    assert await ledger.expire_leases() == 0
    assert len(ledger.run_id) == 12
    assert ledger.now() <= ledger.now()


def test_no_transition_leads_to_one_of_its_sources() -> None:
    """An entry that one statement has changed is not found by the next one."""
    assert all(target not in sources for sources, target in TRANSITIONS.values())


def test_package_exports_every_name_in_all() -> None:
    """Every name in `__all__` exists, and is loaded on first use; any other name is an AttributeError."""
    assert set(ledger_package.__all__) <= set(dir(ledger_package))
    assert all(getattr(ledger_package, name).__name__ == name for name in ledger_package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'SqlLedger'"):
        ledger_package.SqlLedger  # noqa: B018


@pytest.mark.parametrize("transition", [Transition.RELEASE, Transition.INVALIDATE])
async def test_resend_by_policy_stays_bound_to_its_content(ledger: Ledger, transition: Transition) -> None:
    """A second attempt that was not sent proves nothing about the first: no other content is ever sent after it."""
    row = claim_request(1)._replace(fingerprint=b"one")
    (first,) = await ledger.claim([row], lease=LEASE)
    await ledger.apply(Transition.MARK_UNKNOWN, transition_details(first))
    await ledger.apply(Transition.RESEND, transition_details(first)._replace(resolved_by="policy"))
    (second,) = await ledger.claim([row], lease=LEASE)
    assert second.claimed
    await ledger.apply(transition, transition_details(second))
    await ledger.delete_invalid()
    (other,) = await ledger.claim([row._replace(fingerprint=b"other")], lease=LEASE)
    (same,) = await ledger.claim([row], lease=LEASE)
    assert (other.claimed, same.claimed) == (False, transition is Transition.RELEASE)
