"""A small world around the ledger's machine: one message, two senders, a server, a search, callbacks, and time.

What the ledger does is the real `states.after`; the rest is the least that can go wrong, in every order. A sender that
is frozen is one that takes no step while time passes. Time is counted in ticks, and only as far as it matters.
"""

from collections.abc import Iterator
from typing import NamedTuple

from routee_failover.ledger.state_machine import EntryState, Transition, next_state

MOST_ATTEMPTS = 3
LEASE = 2
"""Ticks for which a sender holds a message."""
FLIGHT = 2
"""Ticks for which a message may be on its way at most."""


class Rules(NamedTuple):
    """What the model holds to; a mutation takes one of them away."""

    gate: bool = True
    """The last gate: no byte leaves once the lease is over."""
    gate_and_byte_at_once: bool = True
    """Nothing comes between the gate and the first byte."""
    settle: int = 3
    """Ticks between a doubt whose lease is over and a look whose silence counts."""
    lag: int = 2
    """Ticks until a search shows what was accepted."""
    lease_matters: bool = True
    """A look's silence counts only once the lease is over."""
    by_sender: bool = True
    """What a sender knows of its own attempt does not count for the next."""
    by_search: bool = True
    """What a search was begun for does not count for the next attempt."""
    lock: bool = True
    """One process has the ledger at a time. Without that, a second one opens it while the first still sends."""
    binds: bool = True
    """What was sent again by policy and then refused, broken or too late may have been taken the first time."""
    policy: bool = False
    """Whether what is in doubt is sent again once, although nobody knows."""


class Sender(NamedTuple):
    """A sender: what it is doing, and for which attempt."""

    phase: str = "idle"
    """idle, claimed, passed (the gate), waiting, or what came back: accepted, refused, later, lost."""
    attempt: int = 0


class LedgerModel(NamedTuple):
    """Everything that the next step depends on."""

    state: EntryState = EntryState.NEW
    attempt: int = 0
    lease: int = 0
    """Ticks that are left of it."""
    settled_ticks: int = 0
    """Ticks since the doubt was seen with its lease over."""
    senders: tuple[Sender, Sender] = (Sender(), Sender())
    in_flight: tuple[tuple[int, int], ...] = ()
    """Messages on their way: attempt and age."""
    accepted: int = 0
    """How often the server has accepted the message."""
    shown: int = 0
    """Ticks since it accepted it first."""
    callback: bool = False
    """Whether a callback is on its way."""
    reported: bool = False
    """Whether a callback, or an answer, has told the ledger that it was accepted."""
    search_result: tuple[int, bool] | None = None
    """What a search has shown that nobody has acted on: the attempt that it was begun for, and whether it is there."""
    resent: bool = False
    """Whether the policy has sent it again."""
    resent_by_policy: bool = False
    """Whether no search has shown since that nothing was there."""


def steps(world: LedgerModel, rules: Rules) -> Iterator[tuple[str, LedgerModel]]:
    """Everything that may happen next."""
    yield from _time(world, rules)
    yield from _ledger(world, rules)
    yield from _server(world)
    yield from _settling(world, rules)
    for place in (0, 1):
        yield from _sender(world, rules, place)


def _move(world: LedgerModel, rules: Rules, move: Transition, attempt: int) -> LedgerModel:
    """The world after a move that tells of an attempt."""
    heeded = rules.by_search if move in {Transition.CONFIRM_ABSENT, Transition.RESEND} else rules.by_sender
    same = attempt == world.attempt or not heeded
    state = next_state(world.state, move, same_attempt=same, resent_by_policy=world.resent_by_policy and rules.binds)
    bound = world.resent_by_policy and move is not Transition.CONFIRM_ABSENT
    return world if state is world.state else world._replace(state=state, settled_ticks=0, resent_by_policy=bound)


def _time(world: LedgerModel, rules: Rules) -> Iterator[tuple[str, LedgerModel]]:
    if any(age >= FLIGHT for _, age in world.in_flight):
        return  # it arrives, or is lost, before more time passes
    if rules.gate_and_byte_at_once and any(sender.phase == "passed" for sender in world.senders):
        return
    waits = world.state is EntryState.UNKNOWN and (not world.lease or not rules.lease_matters)
    yield (
        "a tick",
        world._replace(
            lease=max(0, world.lease - 1),
            settled_ticks=min(rules.settle, world.settled_ticks + 1) if waits else 0,
            in_flight=tuple((attempt, age + 1) for attempt, age in world.in_flight),
            shown=min(rules.lag, world.shown + 1) if world.accepted else 0,
        ),
    )


def _ledger(world: LedgerModel, rules: Rules) -> Iterator[tuple[str, LedgerModel]]:
    if world.state is EntryState.SENDING and not world.lease:
        yield "the lease lapses", world._replace(state=EntryState.UNKNOWN, settled_ticks=0)
    if any(sender.phase != "idle" for sender in world.senders) or world.search_result is not None:
        # One process has a ledger at a time: with it both senders are gone, and what it was about to do.
        state = EntryState.UNKNOWN if world.state is EntryState.SENDING else world.state
        yield (
            "killed and opened",
            world._replace(state=state, settled_ticks=0, senders=(Sender(), Sender()), search_result=None),
        )
    if not rules.lock and world.state is EntryState.SENDING:
        yield "opened by another process", world._replace(state=EntryState.UNKNOWN, settled_ticks=0)
    if world.state is EntryState.NEW:
        yield "its time passes", _move(world, rules, Transition.EXPIRE, world.attempt)
        yield "its row is broken", _move(world, rules, Transition.INVALIDATE, world.attempt)
        if world.resent:
            yield "its content has changed", _move(world, rules, Transition.MARK_UNKNOWN, world.attempt)
    at_rest = all(sender.phase == "idle" for sender in world.senders) and world.search_result is None
    if world.state is EntryState.INVALID and at_rest and not world.resent:
        yield (
            "its row is mended",
            world._replace(state=EntryState.NEW, attempt=0, resent=False, resent_by_policy=False, settled_ticks=0),
        )
    if world.callback:
        yield "a callback", _move(world, rules, Transition.ACCEPT, 0)._replace(callback=False, reported=True)
        yield "a callback is lost", world._replace(callback=False)


def _server(world: LedgerModel) -> Iterator[tuple[str, LedgerModel]]:
    for place, (attempt, _) in enumerate(world.in_flight):
        rest = world.in_flight[:place] + world.in_flight[place + 1 :]
        took = world._replace(in_flight=rest, accepted=world.accepted + 1, callback=True)
        yield "accepted", _answered(took, attempt, "accepted")
        yield "accepted, the answer is lost", _answered(took, attempt, "lost")
        for how in ("refused", "later", "lost"):
            yield how, _answered(world._replace(in_flight=rest), attempt, how)


def _answered(world: LedgerModel, attempt: int, how: str) -> LedgerModel:
    """The sender of an attempt has an answer in its hands, if it is there yet."""
    told = Sender(how, attempt)
    senders = tuple(told if sender == Sender("waiting", attempt) else sender for sender in world.senders)
    return world._replace(senders=(senders[0], senders[1]))


def _settling(world: LedgerModel, rules: Rules) -> Iterator[tuple[str, LedgerModel]]:
    there = world.accepted > 0 and world.shown >= rules.lag
    if world.state is EntryState.UNKNOWN and world.search_result is None:
        if there:
            yield "a search finds it", world._replace(search_result=(world.attempt, True))
        elif world.settled_ticks >= rules.settle and (not world.lease or not rules.lease_matters):
            yield "a complete search does not find it", world._replace(search_result=(world.attempt, False))
        if rules.policy and not world.resent and not world.lease and world.settled_ticks >= rules.settle:
            again = _move(world, rules, Transition.RESEND, world.attempt)
            yield "sent again by policy", again._replace(resent=True, resent_by_policy=True)
    if world.search_result is not None:
        attempt, found = world.search_result
        move = Transition.ACCEPT if found else Transition.CONFIRM_ABSENT
        yield "the search counts", _move(world, rules, move, attempt)._replace(search_result=None)


_TELLS = {
    "accepted": Transition.ACCEPT,
    "refused": Transition.REJECT,
    "later": Transition.RELEASE,
    "lost": Transition.MARK_UNKNOWN,
}


def _sender(world: LedgerModel, rules: Rules, place: int) -> Iterator[tuple[str, LedgerModel]]:
    sender = world.senders[place]

    def becomes(phase: str, attempt: int = 0, among: LedgerModel = world) -> LedgerModel:
        senders = list(among.senders)
        senders[place] = Sender(phase, attempt)
        # Two senders that change places are the same world.
        first, second = sorted(senders)
        return among._replace(senders=(first, second))

    match sender.phase:
        case "idle":
            if world.state is EntryState.NEW and world.attempt < MOST_ATTEMPTS:
                claimed = _move(world, rules, Transition.CLAIM, world.attempt)
                number = world.attempt + 1
                yield "claimed", becomes("claimed", number, claimed._replace(attempt=number, lease=LEASE))
        case "claimed":
            holds = world.lease > 0 and world.attempt == sender.attempt
            if holds or not rules.gate:
                yield "through the gate", becomes("passed", sender.attempt)
            if not holds:
                told = _move(world, rules, Transition.RELEASE, sender.attempt)
                yield "stopped at the gate", becomes("idle", 0, told)
            refused = _move(world, rules, Transition.INVALIDATE, sender.attempt)
            yield "no flow can be made", becomes("idle", 0, refused)
        case "passed":
            flying = tuple(sorted((*world.in_flight, (sender.attempt, 0))))
            yield "the first byte", becomes("waiting", sender.attempt, world._replace(in_flight=flying))
        case "waiting":
            told = _move(world, rules, Transition.MARK_UNKNOWN, sender.attempt)
            yield "no answer in time", becomes("idle", 0, told)
        case answer:
            told = _move(world, rules, _TELLS[answer], sender.attempt)
            told = told._replace(reported=told.reported or answer == "accepted")
            yield f"told that it was {answer}", becomes("idle", 0, told)
