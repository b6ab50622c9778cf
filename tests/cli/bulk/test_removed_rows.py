"""Rows that are taken out of a source while its ledger holds their messages: told apart, and never called done."""

import asyncio
import json

import pytest

from routee_failover.ledger import ClaimRequest, SqliteLedger, Transition, TransitionDetails
from routee_failover.ledger.entry import hash_key
from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import SMS, Campaign, number, recipients


def _not_sent(campaign: Campaign, *people: int) -> None:
    """Leave messages in the ledger that were begun, and of which nothing was taken."""

    async def leave() -> None:
        async with SqliteLedger(campaign.ledger) as ledger:
            wanted = [ClaimRequest(hash_key(number(one)), number(one), number(one), 90) for one in people]
            for found in await ledger.claim(wanted, lease=60):
                await ledger.apply(Transition.RELEASE, TransitionDetails(found.number, found.attempt, "no connection"))

    asyncio.run(leave())


def test_not_sent_and_gone(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A run whose source lacks what the ledger holds ends with 3 and says so; once the row is back it is sent."""
    assert cli(*campaign.write(3, flow=SMS).run(), at=sandbox).exit_code == 0
    _not_sent(campaign, 7)
    ledger = str(campaign.ledger)
    assert cli("bulk", "status", ledger).exit_code == 3
    result = cli("bulk", "resume", ledger, at=sandbox)
    status = cli("bulk", "status", ledger)
    assert (result.exit_code, status.exit_code, len(sandbox.accepted)) == (3, 3, 3), result
    for said in (result.out, status.out):
        assert "1 message of the ledger is not in the source any more." in said
        assert "1 not sent, and not in the source; put its row back" in said
    assert "3 of 4 rows are accepted" in result.out
    told = json.loads(cli("bulk", "status", ledger, "--json").out)
    assert (told["total"], told["accepted"], told["not_sent"], told["not_in_source"]) == (3, 3, 1, 1)
    campaign.write(3, f"{number(7)},Back,1", flow=SMS)
    back = cli("bulk", "resume", ledger, at=sandbox)
    assert (back.exit_code, recipients(sandbox)[-1]) == (0, number(7)), back
    assert "All 4 are accepted" in back.out


@pytest.mark.parametrize("again", [1, 2])
def test_duplicates_in_a_run_that_goes_on(again: int, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Rows with the key of another are duplicates in the later runs too, and never rows that are not sent yet."""
    campaign.write(5, *[f"{number(2)},Twice,1"] * 3, flow=SMS)
    first = cli(*campaign.run("--json"), at=sandbox)
    for _ in range(again):
        last = cli("bulk", "resume", str(campaign.ledger), "--json", at=sandbox)
        one, other = (json.loads(result.out.splitlines()[-1]) for result in (first, last))
        assert (first.exit_code, last.exit_code) == (0, 0), last
        assert one["duplicates"] == other["duplicates"] == 3
        assert one["not_sent"] == other["not_sent"] == one["not_in_source"] == 0
    assert cli("bulk", "status", str(campaign.ledger)).exit_code == 0
