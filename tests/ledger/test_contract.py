"""What every ledger promises, whatever keeps it."""

import asyncio

import pytest

from routee_failover import ledger as ledger_room
from routee_failover.ledger import Counts, DeliveryCount, Fate, Found, Ledger, Move, State, Wanted
from routee_failover.ledger.intent import tag_of
from routee_failover.ledger.states import MOVES, after

from .messages import LEASE, claimed, ending, wanted


async def test_a_claim_is_made_once(ledger: Ledger) -> None:
    """Whoever comes first gets it; whoever comes after, or has it twice in one list, is told how it stands."""
    first = await ledger.claim([wanted(1), wanted(2), wanted(1)], lease=LEASE)
    assert [(one.mine, one.state, one.attempt, one.line) for one in first] == [
        (True, State.SENDING, 1, 1),
        (True, State.SENDING, 1, 2),
        (False, State.SENDING, 1, 1),
    ]
    assert first[2].number == first[0].number
    second = await ledger.claim([wanted(2), wanted(3)], lease=LEASE)
    assert [one.mine for one in second] == [False, True]
    assert second[0] == first[1]._replace(mine=False)
    assert await ledger.claim([], lease=LEASE) == []


async def test_many_at_once(ledger: Ledger) -> None:
    """However many claims come at once and whatever their sizes, each row is claimed for exactly one of them."""
    sizes = [1, 2, 3, 7, 64, 255, 256, 257]
    lists = [[wanted(line) for line in range(size)] for size in sizes]
    answers = await asyncio.gather(*(ledger.claim(one, lease=LEASE) for one in lists))
    assert [len(answer) for answer in answers] == sizes
    mine = [found.number for answer in answers for found in answer if found.mine]
    assert sorted(mine) == list(range(1, 258))
    for one, answer in zip(lists, answers, strict=True):
        there = await ledger.find([row.tag for row in one])
        assert [there[row.tag].number for row in one] == [found.number for found in answer]
        assert [there[row.tag].line for row in one] == [row.line for row in one]


@pytest.mark.parametrize("move", [move for move in Move if move is not Move.CLAIM])
@pytest.mark.parametrize("waits", [True, False])
async def test_every_move_from_being_sent(ledger: Ledger, move: Move, waits: bool) -> None:
    """A move leads where the table says, or changes nothing; so it is with one that tells of an attempt long over."""
    for same in (True, False):
        (found,) = await claimed(ledger, 1 + same)
        told = ending(found if same else found._replace(attempt=0), "why", "id-1")
        state = after(State.SENDING, move, same_attempt=same)
        if waits:
            assert await ledger.settle(move, told) == (state is not State.SENDING)
        else:
            ledger.end(move, told)
            await ledger.flush()
        intent = await ledger.intent(wanted(1 + same).tag)
        assert intent is not None
        assert intent.state is state
        if state is State.SENDING:
            assert (intent.reason, intent.identity, intent.ended_at) == ("", None, None)
        else:
            assert (intent.reason, intent.identity, intent.proof) == ("why", "id-1", "answer")
            assert (intent.channel, intent.seconds) == ("Viber", 0.25)
            assert intent.ended_at is not None
            assert intent.begun_at <= intent.ended_at <= ledger.now()


async def test_moves_in_a_row(ledger: Ledger) -> None:
    """Moves of one intent that are told without waiting are made in their order, each where it counts."""
    first, second = await claimed(ledger, 1, 2)
    for move in (Move.DOUBT, Move.ABSENT, Move.EXPIRE, Move.ACCEPT, Move.REJECT):
        ledger.end(move, ending(first, move.value, move.value))
        ledger.end(Move.DOUBT, ending(second))
    counts = await ledger.counts()
    assert counts == Counts(accepted=1, unknown=1)
    intent = await ledger.intent(wanted(1).tag)
    assert intent is not None
    assert (intent.state, intent.reason, intent.identity) == (State.ACCEPTED, "accept", "accept")


async def test_what_is_not_told_stays(ledger: Ledger) -> None:
    """An ending that knows no id, channel or time leaves those that are known."""
    (found,) = await claimed(ledger, 1)
    await ledger.settle(Move.DOUBT, ending(found, "no answer", "id-1"))
    await ledger.settle(Move.ACCEPT, ending(found)._replace(channel=None, seconds=0.0, proof="search"))
    intent = await ledger.intent(wanted(1).tag)
    assert intent is not None
    assert (intent.identity, intent.channel, intent.seconds, intent.proof) == ("id-1", "Viber", 0.25, "search")


async def test_what_was_returned_is_claimed_again(ledger: Ledger) -> None:
    """The next attempt has its own number, line and fingerprint; what the one before tells then is not believed."""
    (found,) = await claimed(ledger, 1)
    ledger.end(Move.RETURN, ending(found, "not now"))
    (again,) = await ledger.claim([wanted(1)._replace(line=7, fingerprint=b"new")], lease=LEASE)
    assert again == Found(found.number, 2, State.SENDING, 7, b"new", True, wanted(1).recipient)
    intent = await ledger.intent(wanted(1).tag)
    assert intent is not None
    assert (intent.ended_at, intent.reason, intent.proof) == (None, "", "")
    assert not await ledger.settle(Move.DOUBT, ending(found))
    assert await ledger.settle(Move.REJECT, ending(again))
    (closed,) = await ledger.claim([wanted(1)], lease=LEASE)
    assert (closed.mine, closed.state) == (False, State.REJECTED)


async def claimed_as(ledger: Ledger, *rows: Wanted) -> list[Found]:
    """How rows stand after a claim."""
    return await ledger.claim(rows, lease=LEASE)


async def test_what_is_claimed_again_is_for_whom_it_is_claimed(ledger: Ledger) -> None:
    """A row that was not sent may have another recipient by now: the ledger has that one, under the same key."""
    (found,) = await claimed_as(ledger, wanted(1, "k"))
    ledger.end(Move.RETURN, ending(found))
    (again,) = await claimed_as(ledger, wanted(2, "k"))
    assert (again.mine, again.number, again.recipient) == (True, found.number, wanted(2).recipient)
    intent = await ledger.intent(wanted(1, "k").tag)
    assert intent is not None
    assert (intent.key, intent.recipient, intent.line) == ("k", wanted(2).recipient, 2)
    (other,) = await claimed_as(ledger, wanted(1, "k"))
    assert (other.mine, other.recipient) == (False, wanted(2).recipient)
    assert (await ledger.find([wanted(1, "k").tag]))[wanted(1, "k").tag].recipient == wanted(2).recipient


async def test_a_finding_shows_no_recipient(ledger: Ledger) -> None:
    """Its `repr` may be logged."""
    (found,) = await claimed(ledger, 1)
    assert found.recipient == wanted(1).recipient
    assert found.recipient not in repr(found)


async def test_rows_of_which_no_flow_can_be_made(ledger: Ledger) -> None:
    """They are kept with the reason, may be told again, and are never claimed; what has a state of its own keeps it."""
    assert await ledger.refuse(wanted(1, "a"), "no number")
    assert await ledger.refuse(wanted(2, "a"), "still none")
    intent = await ledger.intent(tag_of("a"))
    assert intent is not None
    assert (intent.state, intent.reason, intent.line, intent.attempt) == (State.INVALID, "still none", 2, 0)
    assert (intent.key, intent.recipient) == ("a", wanted(1).recipient)
    (found,) = await ledger.claim([wanted(3, "a")], lease=LEASE)
    assert (found.mine, found.state, found.line) == (False, State.INVALID, 2)
    (sent,) = await claimed(ledger, 5)
    assert not await ledger.refuse(wanted(5), "too late")
    ledger.end(Move.RETURN, ending(sent))
    assert await ledger.refuse(wanted(5), "after all")
    assert await ledger.counts() == Counts(invalid=2)


async def test_broken_rows_are_forgotten(ledger: Ledger) -> None:
    """A row that is mended is as new; one that was to be sent again and may have been taken is not forgotten."""
    await ledger.refuse(wanted(1), "no number")
    (refused,) = await claimed(ledger, 2)
    ledger.end(Move.REFUSE, ending(refused, "no flow"))
    (maybe,) = await ledger.claim([wanted(3)._replace(fingerprint=b"sent")], lease=LEASE)
    for move in (Move.DOUBT, Move.AGAIN):
        ledger.end(move, ending(maybe))
    assert await ledger.refuse(wanted(3), "broken since")
    await ledger.forget_invalid()
    assert await ledger.counts() == Counts(invalid=1)
    found = await ledger.claim([wanted(line) for line in (1, 2, 3)], lease=LEASE)
    assert [(one.mine, one.attempt) for one in found] == [(True, 1), (True, 1), (False, 1)]
    assert await ledger.settle(Move.ACCEPT, ending(maybe))


async def test_what_was_told_a_moment_ago_is_forgotten_too(ledger: Ledger) -> None:
    """A row that its own sender found INVALID is forgotten with the others, though nobody waited for that."""
    (found,) = await claimed(ledger, 1)
    ledger.end(Move.REFUSE, ending(found))
    await ledger.forget_invalid()
    assert await ledger.counts() == Counts()
    assert await ledger.intent(wanted(1).tag) is None


async def test_leases(ledger: Ledger) -> None:
    """What is past its lease becomes UNKNOWN, and nothing else does."""
    await ledger.claim([wanted(1), wanted(2)], lease=0.0)
    await claimed(ledger, 3, 4)
    (ended,) = await ledger.claim([wanted(5)], lease=0.0)
    ledger.end(Move.ACCEPT, ending(ended))
    assert await ledger.lapse() == 2
    assert await ledger.lapse() == 0
    assert await ledger.counts() == Counts(unknown=2, sending=2, accepted=1)
    intent = await ledger.intent(wanted(1).tag)
    assert intent is not None
    assert "lease" in intent.reason


async def test_fates(ledger: Ledger) -> None:
    """How a flow ended is kept beside its state; the later word counts."""
    first, second = await claimed(ledger, 1, 2)
    ledger.end(Move.ACCEPT, ending(first))
    ledger.end(Move.ACCEPT, ending(second))
    ledger.learn(Fate(first.number, "Started"))
    ledger.learn(Fate(first.number, "Succeeded", "Sms", 0.04, "GR", None, 2.5))
    known = [intent async for intent in ledger.intents({State.ACCEPTED})]
    assert [intent.fate for intent in known] == [Fate(first.number, "Succeeded", "Sms", 0.04, "GR", None, 2.5), None]
    assert [intent.number async for intent in ledger.intents(without_fate=True)] == [second.number]


async def test_delivery_counts(ledger: Ledger) -> None:
    """Accepted messages are counted by status and channel of their report; others are not counted."""
    assert await ledger.delivery_counts() == []
    found = await claimed(ledger, *range(1, 9))
    for one in found[:6]:
        ledger.end(Move.ACCEPT, ending(one))
    ledger.end(Move.REJECT, ending(found[6]))
    for one, status, channel in zip(
        found, ["Succeeded"] * 3 + ["Failed"], ["Viber", "Sms", "Viber", None], strict=False
    ):
        ledger.learn(Fate(one.number, status, channel))
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
    found = await ledger.claim([wanted(line) for line in range(1200)], lease=LEASE)
    for one in found[::2]:
        ledger.end(Move.ACCEPT, ending(one))
    seen = [intent async for intent in ledger.intents()]
    assert [intent.line for intent in seen] == list(range(1200))
    assert [intent.line async for intent in ledger.intents({State.ACCEPTED})] == list(range(0, 1200, 2))
    assert [intent.line async for intent in ledger.intents({State.NEW, State.SENDING})] == list(range(1, 1200, 2))
    assert [intent async for intent in ledger.intents(set())] == []
    async for intent in ledger.intents({State.SENDING}):
        assert await ledger.settle(Move.DOUBT, ending(found[intent.number - 1]))
    assert await ledger.counts() == Counts(accepted=600, unknown=600)


async def test_documents(ledger: Ledger) -> None:
    """JSON comes back as it was put, the last one under each name."""
    assert await ledger.get("run") is None
    await ledger.put("run", {"flow": "a.toml", "rate": 1.5, "none": None})
    await ledger.put("run", {"flow": "Γεια", "many": [1, {"a": True}]})
    assert await ledger.get("run") == {"flow": "Γεια", "many": [1, {"a": True}]}


async def test_texts_of_any_kind(ledger: Ledger) -> None:
    """Keys of any letters are told apart, also with halves of characters in them, as a wrong encoding leaves them."""
    keys = ["a", "A", "ά", "a\0", "", " ", "\udcff", "\udcfe", "x" * 5000]
    rows = [wanted(line, None, bytes([line]))._replace(key=key, tag=tag_of(key)) for line, key in enumerate(keys)]
    found = await ledger.claim(rows, lease=LEASE)
    assert all(one.mine for one in found)
    assert not any(one.mine for one in await ledger.claim(rows, lease=LEASE))
    ledger.end(Move.REJECT, ending(found[0], "half \udcff"))
    assert (await ledger.counts()).rejected == 1
    assert await ledger.refuse(wanted(99, "\udcfd"), "\udcfc")


async def test_an_empty_ledger(ledger: Ledger) -> None:
    """Nothing is in it, and its letters are its own."""
    assert await ledger.counts() == Counts()
    assert await ledger.intent(1) is None
    assert await ledger.find([1, 2]) == {}
    assert await ledger.lapse() == 0
    assert len(ledger.run_id) == 12
    assert ledger.now() <= ledger.now()


def test_the_table_of_moves_has_no_move_to_where_it_begins() -> None:
    """What one statement has changed the next one does not find again."""
    assert all(target not in sources for sources, target in MOVES.values())


def test_what_the_room_offers() -> None:
    """Every name that it lists is there, and is loaded when it is asked for; another one is no attribute."""
    assert set(ledger_room.__all__) <= set(dir(ledger_room))
    assert all(getattr(ledger_room, name).__name__ == name for name in ledger_room.__all__)
    with pytest.raises(AttributeError, match="no attribute 'SqlLedger'"):
        ledger_room.SqlLedger  # noqa: B018


@pytest.mark.parametrize("move", [Move.RETURN, Move.REFUSE])
async def test_what_is_sent_again_by_policy_stays_bound_to_its_content(ledger: Ledger, move: Move) -> None:
    """A second attempt that did not leave proves nothing of the first: no other content is ever sent after it."""
    row = wanted(1)._replace(fingerprint=b"one")
    (first,) = await ledger.claim([row], lease=LEASE)
    await ledger.settle(Move.DOUBT, ending(first))
    await ledger.settle(Move.AGAIN, ending(first)._replace(proof="policy"))
    (second,) = await ledger.claim([row], lease=LEASE)
    assert second.mine
    await ledger.settle(move, ending(second))
    await ledger.forget_invalid()
    (other,) = await ledger.claim([row._replace(fingerprint=b"other")], lease=LEASE)
    (same,) = await ledger.claim([row], lease=LEASE)
    assert (other.mine, same.mine) == (False, move is Move.RETURN)
