"""The dry run tells of every row what a run would do with it, and shows nobody's code."""

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
    """A template of one SMS."""
    step = {"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": body, **message}}
    return {"endpoint": "standard", "flow": [step]}


async def rehearsed(template: dict[str, Any], *rows: dict[str, Any]) -> DryRunResult:
    """The rehearsal of mappings."""
    return await check_rows(FlowTemplate.from_mapping(template).rows(rows))


def phone(number: int) -> str:
    """A Greek mobile number."""
    return f"+3069{number:08d}"


async def test_every_row_is_good_or_bad_or_a_duplicate() -> None:
    """Rows are counted once each, and the first broken ones are told in full."""
    found = await rehearsed(
        sms("{name}"),
        {"phone": phone(1), "name": "Ada"},
        {"phone": phone(2), "name": ""},
        {"phone": "nobody", "name": "Bo"},
        {"phone": phone(1), "name": "Ada again"},
        {"phone": phone(3)},
    )
    assert (found.rows, found.valid, found.invalid, found.duplicates) == (5, 1, 3, 1)
    assert [(broken.line, str(broken.problems[0])) for broken in found.invalid_rows] == [
        (2, "flow[0].message.body: must not be empty (column name)"),
        (3, "flow[0].to: has letters in it (column phone)"),
        (5, "flow[0].message.body: the row has no name"),
    ]
    assert sum(found.reason_counts.values()) == 3


async def test_a_broken_row_does_not_make_a_later_one_a_duplicate() -> None:
    """Only what is sent can be there twice."""
    found = await rehearsed(sms("{name}"), {"phone": phone(1), "name": ""}, {"phone": phone(1), "name": "Ada"})
    assert (found.valid, found.invalid, found.duplicates) == (1, 1, 0)


@pytest.mark.parametrize(
    ("length", "letter", "parts", "unicode"),
    [(160, "a", 1, 0), (161, "a", 2, 0), (80, "€", 1, 0), (70, "ж", 1, 1), (71, "ж", 2, 1), (135, "ж", 3, 1)],
)
async def test_sms_parts_are_counted_as_routee_prices_them(length: int, letter: str, parts: int, unicode: int) -> None:
    """160 letters of GSM or 70 others are one part, 153 and 67 each of several."""
    found = await rehearsed(sms("{text}"), {"phone": phone(1), "text": letter * length})
    assert (found.sms.messages, found.sms.parts, found.sms.max_parts, found.sms.unicode) == (1, parts, parts, unicode)
    assert found.sms.by_parts == {parts: 1}
    assert found.sms.first_step == 1


async def test_a_text_that_is_transcoded_is_counted_as_it_is_sent() -> None:
    """Where the message asks for look-alikes, the parts are those of the look-alikes."""
    found = await rehearsed(sms("{text}", transcode=True), {"phone": phone(1), "text": "Α" * 100})  # noqa: RUF001
    assert (found.sms.parts, found.sms.unicode) == (1, 0)


async def test_channels_and_countries_are_counted() -> None:
    """It is told which way the rows go, and to which countries."""
    found = await rehearsed(
        OTP,
        {"phone": phone(1), "name": "A", "pin": "1234"},
        {"phone": "+447400123456", "name": "B", "pin": "1234"},
        {"phone": "+881612345678", "name": "C", "pin": "1234"},
    )
    assert found.channels == {"Viber, Sms": 3}
    assert found.countries == {"GR": 1, "GB": 1, "": 1}
    assert found.sms.first_step == 0


async def test_a_viber_otp_message_goes_by_viber() -> None:
    """The endpoint without steps has one channel."""
    message = {"senderInfoTrackingId": SENDER, "to": "{phone}", "templateParams": {"pin": "{pin}"}}
    found = await rehearsed({"endpoint": "viber-otp", **message}, {"phone": phone(1), "pin": CANARY})
    assert found.channels == {"Viber": 1}
    assert found.previews[0].flow["templateParams"] == {"pin": "****"}


async def test_all_broken_rows_are_counted_and_the_first_ones_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are broken, and in however many ways, what is kept of them stays small."""
    monkeypatch.setattr(dry_run, "MAX_REASONS", 1)
    rows: list[dict[str, Any]] = [{"phone": phone(1), "name": ""}, {"phone": phone(2)}] * 20
    found = await rehearsed(sms("{name}"), *rows)
    assert (found.invalid, len(found.invalid_rows), found.reason_counts) == (
        40,
        dry_run.MAX_INVALID_ROWS,
        {"flow[0].message.body: must not be empty (column name)": 20},
    )


async def test_countries_are_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without phonenumbers nothing is said of countries."""
    monkeypatch.setattr(phone_numbers, "is_installed", lambda: False)
    found = await rehearsed(sms("{name}"), {"phone": phone(1), "name": "Ada"})
    assert found.countries is None


async def test_samples_show_texts_and_neither_codes_nor_numbers() -> None:
    """The first, the longest and any other row are shown as they will be, but for codes and numbers."""
    rows = [{"phone": phone(line), "name": "n" * line, "pin": CANARY} for line in range(1, 40)]
    found = await rehearsed(OTP, *rows)
    assert [sample.selection for sample in found.previews] == ["first", "any", "longest"]
    assert found.previews[0].flow["flow"][1]["message"]["body"] == "n: ****** for +3069****0001"
    assert found.previews[2].line == 39
    shown = repr(found)
    assert CANARY not in shown
    assert phone(1) not in shown
    assert shown.count("+3069****0001") >= 3


@pytest.mark.parametrize("longest", [1, 2, 3, 300])
@pytest.mark.parametrize("good", [1, 2, 3, 4, 5, 300])
async def test_samples_are_three_different_rows(good: int, longest: int) -> None:
    """Wherever the longest text stands, three good rows show three samples, and fewer show each row once."""
    rows = [{"phone": phone(line), "name": "n" * (9 if line == longest else 1)} for line in range(1, good + 1)]
    found = await rehearsed(sms("{name}"), {"phone": "nobody", "name": "n" * 99}, *rows)
    lines = [sample.line for sample in found.previews]
    assert len(lines) == len(set(lines)) == min(good, 3)
    assert lines[0] == 2
    if longest <= good:
        assert longest + 1 in lines
    assert {sample.selection for sample in found.previews} <= {"first", "any", "longest"}


async def test_a_code_by_any_name_is_starred() -> None:
    """What stands in the text of an OTP's SMS is a code, whatever its column is called."""
    template = {"endpoint": "otp", "flow": [{**OTP["flow"][1], "message": {"body": "{secret}"}}]}
    found = await rehearsed(template, {"phone": phone(1), "secret": "abcdef"})
    assert found.previews[0].flow["flow"][0]["message"]["body"] == "******"
    other = await rehearsed(sms("Use {otp_code}"), {"phone": phone(1), "otp_code": "A1B2"})
    assert other.previews[0].flow["flow"][0]["message"]["body"] == "Use ****"


async def test_ready_flows_are_rehearsed_too() -> None:
    """Flows of a program, also asynchronous ones, are counted, and the digits of their codes starred."""

    async def flows() -> AsyncIterator[AnyFlow]:
        step = {"type": "Sms", "order": 1, "to": phone(1), "ttl": 60, "message": {"body": f"Code {CANARY}"}}
        yield load_flow("otp", {"flow": [step]})
        yield load_flow("otp", {"flow": [step]})

    found = await check_rows(rows_of(flows()))
    assert (found.valid, found.duplicates) == (1, 1)
    assert found.previews[0].flow["flow"][0]["message"]["body"] == "Code ******"


def test_a_key_is_met_once() -> None:
    """However many keys there are, each is new once."""
    seen = KeySet()
    assert all(seen.add(f"key {number}") for number in range(20_000))
    assert not any(seen.add(f"key {number}") for number in range(0, 20_000, 7))


def test_the_first_row_of_a_key_is_known() -> None:
    """Whether a later one is for the same recipient is told, and the line of the first."""
    seen = KeyIndex()
    assert not any(seen.add(f"key {number}", phone(number), number) for number in range(20_000))
    for number in range(0, 20_000, 7):
        assert seen.add(f"key {number}", phone(number), 99_999) == (number, True)
        assert seen.add(f"key {number}", phone(number + 1), 99_999) == (number, False)
