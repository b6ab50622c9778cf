"""The dry run: every row is checked, samples are shown without secrets, nothing is sent and no file is made."""

import json

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import SMS, Campaign, keeps_its_secrets, number


def test_for_people(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """It says how many can be sent and by which way, which rows cannot, and shows three of them."""
    campaign.write(50, "12,Short,1111", f"{number(3)},Twice,2222")
    result = cli(*campaign.run("--dry-run"))
    assert result.status == 1
    assert "52 rows: 50 can be sent, 1 cannot, 1 is there twice and sent once." in result.out
    assert "50 by Viber, then SMS" in result.out
    assert "to GR 50" in result.out
    assert "SMS: 50 parts at most, in 50 messages" in result.out
    assert "line 52  flow[0].to" in result.out
    assert "line 2, the first row, to +3069****0000, SMS of 1 part" in result.out
    assert number(0) not in result.out
    keeps_its_secrets(result.out, folder=campaign.folder, but=[campaign.people])
    assert sorted(path.name for path in campaign.folder.iterdir()) == ["flow.json", "people.csv"]


def test_long_texts(campaign: Campaign, cli: Cli) -> None:
    """What costs more than one part is told, and why."""
    campaign.write(2, f"{number(9)},{'Ω' * 50}{'я' * 50},1111", flow=SMS)
    result = cli(*campaign.run("--dry-run"))
    assert result.status == 0
    assert "SMS: 4 parts at most, in 3 messages; the longest has 2; 1 need Unicode" in result.out


def test_for_machines(campaign: Campaign, cli: Cli) -> None:
    """With --json it is one object, which keeps the same secrets."""
    campaign.write(5, "12,Short,1111")
    result = cli(*campaign.run("--dry-run", "--json"))
    told = json.loads(result.out)
    assert (result.status, told["event"], told["rows"], told["good"], told["bad"]) == (1, "rehearsed", 6, 5, 1)
    assert told["problems"][0]["line"] == 7
    assert told["samples"][0]["flow"]["endpoint"] == "otp"
    keeps_its_secrets(result.out, folder=campaign.folder, but=[campaign.people])
