"""Raw templates: their rows are the mapping with its columns filled, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import AnyFlow, Endpoint, InvalidFlow, InvalidSource, OtpFlow, OtpSmsStep, RawFlow, dump_flow
from routee_failover.bulk import Correlation, FlowTemplate, check_rows, rows_of
from tests.strategies import json_values

PIN, PHONE = "739164", "+306912345678"
STEP: dict[str, Any] = {
    "order": 7,
    "type": "Rcs",
    "to": "{phone}",
    "body": {"text": "Hello {name}, {{x}}"},
    "new": None,
}
RAW: dict[str, Any] = {
    "endpoint": "standard",
    "raw": True,
    "zeta": [1, {"ttl": "{ttl}"}],
    "flow": [STEP],
    "callback": {},
}
CORRELATION = Correlation("RUN-1", "https://example.test/signed")


def rows(mapping: Any, *values: dict[str, str], **options: Any) -> list[Any]:
    """Return the rows of a template for these values."""
    return [*FlowTemplate.from_mapping(mapping).rows(values, **options)]


def test_columns_are_filled_and_nothing_else_is_changed() -> None:
    """A row is the template's mapping in its order with filled texts: no label, no callback URL, no number changed."""
    template = FlowTemplate.from_mapping(RAW)
    (row,) = template.rows([{"phone": "306912345678", "name": "Maria", "ttl": "60"}])
    flow = row.build_flow(CORRELATION)
    assert flow == RawFlow(
        "standard",
        {
            "zeta": [1, {"ttl": "60"}],
            "flow": [{**STEP, "to": "306912345678", "body": {"text": "Hello Maria, {x}"}}],
            "callback": {},
        },
    )
    assert [*dump_flow(flow)] == ["zeta", "flow", "callback"]
    assert (row.recipient, row.key) == (PHONE, PHONE)
    assert (template.raw, template.endpoint, template.has_own_labels) == (True, Endpoint.STANDARD, False)
    assert template.columns == {"phone", "name", "ttl"}


def test_known_fields_of_the_endpoint_are_filled_as_in_other_templates() -> None:
    """A column alone in a documented field becomes a number or a boolean there, as in a template that is not raw."""
    step = {
        "type": "Sms",
        "order": "{n}",
        "to": "{phone}",
        "ttl": "{ttl}",
        "message": {"flash": "{flash}", "body": "Hi"},
    }
    values = {"phone": PHONE, "n": "1", "ttl": "60", "flash": "true"}
    (row,) = rows({"endpoint": "standard", "raw": True, "flow": [step]}, values)
    (sent,) = dump_flow(row.build_flow(CORRELATION))["flow"]
    assert (sent["ttl"], sent["message"]["flash"], sent["order"]) == (60, True, "1")


@pytest.mark.parametrize(
    ("written", "region", "recipient"),
    [
        ("306912345678", None, PHONE),
        ("+30 691 234 5678", None, PHONE),
        ("6912345678", "GR", PHONE),
        ("306912345678", "GR", PHONE),
        ("someone@example.test", None, ""),
        ("0030", None, ""),
    ],
)
def test_recipient_is_recognised_and_sent_as_it_is_written(written: str, region: str | None, recipient: str) -> None:
    """The row knows its number in E.164, and what is sent is what the source has; no number is needed with a key."""
    (row,) = rows(RAW, {"phone": written, "name": "x", "ttl": "1", "id": "7"}, key="id", region=region)
    assert (row.key, row.recipient, row.problems) == ("7", recipient, ())
    assert dump_flow(row.build_flow(CORRELATION))["flow"][0]["to"] == written


def test_key_of_a_recipient_column_is_its_number_or_its_text() -> None:
    """Where the recipient's column is the key, notations of a number are one key, and another text is a key as well."""
    values = [{"phone": text, "name": "x", "ttl": "1"} for text in ("306912345678", PHONE, "viber-user-7")]
    assert [row.key for row in rows(RAW, *values, key="phone")] == [PHONE, PHONE, "viber-user-7"]


def test_row_without_number_and_key_is_invalid() -> None:
    """Without a key column, a row whose recipient is no number is invalid: it could not be told from a second one."""
    (row,) = rows(RAW, {"phone": "viber-user-7", "name": "x", "ttl": "1"})
    assert (row.key, row.recipient) == ("", "")
    assert str(row.problems[0]).startswith("flow[0].to: ")
    assert str(row.problems[0]).endswith("(column phone)")


@pytest.mark.parametrize(
    "recipients",
    [
        [{"to": "{phone}"}, {"to": "{other}"}],
        [{"to": "{phone}"}, {"to": "+306900000001"}],
        [{"to": "{phone}"}, {"to": 306900000001}],
        [{"to": {"phone": "{phone}", "sip": "sip:{phone}@host"}}],
        [{"recipient": "{phone}"}],
        [],
    ],
)
def test_template_without_a_single_recipient_needs_a_key_column(recipients: list[Any]) -> None:
    """Unless everything under `to` is one column, it is not known who a row is for, and a key has to be named."""
    mapping = {"endpoint": "standard", "raw": True, "flow": recipients}
    values = {"phone": PHONE, "other": "+306900000002", "id": "7"}
    with pytest.raises(InvalidSource, match="not all values of `to` are one phone number: name the key column"):
        rows(mapping, values)
    (row,) = rows(mapping, values, key="id")
    assert (row.key, row.recipient) == ("7", "")
    assert isinstance(row.build_flow(CORRELATION), RawFlow)


def test_blank_parts_of_a_recipient_count_as_absent() -> None:
    """A recipient with blank `viber` and `sip`, as on Routee's pages, is the number that is not blank."""
    mapping = {"endpoint": "standard", "raw": True, "flow": [{"to": {"phone": "{phone}", "viber": "", "sip": " "}}]}
    (row,) = rows(mapping, {"phone": PHONE})
    assert row.recipient == PHONE
    assert dump_flow(row.build_flow(CORRELATION))["flow"][0]["to"] == {"phone": PHONE, "viber": "", "sip": " "}


def test_codes_are_secret_columns_that_cannot_be_keys_or_empty() -> None:
    """The column of a `pin` is a code wherever the `pin` is: it is no key, and an empty cell makes its row invalid."""
    mapping = {"endpoint": "viber-otp", "raw": True, "deep": {"pin": "{a}"}, "to": "{phone}"}
    template = FlowTemplate.from_mapping(mapping)
    assert template.secret_columns == {"a"}
    with pytest.raises(InvalidSource, match="column a cannot be the key"):
        template.rows([{"phone": PHONE, "a": PIN}], key="a")
    (row,) = template.rows([{"phone": PHONE, "a": ""}])
    assert row.problems
    (row,) = template.rows([{"phone": PHONE, "a": PIN}])
    flow = row.build_flow(CORRELATION)
    assert flow.endpoint is Endpoint.VIBER_OTP
    assert PIN not in f"{row!r} {flow!r} {row.build_flow!r}"


@given(mapping=st.dictionaries(st.text(), json_values, max_size=4), endpoint=st.sampled_from(Endpoint))
def test_any_json_object_is_a_raw_template_or_refused(mapping: dict[str, Any], endpoint: Endpoint) -> None:
    """A raw template of any shape is refused in one error, or gives rows that are sent or invalid."""
    try:
        template = FlowTemplate.from_mapping({**mapping, "endpoint": endpoint, "raw": True})
    except InvalidFlow:
        return
    values = dict.fromkeys(template.columns, "306912345678") | {"its key": "7"}
    for row in template.rows([values], key="its key"):
        if not row.problems:
            assert isinstance(row.build_flow(Correlation()), RawFlow)


@pytest.mark.parametrize("raw", ["true", 1, None, []])
def test_raw_must_be_true_or_false(raw: Any) -> None:
    """Whether a flow is checked is never guessed from another value."""
    with pytest.raises(InvalidFlow, match="raw: must be true or false"):
        FlowTemplate.from_mapping({**RAW, "raw": raw})


def test_template_that_is_not_raw_is_checked() -> None:
    """`"raw": false` is a template like any other."""
    with pytest.raises(InvalidFlow, match="zeta: unknown key"):
        FlowTemplate.from_mapping({**RAW, "raw": False})


def test_value_that_no_row_can_send_is_reported_at_once() -> None:
    """A template whose mapping is not JSON, as of a TOML file with a date, is refused before the first row."""
    with pytest.raises(InvalidFlow, match=r"flow\[0\]\.ttl: is a bytes"):
        FlowTemplate.from_mapping({"endpoint": "standard", "raw": True, "flow": [{"to": "{phone}", "ttl": b"1"}]})


@pytest.mark.parametrize(
    ("mapping", "recipient"),
    [
        ({"flow": [{"to": "306912345678"}, {"to": {"phone": PHONE, "viber": None}}]}, PHONE),
        ({"to": 306912345678}, PHONE),
        ({"flow": [{"to": PHONE}, {"to": "+306900000001"}]}, ""),
        ({"flow": [{"to": "nobody"}]}, ""),
        ({"flow": [{"from": PHONE}]}, ""),
    ],
)
def test_key_of_a_ready_made_raw_flow_is_its_single_recipient(mapping: Any, recipient: str) -> None:
    """`rows_of` takes the number that all values of `to` are; a raw flow without one needs a key of the caller's."""
    flow = RawFlow("standard", mapping)
    (row,) = rows_of([flow])
    assert (row.key, row.recipient) == (recipient, recipient)
    assert bool(row.problems) is (not recipient)
    (row,) = rows_of([flow], key=lambda _flow: "mine")
    assert (row.key, row.recipient, row.problems) == ("mine", recipient, ())
    assert row.build_flow(CORRELATION) is flow


async def test_dry_run_counts_raw_rows_and_shows_nothing_of_their_content() -> None:
    """A preview of a raw row has its keys and the lengths of its texts; what might be a code is shown nowhere."""
    step = {"to": "{phone}", "note": f"secret {{x}} {PIN}", "deep": [{"9876543": PIN, "n": int(PIN), "ok": True}]}
    template = FlowTemplate.from_mapping({"endpoint": "otp", "raw": True, "flow": [step]})
    result = await check_rows(template.rows([{"phone": PHONE, "x": "{{placeholder}}"}, {"phone": PHONE, "x": "b"}]))
    assert (result.valid, result.duplicates, result.channels, result.sms.messages) == (1, 1, {"raw flow": 1}, 0)
    assert result.findings
    (preview,) = result.previews
    assert preview.flow == {
        "endpoint": "otp",
        "raw": True,
        "flow": [
            {
                "to": "<13 characters>",
                "note": "<29 characters>",
                "deep": [{"****": "<6 characters>", "n": "****", "ok": True}],
            }
        ],
    }
    assert not [text for text in (PIN, "secret", PHONE[1:], "9876543") if text in repr(result)]


async def test_dry_run_with_a_suppression_list_reports_raw_rows_whose_recipient_is_not_known() -> None:
    """What a run would refuse is found by the dry run; a listed number anywhere in the flow suppresses its row."""
    flows: list[AnyFlow] = [
        RawFlow("standard", {"to": PHONE}),
        RawFlow("standard", {"to": "nobody"}),
        RawFlow("standard", {"to": "+306900000001", "cc": ["0030 690 000 0002"]}),
        OtpFlow(steps=[OtpSmsStep(to="+306900000003", ttl=timedelta(minutes=1), message="Hi 1234")]),
    ]
    result = await check_rows(rows_of(flows, key=lambda flow: str(flows.index(flow))), {"+306900000002"})
    assert (result.valid, result.invalid, result.suppressed) == (2, 1, 1)
    assert "suppression list" in str(result.invalid_rows[0].problems[0])
