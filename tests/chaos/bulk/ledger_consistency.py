"""A ledger held against the server's own count: every row in one outcome, and every outcome true."""

from collections import Counter
from pathlib import Path

from routee_failover.ledger import EntryState, SqliteLedger
from tests.chaos.faulty_server import FaultyServer

_TAKEN = {
    EntryState.ACCEPTED: (1,),
    EntryState.REJECTED: (0,),
    EntryState.EXPIRED: (0,),
    EntryState.INVALID: (0,),
    EntryState.NEW: (0,),
    EntryState.UNKNOWN: (0, 1),
    EntryState.SENDING: (0, 1),
}
"""How often the server can have taken a message that stands so in the ledger."""


async def check_ledger_against_server(server: FaultyServer, path: Path, rows: int) -> Counter[EntryState]:
    """How many rows stand in each state, once nothing of it speaks against what the server counted."""
    states: dict[str, EntryState] = {}
    async with SqliteLedger.read(path) as ledger:
        async for intent in ledger.entries():
            assert intent.recipient not in states, "a row stands twice in the ledger"
            states[intent.recipient] = intent.state
    assert server.accepted_twice == [], "taken twice"
    wrong = [
        f"{number} is {state} and was taken {server.accepted[number]} times"
        for number, state in states.items()
        if server.accepted[number] not in _TAKEN[state]
    ]
    assert wrong == []
    strangers = [number for number, times in server.accepted.items() if times and number not in states]
    assert strangers == [], "taken without an intent"
    assert len(states) <= rows
    return Counter(states.values())
