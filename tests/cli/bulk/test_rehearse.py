"""The dry run: every row is checked, samples are shown without secrets, nothing is sent and no file is made."""

import json

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import OTP, SMS, Campaign, everyone, keeps_its_secrets, number, recipients


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


@pytest.mark.parametrize("more", [["--dry-run"], ["--dry-run", "--json"], [], ["--json"]], ids=" ".join)
@pytest.mark.parametrize("place", [0, 1, None])
def test_labels_of_its_own(place: int | None, more: list[str], campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Of an OTP with a label on a step it is said that doubts will stay, before anything is sent; of others not."""
    steps = [step | ({"label": "mine"} if index == place else {}) for index, step in enumerate(OTP["flow"])]
    result = cli(*campaign.write(3, flow=OTP | {"flow": steps}).run(*more), at=sandbox)
    assert result.status == 0, result
    assert ("steps have a label of their own" in " ".join(result.out.split())) == (place is not None)


def test_labels_elsewhere(campaign: Campaign, cli: Cli) -> None:
    """A label on an SMS that is no OTP is looked for in the texts of a list, and hinders nothing."""
    step = SMS["flow"][0]
    flow = SMS | {"flow": [step | {"message": step["message"] | {"label": "mine"}}]}
    result = cli(*campaign.write(3, flow=flow).run("--dry-run"))
    assert (result.status, "label of their own" in result.out) == (0, False), result


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_key_of_a_bad_and_a_good_row(order: tuple[int, int], campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Whichever comes first, the good one can be sent by the dry run's count, and is sent by the run."""
    rows = [f"{number(9)},Bad,", f"{number(9)},Good,1111"]
    campaign.write(3, *(rows[place] for place in order))
    assert "5 rows: 4 can be sent, 1 cannot." in cli(*campaign.run("--dry-run")).out
    assert cli(*campaign.run(), at=sandbox).status == 1
    assert sorted(recipients(sandbox)) == [*everyone(3), number(9)]
