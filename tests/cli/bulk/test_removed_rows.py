"""Rows removed from a source whose messages are in the ledger: counted apart, and never as done."""

import asyncio
import json

import pytest

from routee_failover.ledger import ClaimRequest, SqliteLedger, Transition, TransitionDetails
from routee_failover.ledger.entry import hash_key
from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import SMS, Campaign, number, recipients


def _leave_unsent(campaign: Campaign, *people: int) -> None:
    """Leave released messages in the ledger: claimed, and not accepted."""

    async def claim_and_release() -> None:
        async with SqliteLedger(campaign.ledger) as ledger:
            requests = [ClaimRequest(hash_key(number(one)), number(one), number(one), 90) for one in people]
            for claim in await ledger.claim(requests, lease=60):
                await ledger.apply(Transition.RELEASE, TransitionDetails(claim.number, claim.attempt, "no connection"))

    asyncio.run(claim_and_release())


def test_removed_unsent_row_exits_with_3_until_it_is_back(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A run whose source lacks a message of the ledger exits with code 3; once its row is back it is sent."""
    assert cli(*campaign.write(3, flow=SMS).run(), at=sandbox).exit_code == 0
    _leave_unsent(campaign, 7)
    ledger = str(campaign.ledger)
    assert cli("bulk", "status", ledger).exit_code == 3
    result = cli("bulk", "resume", ledger, at=sandbox)
    status = cli("bulk", "status", ledger)
    assert (result.exit_code, status.exit_code, len(sandbox.accepted)) == (3, 3, 3), result
    for output in (result.out, status.out):
        assert "1 message in the ledger is no longer in the source." in output
        assert "1 not sent, and no longer in the source. Put its row back" in output
    assert "3 of 4 rows accepted" in result.out
    counts = json.loads(cli("bulk", "status", ledger, "--json").out)
    assert (counts["total"], counts["accepted"], counts["not_sent"], counts["not_in_source"]) == (3, 3, 1, 1)
    campaign.write(3, f"{number(7)},Back,1", flow=SMS)
    back = cli("bulk", "resume", ledger, at=sandbox)
    assert (back.exit_code, recipients(sandbox)[-1]) == (0, number(7)), back
    assert "All 4 rows accepted" in back.out


@pytest.mark.parametrize("again", [1, 2])
def test_duplicates_stay_duplicates_in_resumed_runs(again: int, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Rows with the key of another row are duplicates in later runs too, and never unsent rows."""
    campaign.write(5, *[f"{number(2)},Twice,1"] * 3, flow=SMS)
    first = cli(*campaign.run("--json"), at=sandbox)
    for _ in range(again):
        last = cli("bulk", "resume", str(campaign.ledger), "--json", at=sandbox)
        one, other = (json.loads(result.out.splitlines()[-1]) for result in (first, last))
        assert (first.exit_code, last.exit_code) == (0, 0), last
        assert one["duplicates"] == other["duplicates"] == 3
        assert one["not_sent"] == other["not_sent"] == one["not_in_source"] == 0
    assert cli("bulk", "status", str(campaign.ledger)).exit_code == 0
