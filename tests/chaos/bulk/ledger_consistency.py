"""Consistency of a ledger with the server's own count: every row has one outcome, and every outcome is true."""

from collections import Counter
from pathlib import Path

from routee_failover.ledger import EntryState, SqliteLedger
from tests.chaos.faulty_server import FaultyServer

_POSSIBLE_COUNTS = {
    EntryState.ACCEPTED: (1,),
    EntryState.REJECTED: (0,),
    EntryState.EXPIRED: (0,),
    EntryState.INVALID: (0,),
    EntryState.NEW: (0,),
    EntryState.UNKNOWN: (0, 1),
    EntryState.SENDING: (0, 1),
}
"""How often the server can have accepted a message with this state in the ledger."""


async def check_ledger_against_server(server: FaultyServer, path: Path, rows: int) -> Counter[EntryState]:
    """Return the number of rows in each state, after a check that no state contradicts the server's count."""
    states: dict[str, EntryState] = {}
    async with SqliteLedger.read(path) as ledger:
        async for entry in ledger.entries():
            assert entry.recipient not in states, "a row is twice in the ledger"
            states[entry.recipient] = entry.state
    assert server.accepted_twice == [], "accepted twice"
    problems = [
        f"{number} is {state} and was accepted {server.accepted[number]} times"
        for number, state in states.items()
        if server.accepted[number] not in _POSSIBLE_COUNTS[state]
    ]
    assert problems == []
    unrecorded = [number for number, times in server.accepted.items() if times and number not in states]
    assert unrecorded == [], "accepted without a ledger entry"
    assert len(states) <= rows
    return Counter(states.values())
