"""How the accepted messages were delivered: counts by outcome and channel, and how to have them."""

import json

import pytest

from routee_failover.bulk.delivery_summary import DeliverySummary
from routee_failover.cli.bulk.delivery_summary import delivery_lines
from routee_failover.cli.bulk.summary import print_lines
from routee_failover.ledger import DeliveryCount
from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import Campaign, number
from .progress_samples import RecordingTerminal

ASK = "routee-failover bulk reconcile {} --ends"


def test_reconcile_counts_them_and_status_knows_them(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Before, status says how to get delivery reports; `reconcile --ends` counts them; afterwards status does."""
    sandbox.script(viber="delivered", sms="delivered")
    for index in (1, 2, 3):
        sandbox.script(to=number(index), viber="undelivered", sms="delivered")
    sandbox.script(to=number(4), viber="undelivered", sms="undelivered")
    ledger = str(campaign.ledger)
    assert cli(*campaign.write(10).run(), at=sandbox).exit_code == 0
    before = cli("bulk", "status", ledger)
    assert "No delivery report of an accepted message yet; this asks Routee for them:" in before.out
    assert ASK.format(ledger) in before.out
    nothing = {"delivered": 0, "failed": 0, "unknown": 10, "channels": {}}
    assert json.loads(cli("bulk", "status", ledger, "--json").out)["deliveries"] == nothing

    counted = "Of 10 accepted: delivered 9, failed 1, unknown 0; Viber 6, SMS 3.\n"
    asked = cli("bulk", "reconcile", ledger, "--ends", at=sandbox)
    assert (asked.exit_code, counted in asked.out) == (0, True), asked
    after = cli("bulk", "status", ledger)
    assert counted in after.out
    assert "--ends" not in after.out
    known = {
        "delivered": 9,
        "failed": 1,
        "unknown": 0,
        "channels": {"Viber": {"delivered": 6, "failed": 0}, "SMS": {"delivered": 3, "failed": 1}},
    }
    for command in (["status", ledger, "--json"], ["reconcile", ledger, "--json"]):
        assert json.loads(cli("bulk", *command, at=sandbox).out)["deliveries"] == known


def test_the_report_has_the_currency_of_the_balance(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Routee's prices name no currency: `reconcile --ends` keeps the one of the balance, or none."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    ledger, page = str(campaign.ledger), campaign.folder / "people.html"
    rule = sandbox.script(endpoint="reading", response=403)
    assert cli("bulk", "reconcile", ledger, "--ends", at=sandbox).exit_code == 0
    sandbox.forget(rule)
    assert cli("bulk", "reconcile", ledger, "--ends", at=sandbox).exit_code == 0
    assert cli("bulk", "report", ledger).exit_code == 0
    assert "EUR in all" in page.read_text("utf-8").replace("\u202f", " ")


def _said(*counts: DeliveryCount) -> str:
    console = RecordingTerminal()
    print_lines(console, delivery_lines(DeliverySummary.from_counts(counts), "run.sqlite"))
    return console.text


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([], "\n"),
        (
            [
                *(DeliveryCount("Succeeded", "Viber", 1_700), DeliveryCount("Succeeded", "Sms", 230)),
                *(DeliveryCount("Failed", "Sms", 40), DeliveryCount(None, None, 30)),
            ],
            "\n   Of 2,000 accepted: delivered 1,930, failed 40, unknown 30; Viber 1,700, SMS 230.\n"
            f"   30 have no delivery report yet; this asks Routee for them:\n     {ASK.format('run.sqlite')}\n",
        ),
        (
            [DeliveryCount("Failed", None, 1), DeliveryCount(None, None, 1)],
            "\n   Of 2 accepted: delivered 0, failed 1, unknown 1.\n"
            f"   1 has no delivery report yet; this asks Routee for it:\n     {ASK.format('run.sqlite')}\n",
        ),
    ],
)
def test_in_words(counts: list[DeliveryCount], said: str) -> None:
    """Delivered and accepted are told apart, and the command stands there for as long as something is missing."""
    assert _said(*counts) == said
