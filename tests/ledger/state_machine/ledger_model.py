"""Model around the ledger's state machine: one message, two senders, a server, a search, callbacks, and time.

What the ledger does is the real `state_machine.next_state`; the rest is the least that can go wrong, in every order. A
frozen sender is one that takes no step while time passes. Time is counted in ticks, and only as far as it matters.
"""

from collections.abc import Iterator
from typing import NamedTuple

from routee_failover.ledger.state_machine import EntryState, Transition, next_state

MAX_ATTEMPTS = 3
LEASE = 2
"""Ticks for which a sender holds a claim."""
FLIGHT = 2
"""Maximum ticks for which a message is in flight."""


class Rules(NamedTuple):
    """Rules that the model follows; a mutation removes one of them."""

    lease_check: bool = True
    """The last check: no byte is sent once the lease has expired."""
    check_and_byte_at_once: bool = True
    """Nothing comes between that check and the first byte."""
    min_unknown_ticks: int = 3
    """Ticks between an UNKNOWN entry whose lease has expired and a search whose empty result counts."""
    search_lag: int = 2
    """Ticks until a search shows what was accepted."""
    search_waits_for_lease: bool = True
    """An empty search result counts only once the lease has expired."""
    sender_attempt_must_match: bool = True
    """What a sender knows of its own attempt does not count for the next."""
    search_attempt_must_match: bool = True
    """A search that was started for one attempt does not count for the next."""
    lock: bool = True
    """One process has the ledger at a time. Without that, a second one opens it while the first still sends."""
    resend_stays_bound: bool = True
    """A resend by policy that is rejected, invalid or too late says nothing about the first attempt."""
    resend_policy: bool = False
    """Whether an UNKNOWN entry is resent once by policy, although its outcome is not known."""


class Sender(NamedTuple):
    """Sender: its phase, and its attempt."""

    phase: str = "idle"
    """idle, claimed, checked (its lease), waiting, or the attempt result: accepted, rejected, released, lost."""
    attempt: int = 0


class LedgerModel(NamedTuple):
    """Everything that the next step depends on."""

    state: EntryState = EntryState.NEW
    attempt: int = 0
    lease: int = 0
    """Ticks that are left of it."""
    unknown_ticks: int = 0
    """Ticks since the entry became UNKNOWN and its lease expired."""
    senders: tuple[Sender, Sender] = (Sender(), Sender())
    in_flight: tuple[tuple[int, int], ...] = ()
    """Messages in flight: attempt and age."""
    accepted: int = 0
    """How often the server has accepted the message."""
    shown: int = 0
    """Ticks since it accepted it first."""
    callback: bool = False
    """Whether a callback is in flight."""
    reported: bool = False
    """Whether a callback, or a response, has reported the acceptance to the ledger."""
    search_result: tuple[int, bool] | None = None
    """Search result that has not been applied yet: the attempt it was started for, and whether it found the message."""
    resent: bool = False
    """Whether the policy has resent it."""
    resent_by_policy: bool = False
    """Whether no search has confirmed since then that the message was absent."""


def steps(model: LedgerModel, rules: Rules) -> Iterator[tuple[str, LedgerModel]]:
    """Iterate over everything that may happen next."""
    yield from _time(model, rules)
    yield from _ledger(model, rules)
    yield from _server(model)
    yield from _reconciliation(model, rules)
    for index in (0, 1):
        yield from _sender(model, rules, index)


def _apply(model: LedgerModel, rules: Rules, transition: Transition, attempt: int) -> LedgerModel:
    """Return the model after a transition that reports an attempt."""
    must_match = (
        rules.search_attempt_must_match
        if transition in {Transition.CONFIRM_ABSENT, Transition.RESEND}
        else rules.sender_attempt_must_match
    )
    same = attempt == model.attempt or not must_match
    state = next_state(
        model.state,
        transition,
        same_attempt=same,
        resent_by_policy=model.resent_by_policy and rules.resend_stays_bound,
    )
    bound = model.resent_by_policy and transition is not Transition.CONFIRM_ABSENT
    return model if state is model.state else model._replace(state=state, unknown_ticks=0, resent_by_policy=bound)


def _time(model: LedgerModel, rules: Rules) -> Iterator[tuple[str, LedgerModel]]:
    if any(age >= FLIGHT for _, age in model.in_flight):
        return  # it arrives, or is lost, before more time passes
    if rules.check_and_byte_at_once and any(sender.phase == "checked" for sender in model.senders):
        return
    waits = model.state is EntryState.UNKNOWN and (not model.lease or not rules.search_waits_for_lease)
    yield (
        "a tick",
        model._replace(
            lease=max(0, model.lease - 1),
            unknown_ticks=min(rules.min_unknown_ticks, model.unknown_ticks + 1) if waits else 0,
            in_flight=tuple((attempt, age + 1) for attempt, age in model.in_flight),
            shown=min(rules.search_lag, model.shown + 1) if model.accepted else 0,
        ),
    )


def _ledger(model: LedgerModel, rules: Rules) -> Iterator[tuple[str, LedgerModel]]:
    if model.state is EntryState.SENDING and not model.lease:
        yield "the lease expires", model._replace(state=EntryState.UNKNOWN, unknown_ticks=0)
    if any(sender.phase != "idle" for sender in model.senders) or model.search_result is not None:
        # One process has a ledger at a time: a kill ends both senders, and drops a result that was not applied.
        state = EntryState.UNKNOWN if model.state is EntryState.SENDING else model.state
        yield (
            "killed and opened",
            model._replace(state=state, unknown_ticks=0, senders=(Sender(), Sender()), search_result=None),
        )
    if not rules.lock and model.state is EntryState.SENDING:
        yield "opened by another process", model._replace(state=EntryState.UNKNOWN, unknown_ticks=0)
    if model.state is EntryState.NEW:
        yield "its deadline passes", _apply(model, rules, Transition.EXPIRE, model.attempt)
        yield "its row is invalid", _apply(model, rules, Transition.INVALIDATE, model.attempt)
        if model.resent:
            yield "its content has changed", _apply(model, rules, Transition.MARK_UNKNOWN, model.attempt)
    at_rest = all(sender.phase == "idle" for sender in model.senders) and model.search_result is None
    if model.state is EntryState.INVALID and at_rest and not model.resent:
        yield (
            "its row is corrected",
            model._replace(state=EntryState.NEW, attempt=0, resent=False, resent_by_policy=False, unknown_ticks=0),
        )
    if model.callback:
        yield "a callback", _apply(model, rules, Transition.ACCEPT, 0)._replace(callback=False, reported=True)
        yield "a callback is lost", model._replace(callback=False)


def _server(model: LedgerModel) -> Iterator[tuple[str, LedgerModel]]:
    for index, (attempt, _) in enumerate(model.in_flight):
        rest = model.in_flight[:index] + model.in_flight[index + 1 :]
        accepted = model._replace(in_flight=rest, accepted=model.accepted + 1, callback=True)
        yield "accepted", _respond(accepted, attempt, "accepted")
        yield "accepted, the response is lost", _respond(accepted, attempt, "lost")
        for result in ("rejected", "released", "lost"):
            yield result, _respond(model._replace(in_flight=rest), attempt, result)


def _respond(model: LedgerModel, attempt: int, result: str) -> LedgerModel:
    """Give the sender of an attempt its result, if it still waits."""
    resolved = Sender(result, attempt)
    senders = tuple(resolved if sender == Sender("waiting", attempt) else sender for sender in model.senders)
    return model._replace(senders=(senders[0], senders[1]))


def _reconciliation(model: LedgerModel, rules: Rules) -> Iterator[tuple[str, LedgerModel]]:
    is_shown = model.accepted > 0 and model.shown >= rules.search_lag
    if model.state is EntryState.UNKNOWN and model.search_result is None:
        if is_shown:
            yield "a search finds it", model._replace(search_result=(model.attempt, True))
        elif model.unknown_ticks >= rules.min_unknown_ticks and (not model.lease or not rules.search_waits_for_lease):
            yield "a complete search does not find it", model._replace(search_result=(model.attempt, False))
        if (
            rules.resend_policy
            and not model.resent
            and not model.lease
            and model.unknown_ticks >= rules.min_unknown_ticks
        ):
            resent = _apply(model, rules, Transition.RESEND, model.attempt)
            yield "resent by policy", resent._replace(resent=True, resent_by_policy=True)
    if model.search_result is not None:
        attempt, found = model.search_result
        transition = Transition.ACCEPT if found else Transition.CONFIRM_ABSENT
        yield "the search result is applied", _apply(model, rules, transition, attempt)._replace(search_result=None)


_TRANSITIONS = {
    "accepted": Transition.ACCEPT,
    "rejected": Transition.REJECT,
    "released": Transition.RELEASE,
    "lost": Transition.MARK_UNKNOWN,
}


def _sender(model: LedgerModel, rules: Rules, index: int) -> Iterator[tuple[str, LedgerModel]]:
    sender = model.senders[index]

    def with_sender(phase: str, attempt: int = 0, base: LedgerModel = model) -> LedgerModel:
        senders = list(base.senders)
        senders[index] = Sender(phase, attempt)
        # Two senders that are exchanged are the same model.
        first, second = sorted(senders)
        return base._replace(senders=(first, second))

    match sender.phase:
        case "idle":
            if model.state is EntryState.NEW and model.attempt < MAX_ATTEMPTS:
                claimed = _apply(model, rules, Transition.CLAIM, model.attempt)
                number = model.attempt + 1
                yield "claimed", with_sender("claimed", number, claimed._replace(attempt=number, lease=LEASE))
        case "claimed":
            holds = model.lease > 0 and model.attempt == sender.attempt
            if holds or not rules.lease_check:
                yield "the lease is checked", with_sender("checked", sender.attempt)
            if not holds:
                updated = _apply(model, rules, Transition.RELEASE, sender.attempt)
                yield "the lease has expired", with_sender("idle", 0, updated)
            invalid = _apply(model, rules, Transition.INVALIDATE, sender.attempt)
            yield "no flow can be built", with_sender("idle", 0, invalid)
        case "checked":
            in_flight = tuple(sorted((*model.in_flight, (sender.attempt, 0))))
            yield "the first byte", with_sender("waiting", sender.attempt, model._replace(in_flight=in_flight))
        case "waiting":
            updated = _apply(model, rules, Transition.MARK_UNKNOWN, sender.attempt)
            yield "no response in time", with_sender("idle", 0, updated)
        case result:
            updated = _apply(model, rules, _TRANSITIONS[result], sender.attempt)
            updated = updated._replace(reported=updated.reported or result == "accepted")
            yield f"the sender records that it was {result}", with_sender("idle", 0, updated)
