"""The dry run predicts for every row what a run would do with it, and shows no codes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from routee_failover import AnyFlow
from routee_failover._wire import load_flow
from routee_failover.bulk import dry_run, phone_numbers
from routee_failover.bulk.dry_run import DryRunResult, check_rows
from routee_failover.bulk.key_set import KeyIndex, KeySet
from routee_failover.bulk.sources import rows_of
from routee_failover.bulk.templates.template import FlowTemplate

CANARY = "739164"
SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
OTP: dict[str, Any] = {
    "endpoint": "otp",
    "flow": [
        {
            "type": "ViberOtp",
            "order": 1,
            "to": "{phone}",
            "ttl": 60,
            "senderInfoTrackingId": SENDER,
            "templateId": "c33cccaf-735f-4d62-8383-a76bf4999e2d",
            "pin": "{pin}",
        },
        {"type": "Sms", "order": 2, "to": "{phone}", "ttl": 60, "message": {"body": "{name}: {pin} for {phone}"}},
    ],
}


def sms(body: str, **message: Any) -> dict[str, Any]:
    """Return a template of one SMS."""
    step = {"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": body, **message}}
    return {"endpoint": "standard", "flow": [step]}


async def dry_run_of(template: dict[str, Any], *rows: dict[str, Any]) -> DryRunResult:
    """Return the dry run of mappings."""
    return await check_rows(FlowTemplate.from_mapping(template).rows(rows))


def phone(number: int) -> str:
    """Return a Greek mobile number."""
    return f"+3069{number:08d}"


async def test_every_row_is_valid_invalid_or_a_duplicate() -> None:
    """Rows are counted once each, and the first invalid ones are reported in full."""
    result = await dry_run_of(
        sms("{name}"),
        {"phone": phone(1), "name": "Ada"},
        {"phone": phone(2), "name": ""},
        {"phone": "nobody", "name": "Bo"},
        {"phone": phone(1), "name": "Ada again"},
        {"phone": phone(3)},
    )
    assert (result.rows, result.valid, result.invalid, result.duplicates) == (5, 1, 3, 1)
    assert [(invalid.line, str(invalid.problems[0])) for invalid in result.invalid_rows] == [
        (2, "flow[0].message.body: must not be empty (column name)"),
        (3, "flow[0].to: has letters in it (column phone)"),
        (5, "flow[0].message.body: the row has no name"),
    ]
    assert sum(result.reason_counts.values()) == 3


async def test_row_after_an_invalid_row_with_its_key_is_no_duplicate() -> None:
    """Only valid rows have duplicates."""
    result = await dry_run_of(sms("{name}"), {"phone": phone(1), "name": ""}, {"phone": phone(1), "name": "Ada"})
    assert (result.valid, result.invalid, result.duplicates) == (1, 1, 0)


@pytest.mark.parametrize(
    ("length", "letter", "parts", "unicode"),
    [(160, "a", 1, 0), (161, "a", 2, 0), (80, "€", 1, 0), (70, "ж", 1, 1), (71, "ж", 2, 1), (135, "ж", 3, 1)],
)
async def test_sms_parts_are_counted_by_encoding_and_length(length: int, letter: str, parts: int, unicode: int) -> None:
    """160 GSM characters or 70 Unicode characters are one part; of several parts each has 153 or 67."""
    result = await dry_run_of(sms("{text}"), {"phone": phone(1), "text": letter * length})
    assert (result.sms.messages, result.sms.parts, result.sms.max_parts, result.sms.unicode) == (
        1,
        parts,
        parts,
        unicode,
    )
    assert result.sms.by_parts == {parts: 1}
    assert result.sms.first_step == 1


async def test_transcoded_text_is_counted_as_it_is_sent() -> None:
    """If the message asks for transcoding, the parts are those of the transcoded text."""
    result = await dry_run_of(sms("{text}", transcode=True), {"phone": phone(1), "text": "Α" * 100})  # noqa: RUF001
    assert (result.sms.parts, result.sms.unicode) == (1, 0)


async def test_channel_sequences_and_countries_are_counted() -> None:
    """Rows are counted by channel sequence and by country."""
    result = await dry_run_of(
        OTP,
        {"phone": phone(1), "name": "A", "pin": "1234"},
        {"phone": "+447400123456", "name": "B", "pin": "1234"},
        {"phone": "+881612345678", "name": "C", "pin": "1234"},
    )
    assert result.channels == {"Viber, Sms": 3}
    assert result.countries == {"GR": 1, "GB": 1, "": 1}
    assert result.sms.first_step == 0


async def test_viber_otp_message_has_one_channel() -> None:
    """The endpoint without steps has one channel."""
    message = {"senderInfoTrackingId": SENDER, "to": "{phone}", "templateParams": {"pin": "{pin}"}}
    result = await dry_run_of({"endpoint": "viber-otp", **message}, {"phone": phone(1), "pin": CANARY})
    assert result.channels == {"Viber": 1}
    assert result.previews[0].flow["templateParams"] == {"pin": "****"}


async def test_many_invalid_rows_are_counted_and_the_first_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are invalid, and for however many reasons, memory stays bounded."""
    monkeypatch.setattr(dry_run, "MAX_REASONS", 1)
    rows: list[dict[str, Any]] = [{"phone": phone(1), "name": ""}, {"phone": phone(2)}] * 20
    result = await dry_run_of(sms("{name}"), *rows)
    assert (result.invalid, len(result.invalid_rows), result.reason_counts) == (
        40,
        dry_run.MAX_INVALID_ROWS,
        {"flow[0].message.body: must not be empty (column name)": 20},
    )


async def test_countries_are_none_without_phonenumbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without phonenumbers no countries are reported."""
    monkeypatch.setattr(phone_numbers, "is_installed", lambda: False)
    result = await dry_run_of(sms("{name}"), {"phone": phone(1), "name": "Ada"})
    assert result.countries is None


async def test_previews_show_texts_without_codes_and_numbers() -> None:
    """The first, the longest and one other row are shown as they will be sent, except for codes and numbers."""
    rows = [{"phone": phone(line), "name": "n" * line, "pin": CANARY} for line in range(1, 40)]
    result = await dry_run_of(OTP, *rows)
    assert [preview.selection for preview in result.previews] == ["first", "any", "longest"]
    assert result.previews[0].flow["flow"][1]["message"]["body"] == "n: ****** for +3069****0001"
    assert result.previews[2].line == 39
    printed = repr(result)
    assert CANARY not in printed
    assert phone(1) not in printed
    assert printed.count("+3069****0001") >= 3


@pytest.mark.parametrize("longest", [1, 2, 3, 300])
@pytest.mark.parametrize("valid_count", [1, 2, 3, 4, 5, 300])
async def test_previews_are_three_different_rows(valid_count: int, longest: int) -> None:
    """Wherever the longest text is, three valid rows give three previews, and fewer show each row once."""
    rows = [{"phone": phone(line), "name": "n" * (9 if line == longest else 1)} for line in range(1, valid_count + 1)]
    result = await dry_run_of(sms("{name}"), {"phone": "nobody", "name": "n" * 99}, *rows)
    lines = [preview.line for preview in result.previews]
    assert len(lines) == len(set(lines)) == min(valid_count, 3)
    assert lines[0] == 2
    if longest <= valid_count:
        assert longest + 1 in lines
    assert {preview.selection for preview in result.previews} <= {"first", "any", "longest"}


async def test_code_in_a_column_of_any_name_is_starred() -> None:
    """The text of an OTP's SMS contains a code, whatever its column is named."""
    template = {"endpoint": "otp", "flow": [{**OTP["flow"][1], "message": {"body": "{secret}"}}]}
    result = await dry_run_of(template, {"phone": phone(1), "secret": "abcdef"})
    assert result.previews[0].flow["flow"][0]["message"]["body"] == "******"
    other = await dry_run_of(sms("Use {otp_code}"), {"phone": phone(1), "otp_code": "A1B2"})
    assert other.previews[0].flow["flow"][0]["message"]["body"] == "Use ****"


async def test_dry_run_accepts_flows_of_a_program() -> None:
    """Flows of a program, also asynchronous ones, are counted, and the digits of their codes starred."""

    async def flows() -> AsyncIterator[AnyFlow]:
        step = {"type": "Sms", "order": 1, "to": phone(1), "ttl": 60, "message": {"body": f"Code {CANARY}"}}
        yield load_flow("otp", {"flow": [step]})
        yield load_flow("otp", {"flow": [step]})

    result = await check_rows(rows_of(flows()))
    assert (result.valid, result.duplicates) == (1, 1)
    assert result.previews[0].flow["flow"][0]["message"]["body"] == "Code ******"


def test_key_set_reports_each_key_as_new_once() -> None:
    """However many keys there are, each is new once."""
    keys = KeySet()
    assert all(keys.add(f"key {number}") for number in range(20_000))
    assert not any(keys.add(f"key {number}") for number in range(0, 20_000, 7))


def test_key_index_returns_the_first_row_of_a_key() -> None:
    """`add` returns the line of the first row, and whether the later one is for the same recipient."""
    keys = KeyIndex()
    assert not any(keys.add(f"key {number}", phone(number), number) for number in range(20_000))
    for number in range(0, 20_000, 7):
        assert keys.add(f"key {number}", phone(number), 99_999) == (number, True)
        assert keys.add(f"key {number}", phone(number + 1), 99_999) == (number, False)
