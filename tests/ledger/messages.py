"""Messages for ledgers to keep: what somebody wants to send, and how attempts at it end."""

from routee_failover.ledger import Ending, Found, Ledger, Wanted
from routee_failover.ledger.intent import tag_of

LEASE = 60.0


def wanted(line: int, key: str | None = None, fingerprint: bytes = b"f") -> Wanted:
    """A row of a source."""
    recipient = f"+3069{line:08d}"
    key = key or recipient
    return Wanted(tag_of(key), key, recipient, line, fingerprint)


async def claimed(ledger: Ledger, *lines: int) -> list[Found]:
    """Rows that were claimed just now."""
    found = await ledger.claim([wanted(line) for line in lines], lease=LEASE)
    assert all(one.mine for one in found)
    return found


def ending(found: Found, reason: str = "", identity: str | None = None, proof: str = "answer") -> Ending:
    """How the attempt of one that was claimed ended."""
    return Ending(found.number, found.attempt, reason, identity, "Viber", 0.25, proof)
