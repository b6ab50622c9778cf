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


class State(StrEnum):
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


class Move(StrEnum):
    """What may happen to an intent."""

    CLAIM = "claim"
    """A sender takes it, before the first byte."""
    ACCEPT = "accept"
    """An answer, a callback or a search shows that Routee took it."""
    REJECT = "reject"
    """Routee answered no."""
    RETURN = "return"
    """Its own sender has proof that nothing of it was taken, and that it may be sent later."""
    DOUBT = "doubt"
    """What came back proves nothing, or its sender is gone."""
    ABSENT = "absent"
    """A complete search, after the lease and a settling time, has shown that Routee did not take it."""
    AGAIN = "again"
    """The caller's explicit policy: nobody can know, send the same once more."""
    EXPIRE = "expire"
    """Its time has passed while it was not sent."""
    REFUSE = "refuse"
    """It turns out that no flow can be made of it."""


_OPEN = frozenset({State.NEW, State.SENDING, State.UNKNOWN})
_NOT_ACCEPTED = frozenset(State) - {State.ACCEPTED}

MOVES: Mapping[Move, tuple[frozenset[State], State]] = MappingProxyType(
    {
        Move.CLAIM: (frozenset({State.NEW}), State.SENDING),
        # A callback proves it whatever was believed: that a search was wrong, that it was given up, or that of two
        # attempts, the second by policy, the first was taken although the second was refused.
        Move.ACCEPT: (_NOT_ACCEPTED, State.ACCEPTED),
        Move.REJECT: (_OPEN, State.REJECTED),
        Move.RETURN: (frozenset({State.SENDING, State.UNKNOWN}), State.NEW),
        # Also from NEW: who finds that it cannot be sent again as it was, or comes late with no proof, says so.
        Move.DOUBT: (frozenset({State.SENDING, State.NEW}), State.UNKNOWN),
        Move.ABSENT: (frozenset({State.UNKNOWN}), State.NEW),
        Move.AGAIN: (frozenset({State.UNKNOWN}), State.NEW),
        # From UNKNOWN where it proves not to be taken when it is worth nothing any more.
        Move.EXPIRE: (frozenset({State.NEW, State.UNKNOWN}), State.EXPIRED),
        Move.REFUSE: (frozenset({State.NEW, State.SENDING}), State.INVALID),
    }
)
"""From which states each move is made, and where it leads. From any other it changes nothing."""

BY_SENDER: frozenset[Move] = frozenset(Move) - {Move.CLAIM, Move.ACCEPT}
"""Moves that count only for the attempt that they tell of: what a sender knows of its own, an overtaken one does not
know of the next, and a search that was begun for one attempt says nothing of another that was made meanwhile."""

FORGETS_CONTENT: frozenset[Move] = frozenset({Move.RETURN, Move.ABSENT, Move.REFUSE})
"""Moves after which anything may be sent in the place of what was not taken: a new PIN, for example. What is NEW and
has a fingerprint yet may have been taken, and only the same content may be sent again."""

KEEPS_POLICY: frozenset[Move] = frozenset({Move.RETURN, Move.DOUBT, Move.REJECT, Move.REFUSE, Move.EXPIRE})
"""Moves that say nothing of an earlier attempt: what is sent once more by policy alone stays bound to its content."""

ENDS_ONE: frozenset[Move] = frozenset({Move.REJECT, Move.REFUSE, Move.EXPIRE})
"""Of them, those that would end it: what was sent once more by policy is UNKNOWN then, for the first may be there."""

ENDS_LEASE: frozenset[Move] = frozenset({Move.DOUBT})
"""Moves by which a sender says that it is through: no byte of its attempt leaves any more, whatever its lease."""

SETTLED: frozenset[State] = frozenset({State.ACCEPTED, State.REJECTED, State.EXPIRED, State.INVALID})
"""States that only a proof of acceptance leaves."""


def after(state: State, move: Move, *, same_attempt: bool = True, bound: bool = False) -> State:
    """The state that a move leads to, which is the same state where the move does not count.

    `bound` says that the attempt was made by policy alone, with an earlier one in doubt.
    """
    sources, target = MOVES[move]
    if state not in sources or (move in BY_SENDER and not same_attempt):
        return state
    return State.UNKNOWN if bound and move in ENDS_ONE else target
