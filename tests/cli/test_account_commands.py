"""`balance` and `templates`: what the account has."""

import json

from routee_failover import OtpTemplateId
from routee_failover.sandbox import Sandbox

from .conftest import Cli, running


def test_balance_prints_amount_and_currency(cli: Cli, sandbox: Sandbox) -> None:
    """The balance is one line, and Routee's response with --json."""
    raw = json.loads(cli("balance", "--json", at=sandbox).out)
    result = cli("balance", at=sandbox)
    assert (result.exit_code, result.err) == (0, "")
    assert result.out == f"{raw['balance']} {raw['currency']['code']}\n"


def test_templates_lists_each_with_its_documented_parameters(cli: Cli, sandbox: Sandbox) -> None:
    """Each template is a line with its id, and the name and parameters that Routee documents for it."""
    result = cli("templates", at=sandbox, COLUMNS="200")
    assert (result.exit_code, result.err) == (0, "")
    header, *rows = result.out.splitlines()
    assert header.split() == ["id", "type", "name", "parameters"]
    assert len(rows) == 9
    for row, template in zip(rows, OtpTemplateId, strict=True):
        assert row.startswith(template)
        assert template.description in row
        assert row.rstrip().endswith(", ".join(template.parameters))


def test_template_ids_are_whole_in_a_narrow_terminal(cli: Cli, sandbox: Sandbox) -> None:
    """An id is copied into a flow: it is not wrapped, however narrow the terminal is."""
    out = cli("templates", at=sandbox, COLUMNS="60").out
    assert all(template in out for template in OtpTemplateId)


def test_templates_json_has_all_that_routee_says(cli: Cli, sandbox: Sandbox) -> None:
    """With --json there is one object per line, with every key of the response."""
    lines = cli("templates", "--json", at=sandbox).out.splitlines()
    assert [json.loads(line)["templateId"] for line in lines] == [*OtpTemplateId]
    assert {"name", "templateType"} <= json.loads(lines[0]).keys()


def test_403_prints_the_roles_of_the_token_and_exits_with_1(cli: Cli) -> None:
    """A missing role is found by comparing: the error lists those that the token has."""
    with running(Sandbox(roles=["MT_ROLE_FAILOVER"])) as here:
        result = cli("track", "v-1", "--endpoint", "viber-otp", at=here)
    assert (result.exit_code, result.out) == (1, "")
    assert "The token has the roles MT_ROLE_FAILOVER" in " ".join(result.err.split())
