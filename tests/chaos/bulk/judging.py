"""A ledger held against the server's own count: every row in one outcome, and every outcome true."""

from collections import Counter
from pathlib import Path

from routee_failover.ledger import SqliteLedger, State
from tests.chaos.server import FaultyServer

_TAKEN = {
    State.ACCEPTED: (1,),
    State.REJECTED: (0,),
    State.EXPIRED: (0,),
    State.INVALID: (0,),
    State.NEW: (0,),
    State.UNKNOWN: (0, 1),
    State.SENDING: (0, 1),
}
"""How often the server can have taken a message that stands so in the ledger."""


async def held_against(server: FaultyServer, path: Path, rows: int) -> Counter[State]:
    """How many rows stand in each state, once nothing of it speaks against what the server counted."""
    states: dict[str, State] = {}
    async with SqliteLedger.read(path) as ledger:
        async for intent in ledger.intents():
            assert intent.recipient not in states, "a row stands twice in the ledger"
            states[intent.recipient] = intent.state
    assert server.twice == [], "taken twice"
    wrong = [
        f"{number} is {state} and was taken {server.taken[number]} times"
        for number, state in states.items()
        if server.taken[number] not in _TAKEN[state]
    ]
    assert wrong == []
    strangers = [number for number, times in server.taken.items() if times and number not in states]
    assert strangers == [], "taken without an intent"
    assert len(states) <= rows
    return Counter(states.values())
