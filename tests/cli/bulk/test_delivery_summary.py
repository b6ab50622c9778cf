"""Delivery summary: accepted messages by delivery outcome and channel, and the command to collect the reports."""

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

RECONCILE_COMMAND = "routee-failover bulk reconcile {} --ends"


def test_reconcile_ends_collects_reports_for_status(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Status has the command to collect delivery reports, and the counts after `reconcile --ends`."""
    sandbox.script(viber="delivered", sms="delivered")
    for index in (1, 2, 3):
        sandbox.script(to=number(index), viber="undelivered", sms="delivered")
    sandbox.script(to=number(4), viber="undelivered", sms="undelivered")
    ledger = str(campaign.ledger)
    assert cli(*campaign.write(10).run(), at=sandbox).exit_code == 0
    before = cli("bulk", "status", ledger)
    assert "No delivery reports yet. To ask Routee for them:" in before.out
    assert RECONCILE_COMMAND.format(ledger) in before.out
    nothing = {"delivered": 0, "failed": 0, "unknown": 10, "channels": {}}
    assert json.loads(cli("bulk", "status", ledger, "--json").out)["deliveries"] == nothing

    counted = "Of 10 accepted: delivered 9, failed 1, unknown 0; Viber 6, SMS 3.\n"
    collected = cli("bulk", "reconcile", ledger, "--ends", at=sandbox)
    assert (collected.exit_code, counted in collected.out) == (0, True), collected
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


def test_report_has_the_currency_of_the_balance(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Routee's prices have no currency: `reconcile --ends` stores the one of the balance, if it can be read."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    ledger, page = str(campaign.ledger), campaign.folder / "people.html"
    rule = sandbox.script(endpoint="reading", response=403)
    assert cli("bulk", "reconcile", ledger, "--ends", at=sandbox).exit_code == 0
    sandbox.forget(rule)
    assert cli("bulk", "reconcile", ledger, "--ends", at=sandbox).exit_code == 0
    assert cli("bulk", "report", ledger).exit_code == 0
    assert "EUR in total" in page.read_text("utf-8").replace("\u202f", " ")


def _printed(*counts: DeliveryCount) -> str:
    console = RecordingTerminal()
    print_lines(console, delivery_lines(DeliverySummary.from_counts(counts), "run.sqlite"))
    return console.text


@pytest.mark.parametrize(
    ("counts", "output"),
    [
        ([], "\n"),
        (
            [
                *(DeliveryCount("Succeeded", "Viber", 1_700), DeliveryCount("Succeeded", "Sms", 230)),
                *(DeliveryCount("Failed", "Sms", 40), DeliveryCount(None, None, 30)),
            ],
            "\n   Of 2,000 accepted: delivered 1,930, failed 40, unknown 30; Viber 1,700, SMS 230.\n"
            f"   30 have no delivery report yet. To ask Routee for them:\n"
            f"     {RECONCILE_COMMAND.format('run.sqlite')}\n",
        ),
        (
            [DeliveryCount("Failed", None, 1), DeliveryCount(None, None, 1)],
            "\n   Of 2 accepted: delivered 0, failed 1, unknown 1.\n"
            f"   1 has no delivery report yet. To ask Routee for it:\n     {RECONCILE_COMMAND.format('run.sqlite')}\n",
        ),
    ],
)
def test_lines_distinguish_delivered_from_accepted(counts: list[DeliveryCount], output: str) -> None:
    """Delivered and accepted are distinguished, and the command is printed while reports are missing."""
    assert _printed(*counts) == output
