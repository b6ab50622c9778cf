"""Raw templates on the command line: a run, its dry run, and what is said about unknown messages."""

import json
from typing import Any

from routee_failover.sandbox import ResponseScript, Sandbox

from ..conftest import Cli
from .campaign import OTP, SMS, Campaign, assert_no_secret_in, everyone, number, recipients

RAW: dict[str, Any] = {"raw": True, **OTP}


def test_raw_template_is_sent_once_to_everyone_without_label(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Each row is sent as the template has it, once; the note says what that means for unknown messages."""
    campaign.write(5, f"{number(3)},Twice,90417263", flow=RAW)
    result = cli(*campaign.run(), at=sandbox)
    assert (result.exit_code, recipients(sandbox)) == (0, everyone(5)), result
    assert "this flow is raw and sent as it is" in " ".join(result.out.split())
    first = next(flow for flow in sandbox.accepted if flow.body["flow"][0]["to"] == number(0))
    assert [*first.body] == ["flow"]
    assert first.body["flow"][0] == OTP["flow"][0] | {"to": number(0), "pin": "9041726300"}
    again = cli(*campaign.run("--json"), at=sandbox)
    assert again.exit_code == 0
    assert len(sandbox.accepted) == 5
    assert_no_secret_in(result.out, again.out, folder=campaign.folder, except_files=[campaign.people])


def test_dry_run_of_a_raw_template_shows_none_of_its_texts(campaign: Campaign, cli: Cli) -> None:
    """Samples show keys and lengths, because what is a code in a raw flow is not known."""
    campaign.write(2, flow=RAW | {"shape": {"text": "canary"}, "flow": OTP["flow"]})
    text = cli(*campaign.run("--dry-run"))
    assert text.exit_code == 0
    assert "2 by raw flow" in text.out
    assert "canary" not in text.out
    report = json.loads(cli(*campaign.run("--dry-run", "--json")).out)
    assert report["previews"][0]["flow"]["raw"] is True
    assert report["channels"] == {"raw flow": 2}
    campaign.write(2, flow=RAW | {"flow": "{phone}"})
    odd = cli(*campaign.run("--key", "phone", "--dry-run"))
    assert (odd.exit_code, number(0) in odd.out) == (0, False)


def test_raw_template_without_recipient_needs_a_key(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Without a number under `to`, rows are told apart by --key, and a suppression list refuses them."""
    step = {key: value for key, value in SMS["flow"][0].items() if key != "to"}
    campaign.write(2, flow={"endpoint": "standard", "raw": True, "flow": [{**step, "recipient": "{phone}"}]})
    result = cli(*campaign.run(), at=sandbox)
    assert result.exit_code == 2
    assert "name the key column" in result.err
    optout = campaign.folder / "optout.csv"
    optout.write_text("phone\n+306900000099\n")
    refused = cli(*campaign.run("--key", "phone", "--suppress", str(optout), "--dry-run"))
    assert refused.exit_code == 1
    assert "the suppression list cannot be applied to it" in refused.out
    assert not sandbox.accepted


def test_reconcile_says_that_raw_flows_are_not_searched_for(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """`bulk reconcile` of raw flows ends at once, with the reason why they stay unknown."""
    sandbox.script(to=number(1), response=ResponseScript(status=500))
    campaign.write(3, flow=RAW)
    assert cli(*campaign.run("--unknown", "keep"), at=sandbox).exit_code == 4
    result = cli("bulk", "reconcile", str(campaign.ledger), at=sandbox)
    assert "a raw flow carries no label" in " ".join(result.err.split())
    report = cli("bulk", "status", str(campaign.ledger), "--json", at=sandbox)
    assert json.loads(report.out)["unknown"] == 1
