"""Factories of claim requests, claims and transition details."""

from routee_failover.ledger import ClaimRequest, ClaimResult, Ledger, TransitionDetails
from routee_failover.ledger.entry import hash_key

LEASE = 60.0


def claim_request(line: int, key: str | None = None, fingerprint: bytes = b"f") -> ClaimRequest:
    """Return the claim request of a source row."""
    recipient = f"+3069{line:08d}"
    key = key or recipient
    return ClaimRequest(hash_key(key), key, recipient, line, fingerprint)


async def claim_lines(ledger: Ledger, *lines: int) -> list[ClaimResult]:
    """Claim rows, and assert that all of them were claimed."""
    found = await ledger.claim([claim_request(line) for line in lines], lease=LEASE)
    assert all(one.claimed for one in found)
    return found


def transition_details(
    found: ClaimResult, reason: str = "", tracking_id: str | None = None, resolved_by: str = "response"
) -> TransitionDetails:
    """Return the details of a transition of a claimed attempt."""
    return TransitionDetails(found.number, found.attempt, reason, tracking_id, "Viber", 0.25, resolved_by)
