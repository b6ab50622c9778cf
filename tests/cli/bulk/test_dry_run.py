"""The dry run: every row is checked, samples are masked, nothing is sent and no file is created."""

import json

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import OTP, SMS, Campaign, assert_no_secret_in, everyone, number, recipients


def test_text_has_counts_invalid_rows_and_samples(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The text has the valid rows by channels, the invalid rows, and three samples."""
    campaign.write(50, "12,Short,1111", f"{number(3)},Twice,2222")
    result = cli(*campaign.run("--dry-run"))
    assert result.exit_code == 1
    assert "52 rows: 50 can be sent, 1 cannot, 1 duplicate." in result.out
    assert "50 by Viber, then SMS" in result.out
    assert "to GR 50" in result.out
    assert "SMS: at most 50 parts in 50 messages" in result.out
    assert "line 52  flow[0].to" in result.out
    assert "line 2, first row, to +3069****0000, SMS of 1 part" in result.out
    assert number(0) not in result.out
    assert_no_secret_in(result.out, folder=campaign.folder, except_files=[campaign.people])
    assert sorted(path.name for path in campaign.folder.iterdir()) == ["flow.json", "people.csv"]


def test_sms_of_several_parts_are_counted(campaign: Campaign, cli: Cli) -> None:
    """SMS of more than one part are counted, with the reason."""
    campaign.write(2, f"{number(9)},{'Ω' * 50}{'я' * 50},1111", flow=SMS)
    result = cli(*campaign.run("--dry-run"))
    assert result.exit_code == 0
    assert "SMS: at most 4 parts in 3 messages; the longest has 2; 1 need Unicode" in result.out


def test_json_is_one_masked_object(campaign: Campaign, cli: Cli) -> None:
    """With --json it is one object, with the same secrets masked."""
    campaign.write(5, "12,Short,1111")
    result = cli(*campaign.run("--dry-run", "--json"))
    report = json.loads(result.out)
    assert (result.exit_code, report["event"], report["rows"], report["valid"], report["invalid"]) == (
        1,
        "dry_run",
        6,
        5,
        1,
    )
    assert report["invalid_rows"][0]["line"] == 7
    assert report["previews"][0]["flow"]["endpoint"] == "otp"
    assert_no_secret_in(result.out, folder=campaign.folder, except_files=[campaign.people])


@pytest.mark.parametrize("more", [["--dry-run"], ["--dry-run", "--json"], [], ["--json"]], ids=" ".join)
@pytest.mark.parametrize("place", [0, 1, None])
def test_otp_flow_with_its_own_label_gets_a_note(
    place: int | None, more: list[str], campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """An OTP flow with a label on a step gets a note before anything is sent that unknown messages stay unknown."""
    steps = [step | ({"label": "mine"} if index == place else {}) for index, step in enumerate(OTP["flow"])]
    result = cli(*campaign.write(3, flow=OTP | {"flow": steps}).run(*more), at=sandbox)
    assert result.exit_code == 0, result
    assert ("have their own label" in " ".join(result.out.split())) == (place is not None)


def test_standard_flow_with_its_own_label_gets_no_note(campaign: Campaign, cli: Cli) -> None:
    """A label on an SMS of a standard flow gets no note: it is found in the texts of the list."""
    step = SMS["flow"][0]
    flow = SMS | {"flow": [step | {"message": step["message"] | {"label": "mine"}}]}
    result = cli(*campaign.write(3, flow=flow).run("--dry-run"))
    assert (result.exit_code, "their own label" in result.out) == (0, False), result


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_key_of_an_invalid_and_a_valid_row_is_sent_once(
    order: tuple[int, int], campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """Whichever of an invalid and a valid row comes first, the valid one is counted and sent."""
    rows = [f"{number(9)},Bad,", f"{number(9)},Good,1111"]
    campaign.write(3, *(rows[place] for place in order))
    assert "5 rows: 4 can be sent, 1 cannot." in cli(*campaign.run("--dry-run")).out
    assert cli(*campaign.run(), at=sandbox).exit_code == 1
    assert sorted(recipients(sandbox)) == [*everyone(3), number(9)]


def test_key_of_another_recipient_exits_with_1_and_is_listed(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """The dry run and the run report the row with the key of another recipient, exit with code 1, and list it."""
    campaign.write(3, f"{number(9)},Person 1,9041726300", f"{number(1)},Person 1,9041726300")
    dry = cli(*campaign.run("--dry-run", "--key", "name"))
    assert dry.exit_code == 1
    assert "5 rows: 3 can be sent, 1 cannot, 1 duplicate." in dry.out
    assert "1 row: the key of another recipient" in dry.out
    for more in ([], ["--json"]):
        done = cli(*campaign.run("--key", "name", *more), at=sandbox)
        assert done.exit_code == 1, done
        assert 'key_conflicts": 1' in done.out or "1 of them has the key of a message to another recipient" in done.out
        assert_no_secret_in(done.out, folder=campaign.folder, except_files=[campaign.people])
    invalid_rows = campaign.invalid_rows.read_text("utf-8")
    assert "has the key of line 3, which is for another recipient" in invalid_rows
    assert sorted(recipients(sandbox)) == everyone(3)
    status = cli("bulk", "status", str(campaign.ledger), "--json", at=sandbox)
    assert (status.exit_code, json.loads(status.out)["key_conflicts"], json.loads(status.out)["invalid"]) == (1, 1, 1)
    assert "1 of them has the key of a message to another recipient" in cli("bulk", "status", str(campaign.ledger)).out


@pytest.mark.parametrize("more", [["--dry-run"], ["--dry-run", "--json"], [], ["--json"]], ids=" ".join)
def test_placeholder_of_another_tool_gets_a_note(
    more: list[str], campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """A text that would be sent with an unfilled placeholder gets a note before anything is sent."""
    flow = SMS | {"flow": [SMS["flow"][0] | {"message": {"body": "Hello {{name}}, [phone]"}}]}
    result = cli(*campaign.write(2, flow=flow).run(*more), at=sandbox)
    assert result.exit_code == 0, result
    assert "the texts of this flow contain {name}, [phone], which is sent as it is" in " ".join(result.out.split())


def test_literal_column_name_is_found_in_every_row(campaign: Campaign, cli: Cli) -> None:
    """A column name that is written literally in a text counts in every row, even if no text uses the column."""
    flow = SMS | {"flow": [SMS["flow"][0] | {"message": {"body": "Hello [name], we open"}}]}
    result = cli(*campaign.write(3, flow=flow).run("--dry-run", "--json"))
    findings = json.loads(result.out)["findings"]
    assert [(finding["kind"], finding["subject"], finding["count"]) for finding in findings] == [
        ("placeholder", "[name]", 3)
    ]


def test_findings_in_json_have_stable_names(campaign: Campaign, cli: Cli) -> None:
    """With --json the findings are a list with stable names; --hours is taken into account."""
    campaign.write(3, f"{number(8)},,904172630", "+881612345678,Sat,9041726300")
    result = cli(*campaign.run("--dry-run", "--json", "--hours", "09:00-20:00"))
    kinds = [
        (finding["kind"], finding["subject"], finding["count"], finding["line"])
        for finding in json.loads(result.out)["findings"]
    ]
    assert (result.exit_code, kinds) == (0, [("code_length", "pin", 1, 5), ("uncertain_time_zone", "", 1, 6)])
    assert json.loads(result.out)["findings"][0]["lengths"] == {"10": 4, "9": 1}
    assert_no_secret_in(result.out, folder=campaign.folder, except_files=[campaign.people])
    flow = OTP | {"flow": [OTP["flow"][0]]}
    assert (
        "empty_column"
        not in cli(*campaign.write(2, f"{number(8)},,90417263", flow=flow).run("--dry-run", "--json")).out
    )
