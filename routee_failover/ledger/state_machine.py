"""The machine that every intent goes through. It is a table, so that it can be read whole and explored exhaustively.

NEW ──CLAIM──> SENDING ──ACCEPT──> ACCEPTED
^                │ ├────REJECT──> REJECTED
│                │ └────REFUSE──> INVALID
├────RETURN──────┤
│                └────DOUBT───> UNKNOWN
└────ABSENT, AGAIN ──────────────┘ └──ACCEPT, REJECT──> ...
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class EntryState(StrEnum):
    """How an intent stands."""

    NEW = "NEW"
    """It is not sent, and nothing of it can have been accepted: it may be sent."""
    SENDING = "SENDING"
    """Somebody holds it, for as long as a lease says, and may have let its first byte leave."""
    ACCEPTED = "ACCEPTED"
    """Routee took it. It is never sent again."""
    REJECTED = "REJECTED"
    """Routee refused it."""
    UNKNOWN = "UNKNOWN"
    """Routee may have taken it, and nobody knows. It is not sent before that is known."""
    EXPIRED = "EXPIRED"
    """It was not taken, and is worth nothing any more."""
    INVALID = "INVALID"
    """No flow that Routee takes can be made of it."""


class Transition(StrEnum):
    """What may happen to an intent."""

    CLAIM = "claim"
    """A sender takes it, before the first byte."""
    ACCEPT = "accept"
    """An answer, a callback or a search shows that Routee took it."""
    REJECT = "reject"
    """Routee answered no."""
    RELEASE = "release"
    """Its own sender has proof that nothing of it was taken, and that it may be sent later."""
    MARK_UNKNOWN = "mark_unknown"
    """What came back proves nothing, or its sender is gone."""
    CONFIRM_ABSENT = "confirm_absent"
    """A complete search, after the lease and a settling time, has shown that Routee did not take it."""
    RESEND = "resend"
    """The caller's explicit policy: nobody can know, send the same once more."""
    EXPIRE = "expire"
    """Its time has passed while it was not sent."""
    INVALIDATE = "invalidate"
    """It turns out that no flow can be made of it."""


_OPEN = frozenset({EntryState.NEW, EntryState.SENDING, EntryState.UNKNOWN})
_NOT_ACCEPTED = frozenset(EntryState) - {EntryState.ACCEPTED}

TRANSITIONS: Mapping[Transition, tuple[frozenset[EntryState], EntryState]] = MappingProxyType(
    {
        Transition.CLAIM: (frozenset({EntryState.NEW}), EntryState.SENDING),
        # A callback proves it whatever was believed: that a search was wrong, that it was given up, or that of two
        # attempts, the second by policy, the first was taken although the second was refused.
        Transition.ACCEPT: (_NOT_ACCEPTED, EntryState.ACCEPTED),
        Transition.REJECT: (_OPEN, EntryState.REJECTED),
        Transition.RELEASE: (frozenset({EntryState.SENDING, EntryState.UNKNOWN}), EntryState.NEW),
        # Also from NEW: who finds that it cannot be sent again as it was, or comes late with no proof, says so.
        Transition.MARK_UNKNOWN: (frozenset({EntryState.SENDING, EntryState.NEW}), EntryState.UNKNOWN),
        Transition.CONFIRM_ABSENT: (frozenset({EntryState.UNKNOWN}), EntryState.NEW),
        Transition.RESEND: (frozenset({EntryState.UNKNOWN}), EntryState.NEW),
        # From UNKNOWN where it proves not to be taken when it is worth nothing any more.
        Transition.EXPIRE: (frozenset({EntryState.NEW, EntryState.UNKNOWN}), EntryState.EXPIRED),
        Transition.INVALIDATE: (frozenset({EntryState.NEW, EntryState.SENDING}), EntryState.INVALID),
    }
)
"""From which states each move is made, and where it leads. From any other it changes nothing."""

REQUIRES_SAME_ATTEMPT: frozenset[Transition] = frozenset(Transition) - {Transition.CLAIM, Transition.ACCEPT}
"""Moves that count only for the attempt that they tell of: what a sender knows of its own, an overtaken one does not
know of the next, and a search that was begun for one attempt says nothing of another that was made meanwhile."""

CLEARS_FINGERPRINT: frozenset[Transition] = frozenset(
    {Transition.RELEASE, Transition.CONFIRM_ABSENT, Transition.INVALIDATE}
)
"""Moves after which anything may be sent in the place of what was not taken: a new PIN, for example. What is NEW and
has a fingerprint yet may have been taken, and only the same content may be sent again."""

KEEPS_RESENT_BY_POLICY: frozenset[Transition] = frozenset(
    {Transition.RELEASE, Transition.MARK_UNKNOWN, Transition.REJECT, Transition.INVALIDATE, Transition.EXPIRE}
)
"""Moves that say nothing of an earlier attempt: what is sent once more by policy alone stays bound to its content."""

UNKNOWN_AFTER_RESEND: frozenset[Transition] = frozenset({Transition.REJECT, Transition.INVALIDATE, Transition.EXPIRE})
"""Of them, those that would end it: what was sent once more by policy is UNKNOWN then, for the first may be there."""

ENDS_LEASE: frozenset[Transition] = frozenset({Transition.MARK_UNKNOWN})
"""Moves by which a sender says that it is through: no byte of its attempt leaves any more, whatever its lease."""

FINAL_STATES: frozenset[EntryState] = frozenset(
    {EntryState.ACCEPTED, EntryState.REJECTED, EntryState.EXPIRED, EntryState.INVALID}
)
"""States that only a proof of acceptance leaves."""


def next_state(
    state: EntryState, transition: Transition, *, same_attempt: bool = True, resent_by_policy: bool = False
) -> EntryState:
    """The state that a move leads to, which is the same state where the move does not count.

    `bound` says that the attempt was made by policy alone, with an earlier one in doubt.
    """
    sources, target = TRANSITIONS[transition]
    if state not in sources or (transition in REQUIRES_SAME_ATTEMPT and not same_attempt):
        return state
    return EntryState.UNKNOWN if resent_by_policy and transition in UNKNOWN_AFTER_RESEND else target
