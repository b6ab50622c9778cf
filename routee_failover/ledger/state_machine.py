"""State machine of a ledger entry. It is a table, so that it can be read whole and explored exhaustively.

NEW ──CLAIM──> SENDING ──ACCEPT─────> ACCEPTED
^                │ ├────REJECT──────> REJECTED
│                │ └────INVALIDATE──> INVALID
├────RELEASE─────┤
│                └────MARK_UNKNOWN──> UNKNOWN
└────CONFIRM_ABSENT, RESEND ────────────┘ └──ACCEPT, REJECT──> ...
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class EntryState(StrEnum):
    """State of a ledger entry."""

    NEW = "NEW"
    """Not sent, and no attempt of it can have been accepted: it may be sent. Only after RESEND an earlier attempt may
    have been accepted; the entry then still has its fingerprint."""
    SENDING = "SENDING"
    """Claimed by a sender until its lease expires; its first byte may have been sent."""
    ACCEPTED = "ACCEPTED"
    """Routee accepted it. It is never sent again."""
    REJECTED = "REJECTED"
    """Routee rejected it."""
    UNKNOWN = "UNKNOWN"
    """Routee may have accepted it. It is not sent before that is known, or RESEND is applied."""
    EXPIRED = "EXPIRED"
    """It was not accepted, and its deadline has passed."""
    INVALID = "INVALID"
    """No flow that Routee accepts can be built from it."""


class Transition(StrEnum):
    """Transition of a ledger entry."""

    CLAIM = "claim"
    """A sender claims it, before the first byte."""
    ACCEPT = "accept"
    """A response, a callback or a search shows that Routee accepted it."""
    REJECT = "reject"
    """Routee rejected it."""
    RELEASE = "release"
    """Its own sender has proof that nothing of it was accepted, and that it may be sent later."""
    MARK_UNKNOWN = "mark_unknown"
    """The attempt result proves nothing, or the sender is gone."""
    CONFIRM_ABSENT = "confirm_absent"
    """A complete search, after the lease and a waiting time, has shown that Routee did not accept it."""
    RESEND = "resend"
    """The caller's explicit policy: the outcome cannot be found out, and the same message is sent once more."""
    EXPIRE = "expire"
    """Its deadline has passed while it was not sent."""
    INVALIDATE = "invalidate"
    """No flow can be built from it."""


_OPEN = frozenset({EntryState.NEW, EntryState.SENDING, EntryState.UNKNOWN})
_NOT_ACCEPTED = frozenset(EntryState) - {EntryState.ACCEPTED}

TRANSITIONS: Mapping[Transition, tuple[frozenset[EntryState], EntryState]] = MappingProxyType(
    {
        Transition.CLAIM: (frozenset({EntryState.NEW}), EntryState.SENDING),
        # A callback is proof from every state: that a search was wrong, that the entry was given up too early, or that
        # of two attempts, the second by policy, the first was accepted although the second was rejected.
        Transition.ACCEPT: (_NOT_ACCEPTED, EntryState.ACCEPTED),
        Transition.REJECT: (_OPEN, EntryState.REJECTED),
        Transition.RELEASE: (frozenset({EntryState.SENDING, EntryState.UNKNOWN}), EntryState.NEW),
        # Also from NEW: for a resend whose content has changed, and for an attempt result that comes late and proves
        # nothing.
        Transition.MARK_UNKNOWN: (frozenset({EntryState.SENDING, EntryState.NEW}), EntryState.UNKNOWN),
        Transition.CONFIRM_ABSENT: (frozenset({EntryState.UNKNOWN}), EntryState.NEW),
        Transition.RESEND: (frozenset({EntryState.UNKNOWN}), EntryState.NEW),
        # Also from UNKNOWN: for a message that is proven not to be accepted only after its deadline.
        Transition.EXPIRE: (frozenset({EntryState.NEW, EntryState.UNKNOWN}), EntryState.EXPIRED),
        Transition.INVALIDATE: (frozenset({EntryState.NEW, EntryState.SENDING}), EntryState.INVALID),
    }
)
"""Source states and target state of each transition. From any other state it changes nothing."""

REQUIRES_SAME_ATTEMPT: frozenset[Transition] = frozenset(Transition) - {Transition.CLAIM, Transition.ACCEPT}
"""Transitions that count only for the attempt that they report: what a sender knows of its own attempt says nothing
of the next one, nor does a search that was started for one attempt say anything of another made meanwhile."""

CLEARS_FINGERPRINT: frozenset[Transition] = frozenset(
    {Transition.RELEASE, Transition.CONFIRM_ABSENT, Transition.INVALIDATE}
)
"""Transitions after which other content may be sent in place of what was not accepted: a new PIN, for example. An
entry that is NEW and still has a fingerprint may have been accepted, and only the same content may be sent again."""

KEEPS_RESENT_BY_POLICY: frozenset[Transition] = frozenset(
    {Transition.RELEASE, Transition.MARK_UNKNOWN, Transition.REJECT, Transition.INVALIDATE, Transition.EXPIRE}
)
"""Transitions that prove nothing about an earlier attempt: a resend by policy alone stays bound to its content."""

UNKNOWN_AFTER_RESEND: frozenset[Transition] = frozenset({Transition.REJECT, Transition.INVALIDATE, Transition.EXPIRE})
"""Those of them that lead to a final state otherwise: after a resend by policy the entry becomes UNKNOWN, because the
first attempt may have been accepted."""

ENDS_LEASE: frozenset[Transition] = frozenset({Transition.MARK_UNKNOWN})
"""Transitions with which a sender ends its attempt: no byte of it is sent any more, although its lease may run."""

FINAL_STATES: frozenset[EntryState] = frozenset(
    {EntryState.ACCEPTED, EntryState.REJECTED, EntryState.EXPIRED, EntryState.INVALID}
)
"""States that only a proof of acceptance changes."""


def next_state(
    state: EntryState, transition: Transition, *, same_attempt: bool = True, resent_by_policy: bool = False
) -> EntryState:
    """Return the state after a transition: `state` itself if the transition does not count.

    `resent_by_policy` says that the attempt was made by policy alone, while the outcome of an earlier one is UNKNOWN.
    """
    sources, target = TRANSITIONS[transition]
    if state not in sources or (transition in REQUIRES_SAME_ATTEMPT and not same_attempt):
        return state
    return EntryState.UNKNOWN if resent_by_policy and transition in UNKNOWN_AFTER_RESEND else target
