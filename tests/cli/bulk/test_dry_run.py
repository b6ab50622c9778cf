"""The dry run: every row is checked, samples are shown without secrets, nothing is sent and no file is made."""

import json

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import OTP, SMS, Campaign, assert_no_secret_in, everyone, number, recipients


def test_for_people(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """It says how many can be sent and by which way, which rows cannot, and shows three of them."""
    campaign.write(50, "12,Short,1111", f"{number(3)},Twice,2222")
    result = cli(*campaign.run("--dry-run"))
    assert result.exit_code == 1
    assert "52 rows: 50 can be sent, 1 cannot, 1 is there twice and sent once." in result.out
    assert "50 by Viber, then SMS" in result.out
    assert "to GR 50" in result.out
    assert "SMS: 50 parts at most, in 50 messages" in result.out
    assert "line 52  flow[0].to" in result.out
    assert "line 2, the first row, to +3069****0000, SMS of 1 part" in result.out
    assert number(0) not in result.out
    assert_no_secret_in(result.out, folder=campaign.folder, except_files=[campaign.people])
    assert sorted(path.name for path in campaign.folder.iterdir()) == ["flow.json", "people.csv"]


def test_long_texts(campaign: Campaign, cli: Cli) -> None:
    """What costs more than one part is told, and why."""
    campaign.write(2, f"{number(9)},{'Ω' * 50}{'я' * 50},1111", flow=SMS)
    result = cli(*campaign.run("--dry-run"))
    assert result.exit_code == 0
    assert "SMS: 4 parts at most, in 3 messages; the longest has 2; 1 need Unicode" in result.out


def test_for_machines(campaign: Campaign, cli: Cli) -> None:
    """With --json it is one object, which keeps the same secrets."""
    campaign.write(5, "12,Short,1111")
    result = cli(*campaign.run("--dry-run", "--json"))
    told = json.loads(result.out)
    assert (result.exit_code, told["event"], told["rows"], told["valid"], told["invalid"]) == (1, "dry_run", 6, 5, 1)
    assert told["invalid_rows"][0]["line"] == 7
    assert told["previews"][0]["flow"]["endpoint"] == "otp"
    assert_no_secret_in(result.out, folder=campaign.folder, except_files=[campaign.people])


@pytest.mark.parametrize("more", [["--dry-run"], ["--dry-run", "--json"], [], ["--json"]], ids=" ".join)
@pytest.mark.parametrize("place", [0, 1, None])
def test_labels_of_its_own(place: int | None, more: list[str], campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Of an OTP with a label on a step it is said that doubts will stay, before anything is sent; of others not."""
    steps = [step | ({"label": "mine"} if index == place else {}) for index, step in enumerate(OTP["flow"])]
    result = cli(*campaign.write(3, flow=OTP | {"flow": steps}).run(*more), at=sandbox)
    assert result.exit_code == 0, result
    assert ("steps have a label of their own" in " ".join(result.out.split())) == (place is not None)


def test_labels_elsewhere(campaign: Campaign, cli: Cli) -> None:
    """A label on an SMS that is no OTP is looked for in the texts of a list, and hinders nothing."""
    step = SMS["flow"][0]
    flow = SMS | {"flow": [step | {"message": step["message"] | {"label": "mine"}}]}
    result = cli(*campaign.write(3, flow=flow).run("--dry-run"))
    assert (result.exit_code, "label of their own" in result.out) == (0, False), result


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_key_of_a_bad_and_a_good_row(order: tuple[int, int], campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Whichever comes first, the good one can be sent by the dry run's count, and is sent by the run."""
    rows = [f"{number(9)},Bad,", f"{number(9)},Good,1111"]
    campaign.write(3, *(rows[place] for place in order))
    assert "5 rows: 4 can be sent, 1 cannot." in cli(*campaign.run("--dry-run")).out
    assert cli(*campaign.run(), at=sandbox).exit_code == 1
    assert sorted(recipients(sandbox)) == [*everyone(3), number(9)]


def test_a_key_of_another_recipient(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The dry run and the run say which row is not sent, end with status 1, and list it among the refused rows."""
    campaign.write(3, f"{number(9)},Person 1,9041726300", f"{number(1)},Person 1,9041726300")
    dry = cli(*campaign.run("--dry-run", "--key", "name"))
    assert dry.exit_code == 1
    assert "5 rows: 3 can be sent, 1 cannot, 1 is there twice and sent once." in dry.out
    assert "1 row: the key of another recipient" in dry.out
    for more in ([], ["--json"]):
        done = cli(*campaign.run("--key", "name", *more), at=sandbox)
        assert done.exit_code == 1, done
        assert 'key_conflicts": 1' in done.out or "1 of them has the key of a message to another recipient" in done.out
        assert_no_secret_in(done.out, folder=campaign.folder, except_files=[campaign.people])
    refused = campaign.invalid_rows.read_text("utf-8")
    assert "has the key of line 3, which is for another recipient" in refused
    assert sorted(recipients(sandbox)) == everyone(3)
    status = cli("bulk", "status", str(campaign.ledger), "--json", at=sandbox)
    assert (status.exit_code, json.loads(status.out)["key_conflicts"], json.loads(status.out)["invalid"]) == (1, 1, 1)
    assert "1 of them has the key of a message to another recipient" in cli("bulk", "status", str(campaign.ledger)).out


@pytest.mark.parametrize("more", [["--dry-run"], ["--dry-run", "--json"], [], ["--json"]], ids=" ".join)
def test_a_placeholder_of_another_tool(more: list[str], campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """That everybody reads the name of a column is said before anything is sent."""
    flow = SMS | {"flow": [SMS["flow"][0] | {"message": {"body": "Hello {{name}}, [phone]"}}]}
    result = cli(*campaign.write(2, flow=flow).run(*more), at=sandbox)
    assert result.exit_code == 0, result
    assert "its texts have {name}, [phone] in them, which everybody reads as it stands" in " ".join(result.out.split())


def test_the_name_of_a_column_that_no_text_uses(campaign: Campaign, cli: Cli) -> None:
    """A column's name that stands in a text as it is counts in every row, also where that column is used nowhere."""
    flow = SMS | {"flow": [SMS["flow"][0] | {"message": {"body": "Hello [name], we open"}}]}
    result = cli(*campaign.write(3, flow=flow).run("--dry-run", "--json"))
    findings = json.loads(result.out)["findings"]
    assert [(found["kind"], found["subject"], found["count"]) for found in findings] == [("placeholder", "[name]", 3)]


def test_what_may_be_wrong_for_machines(campaign: Campaign, cli: Cli) -> None:
    """With --json the findings are a list with stable names; the hours of the run are looked at."""
    campaign.write(3, f"{number(8)},,904172630", "+881612345678,Sat,9041726300")
    result = cli(*campaign.run("--dry-run", "--json", "--hours", "09:00-20:00"))
    kinds = [
        (found["kind"], found["subject"], found["count"], found["line"]) for found in json.loads(result.out)["findings"]
    ]
    assert (result.exit_code, kinds) == (0, [("code_length", "pin", 1, 5), ("uncertain_time_zone", "", 1, 6)])
    assert json.loads(result.out)["findings"][0]["lengths"] == {"10": 4, "9": 1}
    assert_no_secret_in(result.out, folder=campaign.folder, except_files=[campaign.people])
    flow = OTP | {"flow": [OTP["flow"][0]]}
    assert (
        "empty_column"
        not in cli(*campaign.write(2, f"{number(8)},,90417263", flow=flow).run("--dry-run", "--json")).out
    )
