"""A template is checked before the first row is read, puts texts in their places and can do nothing else."""

from pathlib import Path
from typing import Any

import pytest

from routee_failover import InvalidFlow, InvalidSource, OtpFlow, SmsStep, StandardFlow, dump_flow
from routee_failover.bulk.row import Row, Stamp
from routee_failover.bulk.template import FlowTemplate

CANARY = "739164"


def otp(**changes: Any) -> dict[str, Any]:
    """A template of a one-time password by SMS."""
    step = {"type": "Sms", "order": 1, "to": "{phone}", "ttl": 60, "message": {"body": "Code {pin}"}}
    return {"endpoint": "otp", "flow": [{**step, **changes}]}


def sms(body: str = "Dear {name}", **changes: Any) -> dict[str, Any]:
    """A template of one SMS on the standard endpoint."""
    step = {"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": body}}
    return {"endpoint": "standard", "flow": [{**step, **changes}]}


def rows_from(template: dict[str, Any], *rows: dict[str, Any], **settings: Any) -> list[Row]:
    """The rows that a template makes of mappings."""
    return [*FlowTemplate.of(template).rows(list(rows), **settings)]


def body_of(row: Row) -> str:
    """The text of a row's first SMS."""
    flow = row.make(Stamp())
    assert isinstance(flow, StandardFlow | OtpFlow)
    body = dump_flow(flow)["flow"][0]["message"]["body"]
    assert isinstance(body, str)
    return body


def test_a_column_stands_in_any_text_at_any_depth() -> None:
    """Each row's values stand where the columns were, and braces written twice are braces."""
    row = rows_from(sms("{name}: 100 % of {{x}} for {name}"), {"phone": "+306900000001", "name": "Ada"})[0]
    assert body_of(row) == "Ada: 100 % of {x} for Ada"
    assert (row.line, row.key, row.recipient) == (1, "+306900000001", "+306900000001")


@pytest.mark.parametrize("text", ["{name.__class__}", "{name[0]}", "{name!r}", "{name:>99999999}", "{0}"])
def test_a_template_can_do_nothing_but_put_values(text: str) -> None:
    """What `str.format` would carry out is only a name here, of a column that is not there."""
    with pytest.raises(InvalidSource, match="uses the column"):
        FlowTemplate.of(sms(text)).check_columns(["name", "phone"])


@pytest.mark.parametrize("text", ["{", "}", "{}", "{ }", "a {name", "name}", "{{name}"])
def test_a_brace_that_names_no_column_is_refused(text: str) -> None:
    """A brace by itself is a mistake, and the template says so with its path."""
    with pytest.raises(InvalidFlow, match=r"flow\[0\].message.body: has a [{}]+"):
        FlowTemplate.of(sms(text))


def test_missing_columns_are_named_with_what_was_probably_meant() -> None:
    """Before anything is sent the missing columns are named, each with the one that looks like it."""
    with pytest.raises(InvalidSource, match=r"column name \(did you mean Name\?\).*has Name, phone"):
        FlowTemplate.of(sms()).check_columns(["Name", "phone"])


def test_a_number_or_a_truth_is_made_of_a_text_that_is_one_column() -> None:
    """`"ttl": "{ttl}"` says the number in the column, and a flag its truth."""
    template = sms(ttl="{ttl}")
    template["flow"][0]["message"]["flash"] = "{flash}"
    flow = rows_from(template, {"phone": "+306900000001", "name": "A", "ttl": "60", "flash": "TRUE"})[0].make(Stamp())
    assert isinstance(flow, StandardFlow)
    step = flow.steps[0]
    assert isinstance(step, SmsStep)
    assert (dump_flow(flow)["flow"][0]["ttl"], step.message.flash) == (60, True)


def test_a_broken_row_names_the_path_and_the_column() -> None:
    """A value that its place does not take is told with Routee's path and the column, and never quoted."""
    row = rows_from(sms(ttl="{ttl}"), {"phone": "+306900000001", "name": "A", "ttl": CANARY + "x"})[0]
    with pytest.raises(InvalidFlow, match=r"line 1: flow\[0\].ttl: .*\(column ttl\)") as caught:
        row.make(Stamp())
    assert CANARY not in str(caught.value)


def test_a_row_hides_its_code() -> None:
    """Neither a row, nor what makes its flow, nor the flow shows the code."""
    row = rows_from(otp(), {"phone": "+306900000001", "pin": CANARY})[0]
    shown = f"{row!r} {row.make!r} {row.make(Stamp())!r}"
    assert CANARY not in shown
    assert "+306900000001" not in shown


def test_a_label_and_a_callback_are_put_where_there_is_room() -> None:
    """The stamp goes behind a label of the template's own, and its address where the template has none."""
    flow = rows_from(otp(label="spring"), {"phone": "+306900000001", "pin": "1234"})[0].make(
        Stamp("RUN-1", "https://example.com/cb")
    )
    dumped = dump_flow(flow)
    assert dumped["flow"][0]["label"] == "spring RUN-1"
    assert dumped["callback"] == {"url": "https://example.com/cb"}


def test_a_template_is_read_from_json_and_toml(tmp_path: Path) -> None:
    """The same template in either form is the same flow."""
    (tmp_path / "a.json").write_text(
        '{"endpoint": "otp", "flow": [{"type": "Sms", "order": 1, "to": "{phone}", "ttl": 60,'
        ' "message": {"body": "Code {pin}"}}]}'
    )
    (tmp_path / "a.toml").write_text(
        'endpoint = "otp"\n[[flow]]\ntype = "Sms"\norder = 1\nto = "{phone}"\nttl = 60\nmessage.body = "Code {pin}"\n'
    )
    values = {"phone": "+306900000001", "pin": "1234"}
    rows = [row for name in ("a.json", "a.toml") for row in FlowTemplate.read(tmp_path / name).rows([values])]
    made = [row.make(Stamp()) for row in rows]
    assert made[0] == made[1]


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """A file in which a key stands twice says two things, and is read as neither."""
    (tmp_path / "a.json").write_text('{"endpoint": "otp", "endpoint": "standard", "flow": []}')
    with pytest.raises(InvalidSource, match="the key endpoint stands twice"):
        FlowTemplate.read(tmp_path / "a.json")
