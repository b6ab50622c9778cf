"""A row with an empty or altered code is invalid, with the column named, on every endpoint."""

import json
from pathlib import Path
from typing import Any

import pytest

from routee_failover import InvalidFlow, dump_flow
from routee_failover.bulk.sources import read_source
from routee_failover.bulk.templates.nonempty_columns import is_code_name
from routee_failover.bulk.templates.row import Correlation, Row
from routee_failover.bulk.templates.template import FlowTemplate

SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
PHONE = "+306900000001"


def sms(body: str, endpoint: str = "standard") -> dict[str, Any]:
    """Return a template of one SMS."""
    step = {"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": body}}
    return {"endpoint": endpoint, "flow": [step | ({"ttl": 60} if endpoint == "otp" else {})]}


VIBER_OTP = {"endpoint": "viber-otp", "senderInfoTrackingId": SENDER, "to": "{phone}", "templateParams": {"pin": "{c}"}}
VIBER_STEP: dict[str, Any] = {
    "endpoint": "otp",
    "flow": [
        {
            "type": "ViberOtp",
            "order": 1,
            "to": "{phone}",
            "ttl": 60,
            "senderInfoTrackingId": SENDER,
            "templateId": "c33cccaf-735f-4d62-8383-a76bf4999e2d",
            "pin": "{c}",
        },
        {"type": "Sms", "order": 2, "to": "{phone}", "ttl": 60, "message": {"body": "Hi {name}: {c}"}},
    ],
}
VIBER_TEXT: dict[str, Any] = {
    "endpoint": "standard",
    "flow": [
        {
            "type": "Viber",
            "order": 1,
            "to": "{phone}",
            "senderInfoTrackingId": SENDER,
            "message": {"text": "Your code is {c}"},
        }
    ],
}


def row_of(template: dict[str, Any], **values: Any) -> Row:
    """Return the row that a template makes of values."""
    (row,) = FlowTemplate.from_mapping(template).rows([{"phone": PHONE, **values}])
    return row


def reasons(row: Row) -> list[str]:
    """Return the problems of a row before its flow is built."""
    return [str(problem) for problem in row.problems]


@pytest.mark.parametrize(
    "template",
    [
        VIBER_OTP,
        VIBER_STEP,
        VIBER_TEXT,
        sms("Code {c}", "otp"),
        sms("{name}, your code is {c}.", "otp"),
        sms("{c} for {name}", "otp"),
        sms("Your code is {c}"),
        sms("Your PIN: {c}"),
        sms("{name}, use {c} as your verification code"),
        sms("{c} is your Demo code, {name}"),
        sms("Κωδικός: {c}"),
    ],
    ids=lambda template: f"{template['endpoint']}",
)
@pytest.mark.parametrize("cell", ["", " ", "nan", "NULL", "#N/A", "-", "4.8E+05", "****"])
def test_empty_or_altered_code_makes_its_row_invalid(template: dict[str, Any], cell: str) -> None:
    """On each endpoint, wherever the code is used, and whatever its column is named."""
    invalid, good = row_of(template, name="Ada", c=cell), row_of(template, name="", c="012345")
    assert ["(column c)" in reason for reason in reasons(invalid)] == [True]
    with pytest.raises(InvalidFlow):
        invalid.build_flow(Correlation())
    if template != sms("{c} for {name}", "otp"):  # it is not known which of the columns is the code
        assert reasons(good) == []
        assert "012345" in json.dumps(dump_flow(good.build_flow(Correlation())), default=lambda secret: secret.reveal())


@pytest.mark.parametrize(
    "column",
    [
        "pin",
        "PIN",
        "otp_code",
        "otpCode",
        "pinCode",
        "smscode",
        "Verification code",
        "passcode",
        "OTP",
        "κωδικός",
        "token",
    ],
)
def test_column_named_like_a_code_is_secret(column: str) -> None:
    """Also in a text that does not mention codes."""
    template = sms(f"Use {{{column}}} now")
    assert FlowTemplate.from_mapping(template).secret_columns == {column}
    assert reasons(row_of(template, **{column: "null"})) == [
        f"flow[0].message.body: must not be empty: a code is required (column {column})"
    ]


@pytest.mark.parametrize("column", ["postal_code", "zipCode", "Country code", "spinner", "encoded", "barcodes", "name"])
def test_column_named_otherwise_holds_no_code(column: str) -> None:
    """A part of a word and a code of a place, such as a postal code, are no codes."""
    assert not is_code_name(column)
    assert row_of(sms(f"Hello {{{column}}}!"), **{column: ""}).problems == ()


@pytest.mark.parametrize("body", ["Order code: {c}", "Hello {c}, your code comes later", "The code. {c} will help"])
def test_code_words_elsewhere_in_a_text_make_no_code(body: str) -> None:
    """A code is next to a word for one, and is no order number."""
    assert FlowTemplate.from_mapping(sms(body)).secret_columns == frozenset()


def test_text_that_is_a_single_column_must_not_be_empty() -> None:
    """A message that would be `nan`, or only blanks, is not sent."""
    for cell in (" ", "nan", "#N/A"):
        assert reasons(row_of(sms("{text}"), text=cell)) == ["flow[0].message.body: must not be empty (column text)"]
    assert row_of(sms("{text}!"), text="").problems == ()


def test_missing_code_makes_its_row_invalid() -> None:
    """A missing value, such as a null, is not inserted as a word."""
    with pytest.raises(InvalidFlow, match="the row has no c"):
        row_of(sms("Your code is {c}"), c=None).build_flow(Correlation())


def test_csv_and_json_lines_give_the_same_code(tmp_path: Path) -> None:
    """A code that a table holds as a number is the digits before its point, in every format."""
    (tmp_path / "a.csv").write_text(f"phone,c\n{PHONE},482913.0\n{PHONE},012345\n{PHONE}, 4829 \n")
    lines = [{"phone": PHONE, "c": 482913.0}, {"phone": PHONE, "c": "012345"}, {"phone": PHONE, "c": " 4829"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    template = FlowTemplate.from_mapping(sms("Your code is {c}"))
    for name in ("a.csv", "a.jsonl"):
        made = [dump_flow(row.build_flow(Correlation())) for row in template.rows(read_source(tmp_path / name))]
        assert [flow["flow"][0]["message"]["body"] for flow in made] == [
            "Your code is 482913",
            "Your code is 012345",
            "Your code is 4829",
        ]
