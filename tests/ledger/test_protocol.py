"""What every ledger promises, whatever keeps it."""

import asyncio

import pytest

from routee_failover import ledger as ledger_room
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


async def test_a_claim_is_made_once(ledger: Ledger) -> None:
    """Whoever comes first gets it; whoever comes after, or has it twice in one list, is told how it stands."""
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


async def test_many_at_once(ledger: Ledger) -> None:
    """However many claims come at once and whatever their sizes, each row is claimed for exactly one of them."""
    sizes = [1, 2, 3, 7, 64, 255, 256, 257]
    lists = [[claim_request(line) for line in range(size)] for size in sizes]
    answers = await asyncio.gather(*(ledger.claim(one, lease=LEASE) for one in lists))
    assert [len(answer) for answer in answers] == sizes
    mine = [found.number for answer in answers for found in answer if found.claimed]
    assert sorted(mine) == list(range(1, 258))
    for one, answer in zip(lists, answers, strict=True):
        there = await ledger.find([row.key_hash for row in one])
        assert [there[row.key_hash].number for row in one] == [found.number for found in answer]
        assert [there[row.key_hash].line for row in one] == [row.line for row in one]


@pytest.mark.parametrize("move", [move for move in Transition if move is not Transition.CLAIM])
@pytest.mark.parametrize("waits", [True, False])
async def test_every_move_from_being_sent(ledger: Ledger, move: Transition, waits: bool) -> None:
    """A move leads where the table says, or changes nothing; so it is with one that tells of an attempt long over."""
    for same in (True, False):
        (found,) = await claim_lines(ledger, 1 + same)
        told = transition_details(found if same else found._replace(attempt=0), "why", "id-1")
        state = next_state(EntryState.SENDING, move, same_attempt=same)
        if waits:
            assert await ledger.apply(move, told) == (state is not EntryState.SENDING)
        else:
            ledger.record(move, told)
            await ledger.flush()
        intent = await ledger.entry(claim_request(1 + same).key_hash)
        assert intent is not None
        assert intent.state is state
        if state is EntryState.SENDING:
            assert (intent.reason, intent.tracking_id, intent.ended_at) == ("", None, None)
        else:
            assert (intent.reason, intent.tracking_id, intent.resolved_by) == ("why", "id-1", "answer")
            assert (intent.channel, intent.response_time) == ("Viber", 0.25)
            assert intent.ended_at is not None
            assert intent.claimed_at <= intent.ended_at <= ledger.now()


async def test_moves_in_a_row(ledger: Ledger) -> None:
    """Moves of one intent that are told without waiting are made in their order, each where it counts."""
    first, second = await claim_lines(ledger, 1, 2)
    for move in (
        Transition.MARK_UNKNOWN,
        Transition.CONFIRM_ABSENT,
        Transition.EXPIRE,
        Transition.ACCEPT,
        Transition.REJECT,
    ):
        ledger.record(move, transition_details(first, move.value, move.value))
        ledger.record(Transition.MARK_UNKNOWN, transition_details(second))
    counts = await ledger.counts()
    assert counts == StateCounts(accepted=1, unknown=1)
    intent = await ledger.entry(claim_request(1).key_hash)
    assert intent is not None
    assert (intent.state, intent.reason, intent.tracking_id) == (EntryState.ACCEPTED, "accept", "accept")


async def test_what_is_not_told_stays(ledger: Ledger) -> None:
    """An ending that knows no id, channel or time leaves those that are known."""
    (found,) = await claim_lines(ledger, 1)
    await ledger.apply(Transition.MARK_UNKNOWN, transition_details(found, "no answer", "id-1"))
    await ledger.apply(
        Transition.ACCEPT, transition_details(found)._replace(channel=None, response_time=0.0, resolved_by="search")
    )
    intent = await ledger.entry(claim_request(1).key_hash)
    assert intent is not None
    assert (intent.tracking_id, intent.channel, intent.response_time, intent.resolved_by) == (
        "id-1",
        "Viber",
        0.25,
        "search",
    )


async def test_what_was_returned_is_claimed_again(ledger: Ledger) -> None:
    """The next attempt has its own number, line and fingerprint; what the one before tells then is not believed."""
    (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.RELEASE, transition_details(found, "not now"))
    (again,) = await ledger.claim([claim_request(1)._replace(line=7, fingerprint=b"new")], lease=LEASE)
    assert again == ClaimResult(found.number, 2, EntryState.SENDING, 7, b"new", True, claim_request(1).recipient)
    intent = await ledger.entry(claim_request(1).key_hash)
    assert intent is not None
    assert (intent.ended_at, intent.reason, intent.resolved_by) == (None, "", "")
    assert not await ledger.apply(Transition.MARK_UNKNOWN, transition_details(found))
    assert await ledger.apply(Transition.REJECT, transition_details(again))
    (closed,) = await ledger.claim([claim_request(1)], lease=LEASE)
    assert (closed.claimed, closed.state) == (False, EntryState.REJECTED)


async def claimed_as(ledger: Ledger, *rows: ClaimRequest) -> list[ClaimResult]:
    """How rows stand after a claim."""
    return await ledger.claim(rows, lease=LEASE)


async def test_what_is_claimed_again_is_for_whom_it_is_claimed(ledger: Ledger) -> None:
    """A row that was not sent may have another recipient by now: the ledger has that one, under the same key."""
    (found,) = await claimed_as(ledger, claim_request(1, "k"))
    ledger.record(Transition.RELEASE, transition_details(found))
    (again,) = await claimed_as(ledger, claim_request(2, "k"))
    assert (again.claimed, again.number, again.recipient) == (True, found.number, claim_request(2).recipient)
    intent = await ledger.entry(claim_request(1, "k").key_hash)
    assert intent is not None
    assert (intent.key, intent.recipient, intent.line) == ("k", claim_request(2).recipient, 2)
    (other,) = await claimed_as(ledger, claim_request(1, "k"))
    assert (other.claimed, other.recipient) == (False, claim_request(2).recipient)
    assert (await ledger.find([claim_request(1, "k").key_hash]))[
        claim_request(1, "k").key_hash
    ].recipient == claim_request(2).recipient


async def test_a_finding_shows_no_recipient(ledger: Ledger) -> None:
    """Its `repr` may be logged."""
    (found,) = await claim_lines(ledger, 1)
    assert found.recipient == claim_request(1).recipient
    assert found.recipient not in repr(found)


async def test_rows_of_which_no_flow_can_be_made(ledger: Ledger) -> None:
    """They are kept with the reason, may be told again, and are never claimed; what has a state of its own keeps it."""
    assert await ledger.mark_invalid(claim_request(1, "a"), "no number")
    assert await ledger.mark_invalid(claim_request(2, "a"), "still none")
    intent = await ledger.entry(hash_key("a"))
    assert intent is not None
    assert (intent.state, intent.reason, intent.line, intent.attempt) == (EntryState.INVALID, "still none", 2, 0)
    assert (intent.key, intent.recipient) == ("a", claim_request(1).recipient)
    (found,) = await ledger.claim([claim_request(3, "a")], lease=LEASE)
    assert (found.claimed, found.state, found.line) == (False, EntryState.INVALID, 2)
    (sent,) = await claim_lines(ledger, 5)
    assert not await ledger.mark_invalid(claim_request(5), "too late")
    ledger.record(Transition.RELEASE, transition_details(sent))
    assert await ledger.mark_invalid(claim_request(5), "after all")
    assert await ledger.counts() == StateCounts(invalid=2)


async def test_broken_rows_are_forgotten(ledger: Ledger) -> None:
    """A row that is mended is as new; one that was to be sent again and may have been taken is not forgotten."""
    await ledger.mark_invalid(claim_request(1), "no number")
    (refused,) = await claim_lines(ledger, 2)
    ledger.record(Transition.INVALIDATE, transition_details(refused, "no flow"))
    (maybe,) = await ledger.claim([claim_request(3)._replace(fingerprint=b"sent")], lease=LEASE)
    for move in (Transition.MARK_UNKNOWN, Transition.RESEND):
        ledger.record(move, transition_details(maybe))
    assert await ledger.mark_invalid(claim_request(3), "broken since")
    await ledger.delete_invalid()
    assert await ledger.counts() == StateCounts(invalid=1)
    found = await ledger.claim([claim_request(line) for line in (1, 2, 3)], lease=LEASE)
    assert [(one.claimed, one.attempt) for one in found] == [(True, 1), (True, 1), (False, 1)]
    assert await ledger.apply(Transition.ACCEPT, transition_details(maybe))


async def test_what_was_told_a_moment_ago_is_forgotten_too(ledger: Ledger) -> None:
    """A row that its own sender found INVALID is forgotten with the others, though nobody waited for that."""
    (found,) = await claim_lines(ledger, 1)
    ledger.record(Transition.INVALIDATE, transition_details(found))
    await ledger.delete_invalid()
    assert await ledger.counts() == StateCounts()
    assert await ledger.entry(claim_request(1).key_hash) is None


async def test_leases(ledger: Ledger) -> None:
    """What is past its lease becomes UNKNOWN, and nothing else does."""
    await ledger.claim([claim_request(1), claim_request(2)], lease=0.0)
    await claim_lines(ledger, 3, 4)
    (ended,) = await ledger.claim([claim_request(5)], lease=0.0)
    ledger.record(Transition.ACCEPT, transition_details(ended))
    assert await ledger.expire_leases() == 2
    assert await ledger.expire_leases() == 0
    assert await ledger.counts() == StateCounts(unknown=2, sending=2, accepted=1)
    intent = await ledger.entry(claim_request(1).key_hash)
    assert intent is not None
    assert "lease" in intent.reason


async def test_fates(ledger: Ledger) -> None:
    """How a flow ended is kept beside its state; the later word counts."""
    first, second = await claim_lines(ledger, 1, 2)
    ledger.record(Transition.ACCEPT, transition_details(first))
    ledger.record(Transition.ACCEPT, transition_details(second))
    ledger.record_delivery_report(DeliveryReport(first.number, "Started"))
    ledger.record_delivery_report(DeliveryReport(first.number, "Succeeded", "Sms", 0.04, "GR", None, 2.5))
    known = [intent async for intent in ledger.entries({EntryState.ACCEPTED})]
    assert [intent.delivery_report for intent in known] == [
        DeliveryReport(first.number, "Succeeded", "Sms", 0.04, "GR", None, 2.5),
        None,
    ]
    assert [intent.number async for intent in ledger.entries(without_report=True)] == [second.number]


async def test_delivery_counts(ledger: Ledger) -> None:
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


async def test_intents_in_order(ledger: Ledger) -> None:
    """They come by their numbers, all or those in some states, and may be changed while one looks at them."""
    found = await ledger.claim([claim_request(line) for line in range(1200)], lease=LEASE)
    for one in found[::2]:
        ledger.record(Transition.ACCEPT, transition_details(one))
    seen = [intent async for intent in ledger.entries()]
    assert [intent.line for intent in seen] == list(range(1200))
    assert [intent.line async for intent in ledger.entries({EntryState.ACCEPTED})] == list(range(0, 1200, 2))
    assert [intent.line async for intent in ledger.entries({EntryState.NEW, EntryState.SENDING})] == list(
        range(1, 1200, 2)
    )
    assert [intent async for intent in ledger.entries(set())] == []
    async for intent in ledger.entries({EntryState.SENDING}):
        assert await ledger.apply(Transition.MARK_UNKNOWN, transition_details(found[intent.number - 1]))
    assert await ledger.counts() == StateCounts(accepted=600, unknown=600)


async def test_documents(ledger: Ledger) -> None:
    """JSON comes back as it was put, the last one under each name."""
    assert await ledger.get_document("run") is None
    await ledger.put_document("run", {"flow": "a.toml", "rate": 1.5, "none": None})
    await ledger.put_document("run", {"flow": "Γεια", "many": [1, {"a": True}]})
    assert await ledger.get_document("run") == {"flow": "Γεια", "many": [1, {"a": True}]}


async def test_texts_of_any_kind(ledger: Ledger) -> None:
    """Keys of any letters are told apart, also with halves of characters in them, as a wrong encoding leaves them."""
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


async def test_an_empty_ledger(ledger: Ledger) -> None:
    """Nothing is in it, and its letters are its own."""
    assert await ledger.counts() == StateCounts()
    assert await ledger.entry(1) is None
    assert await ledger.find([1, 2]) == {}
    assert await ledger.expire_leases() == 0
    assert len(ledger.run_id) == 12
    assert ledger.now() <= ledger.now()


def test_the_table_of_moves_has_no_move_to_where_it_begins() -> None:
    """What one statement has changed the next one does not find again."""
    assert all(target not in sources for sources, target in TRANSITIONS.values())


def test_what_the_room_offers() -> None:
    """Every name that it lists is there, and is loaded when it is asked for; another one is no attribute."""
    assert set(ledger_room.__all__) <= set(dir(ledger_room))
    assert all(getattr(ledger_room, name).__name__ == name for name in ledger_room.__all__)
    with pytest.raises(AttributeError, match="no attribute 'SqlLedger'"):
        ledger_room.SqlLedger  # noqa: B018


@pytest.mark.parametrize("move", [Transition.RELEASE, Transition.INVALIDATE])
async def test_what_is_sent_again_by_policy_stays_bound_to_its_content(ledger: Ledger, move: Transition) -> None:
    """A second attempt that did not leave proves nothing of the first: no other content is ever sent after it."""
    row = claim_request(1)._replace(fingerprint=b"one")
    (first,) = await ledger.claim([row], lease=LEASE)
    await ledger.apply(Transition.MARK_UNKNOWN, transition_details(first))
    await ledger.apply(Transition.RESEND, transition_details(first)._replace(resolved_by="policy"))
    (second,) = await ledger.claim([row], lease=LEASE)
    assert second.claimed
    await ledger.apply(move, transition_details(second))
    await ledger.delete_invalid()
    (other,) = await ledger.claim([row._replace(fingerprint=b"other")], lease=LEASE)
    (same,) = await ledger.claim([row], lease=LEASE)
    assert (other.claimed, same.claimed) == (False, move is Transition.RELEASE)
