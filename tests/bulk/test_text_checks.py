"""The dry run counts warnings about rows that can be sent, each with an example that shows no code and no number."""

import re
from typing import Any

import pytest

from routee_failover import AnyFlow
from routee_failover._wire import load_flow
from routee_failover.bulk import SendWindow, rows_of
from routee_failover.bulk.dry_run import DryRunResult, check_rows
from routee_failover.bulk.templates import dry_run_findings
from routee_failover.bulk.templates.dry_run_findings import Finding, FindingKind
from routee_failover.bulk.templates.template import FlowTemplate

from .test_dry_run import CANARY, OTP, dry_run_of, phone, sms


def rows(cells: list[Any], column: str = "name") -> list[dict[str, Any]]:
    """Return a row for each cell of a column."""
    return [{"phone": phone(line), column: cell} for line, cell in enumerate(cells, 1)]


def summarized(result: DryRunResult) -> list[tuple[str, str, int, int, str]]:
    """Return the findings as tuples."""
    return [(one.kind.value, one.subject, one.count, one.line, one.example) for one in result.findings]


async def test_clean_rows_give_no_findings() -> None:
    """A clean file gives no findings."""
    assert (await dry_run_of(sms("Hello {name}, we open"), *rows(["Ada", "Nana", "Ünal", "O'Neil"]))).findings == ()


async def test_empty_cells_in_a_text_are_counted() -> None:
    """Rows with an empty column in their text can be sent, and are counted with one of them as the example."""
    result = await dry_run_of(sms("Hello {name}, we open"), *rows(["Ada", "", " ", "nan", "NULL", "-", "Bo"]))
    assert (result.valid, summarized(result)) == (7, [("empty_column", "name", 5, 2, "Hello , we open")])


async def test_empty_columns_are_counted_separately() -> None:
    """Each column of a text has a finding of its own; a column that no text uses is not checked."""
    values = [{"phone": phone(1), "name": "", "town": "Oia", "note": ""}, {"phone": phone(2), "name": "", "town": "?"}]
    result = await dry_run_of(sms("{name} in {town}."), *values)
    assert summarized(result) == [("empty_column", "name", 2, 1, "in Oia."), ("empty_column", "town", 1, 2, "in ?.")]


@pytest.mark.parametrize(
    ("body", "placeholder", "example"),
    [
        ("Hello {{name}}", "{name}", "Hello {name}"),
        ("Hello {{{name}}}", "{name}", "Hello {Ada}"),
        ("Hello {{ name }}", "{ name }", "Hello { name }"),
        ("Hello {{contact.FIRSTNAME}}", "{contact.FIRSTNAME}", "Hello {contact.FIRSTNAME}"),
        ("Hello *|{name}|*", "*|name|*", "Hello *|Ada|*"),
        ("Hello ${name}", "${name}", "Hello $Ada"),
        ("Hello %{name}%", "%name%", "Hello %Ada%"),
        ("{name}, hello [name]", "[name]", "Ada, hello [name]"),
        ("Hello [[name]]", "[[name]]", "Hello [[name]]"),
    ],
)
async def test_unfilled_placeholder_of_the_template_counts_for_every_row(
    body: str, placeholder: str, example: str
) -> None:
    """A placeholder in the template's own text is reported once, with the count of all rows that can be sent."""
    result = await dry_run_of(sms(body), *rows(["Ada", "Bo", "Cy"]))
    assert summarized(result) == [("placeholder", placeholder, 3, 1, example)]


async def test_currency_signs_brands_and_routee_placeholders_are_no_findings() -> None:
    """A currency sign before a number, a brand in brackets and Routee's own placeholders are ordinary text."""
    result = await dry_run_of(sms("[Demo] You owe ${name} for [{name}] [~{{label}}]"), *rows(["12", "7.50"]))
    assert result.findings == ()


async def test_unfilled_placeholder_in_a_cell_is_found_in_its_row() -> None:
    """A cell is inserted unchanged: a placeholder of another tool in it is reported."""
    result = await dry_run_of(sms("{text}!"), *rows(["Hello Ada", "Hello {{name}}", "Hi [phone]"], "text"))
    assert summarized(result) == [
        ("placeholder", "{name}", 1, 2, "Hello {{name}}!"),
        ("placeholder", "[phone]", 1, 3, "Hi [phone]!"),
    ]


async def test_placeholders_beyond_the_limit_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many different placeholders there are, memory stays bounded."""
    monkeypatch.setattr(dry_run_findings, "MAX_SUBJECTS", 2)
    result = await dry_run_of(sms("{text}!"), *rows([f"Hello {{name{place}}}" for place in range(9)], "text"))
    assert [(one.subject, one.count) for one in result.findings] == [("", 7), ("{name0}", 1), ("{name1}", 1)]


async def test_codes_of_another_length_than_most_are_counted() -> None:
    """A code that lost its leading zero has another length, and is the example, in stars."""
    cells = [CANARY, CANARY, "39164", CANARY, "9164", CANARY, "39165"]
    result = await dry_run_of(OTP, *(one | {"name": "Ada"} for one in rows(cells, "pin")))
    (finding,) = result.findings
    assert finding == Finding(
        kind=FindingKind.CODE_LENGTH,
        subject="pin",
        count=3,
        line=5,
        example="****",
        lengths={6: 4, 5: 2, 4: 1},
    )
    assert [*finding.lengths] == [6, 5, 4]


async def test_only_digits_count_as_codes_if_the_code_column_is_not_known() -> None:
    """Names of different lengths beside a code in an unmarked column are not reported."""
    template = {"endpoint": "otp", "flow": [{**OTP["flow"][1], "message": {"body": "{name}: {secret}"}}]}
    values = [{"phone": phone(1), "name": "Ada", "secret": "1234"}, {"phone": phone(2), "name": "Al", "secret": "123"}]
    result = await dry_run_of(template, *values)
    assert [(one.kind, one.subject, one.example) for one in result.findings] == [
        (FindingKind.CODE_LENGTH, "secret", "**: ***")
    ]


async def test_numbers_of_uncertain_time_zone_are_counted_with_a_send_window() -> None:
    """A Russian mobile may be in any of eleven time zones; without a send window that does not matter."""
    values = [{"phone": number, "name": "A"} for number in (phone(1), "+79161234567", "+18005550123")]
    template = FlowTemplate.from_mapping(sms("Hello {name}"))
    result = await check_rows(template.rows(values), send_window=SendWindow.parse("09:00-20:00"))
    assert summarized(result) == [("uncertain_time_zone", "", 2, 2, "+79****")]
    assert (await check_rows(template.rows(values))).findings == ()


async def test_key_of_another_recipient_is_a_key_conflict_and_no_duplicate() -> None:
    """Rows with a key of another recipient cannot be sent; a repeated row for one recipient is sent once."""
    values = [
        {"phone": number, "name": "A", "order": order}
        for number, order in ((phone(1), "7"), (phone(1), "7"), (phone(2), "7"), (phone(3), "8"), (phone(2), "7"))
    ]
    result = await check_rows(FlowTemplate.from_mapping(sms("Hello {name}")).rows(values, key="order"))
    assert (result.rows, result.valid, result.duplicates, result.invalid, result.key_conflicts) == (5, 2, 1, 2, 2)
    assert [(invalid.line, str(invalid.problems[0])) for invalid in result.invalid_rows] == [
        (line, "has the key of line 1, which is for another recipient") for line in (3, 5)
    ]
    (finding,) = result.findings
    assert (finding.kind, finding.count, finding.line) == (FindingKind.KEY_CONFLICT, 2, 3)
    assert phone(2) not in repr(result)


async def test_flows_of_a_program_are_checked_for_placeholders() -> None:
    """The texts of flows that a program built are checked for placeholders of other tools."""
    sender = {"senderInfoTrackingId": "aaaaaaaa-0000-4000-8000-000000000001"}

    def flows() -> list[AnyFlow]:
        step = sms("Hello {{name}}")["flow"][0] | {"to": phone(1)}
        viber = {"type": "Viber", "order": 1, "to": phone(2), **sender, "message": {"text": "Hello %name%"}}
        return [load_flow("standard", {"flow": [step]}), load_flow("standard", {"flow": [viber]})]

    result = await check_rows(rows_of(flows()))
    assert [(one.subject, one.line) for one in result.findings] == [("{name}", 1), ("%name%", 2)]
    message = {**sender, "to": phone(3), "templateParams": {"pin": CANARY}}
    assert (await check_rows(rows_of([load_flow("viber-otp", message)]))).findings == ()


NOTATIONS = [
    "+30 690 000 0045",
    "+30-690-000-0045",
    "(+30) 690 000.0045",
    "0030 690 000 0045",
    "00306900000045",
    "306900000045",
    "690 000 0045",
    "6900000045",
    "0690 000 00 45",
    "+30\u00a0690\u202f000\u20090045",
    "+30 6 9 0 0 0 0 0 0 4 5",
    "tel:+306900000045",
    "ref306900000045x",
]


@pytest.mark.parametrize("written", NOTATIONS)
async def test_recipient_in_any_notation_is_masked(written: str) -> None:
    """However the recipient's number is written in a text, it is masked in previews and examples."""
    values = {"phone": "+30 690 000 0045", "name": written}
    result = await dry_run_of(sms("{{phone}} {phone}: {name}"), values)
    printed = repr(result)
    assert "0000045" not in "".join(char for char in printed if char.isdecimal())
    assert "0000045" not in "".join(str(int(char)) if char.isdecimal() else "" for char in printed)
    assert "****" in result.previews[0].flow["flow"][0]["message"]["body"]


@pytest.mark.parametrize(
    "written", ["+45 45 67 89 01", "+44 7400 123456", "697 123 4567", "0044 7400123456", "45 678901"]
)
async def test_other_phone_numbers_in_a_text_are_masked(written: str) -> None:
    """Every text that looks like a phone number is masked, and so is the end of the recipient's."""
    result = await dry_run_of(sms("Call {name}"), {"phone": "+4545678901", "name": written})
    body = result.previews[0].flow["flow"][0]["message"]["body"]
    assert written not in body
    assert "****" in body


@pytest.mark.parametrize(
    "text", ["30.11.2026 at 20:00", "2026-11-30", "EUR 1,234,567.89", "30/11/2026", "Room 4711", "9-17"]
)
async def test_dates_and_amounts_are_not_masked(text: str) -> None:
    """A preview stays readable."""
    result = await dry_run_of(sms("On {name}"), {"phone": phone(1), "name": text})
    assert result.previews[0].flow["flow"][0]["message"]["body"] == f"On {text}"


@pytest.mark.parametrize(
    "echo", [CANARY, "739 164", "7 3 9 1 6 4", "7-3-9-1-6-4", "739\u00a0164", f"x{CANARY}9", "739.164"]
)
async def test_code_with_separators_is_starred(echo: str) -> None:
    """A code is starred also if another column has it in groups, to be read aloud."""
    result = await dry_run_of(sms("Code {pin}, {name}"), {"phone": phone(1), "pin": f" {CANARY} ", "name": echo})
    body = result.previews[0].flow["flow"][0]["message"]["body"]
    assert CANARY not in "".join(char for char in body if char.isdecimal())
    assert body.startswith("Code ******, ")


@pytest.mark.parametrize("code", ["p@ss-W0rd!", "#7391", "(73)#91*6", "73:91", "a+b=c", "7391;", "73\u20ac91"])
async def test_code_with_punctuation_is_starred(code: str) -> None:
    """No letter, digit or sign of a code is shown, in previews and in examples, in either case."""
    given = [{"phone": phone(n), "pin": "73916", "name": ""} for n in range(9)]
    result = await dry_run_of(sms("Code {pin}, {name}"), *given, {"phone": phone(9), "pin": code, "name": code.upper()})
    texts = [finding.example for finding in result.findings] + [repr(preview.flow) for preview in result.previews]
    assert any("Code ***" in text for text in texts)
    assert not [text for text in texts if code.casefold() in text.casefold()]
    assert not re.search(r"Code [* -]*[^* ,-]", "".join(texts))


async def test_code_of_a_viber_otp_is_starred_in_its_other_fields() -> None:
    """A program may have put the code into another field as well."""
    message = {
        "senderInfoTrackingId": "aaaaaaaa-0000-4000-8000-000000000001",
        "to": phone(3),
        "templateParams": {"pin": CANARY, "businessPlatformName": f"Shop {CANARY}"},
    }
    result = await check_rows(rows_of([load_flow("viber-otp", message)]))
    assert CANARY not in repr(result)


async def test_lengths_beyond_the_maximum_are_counted_as_one() -> None:
    """Codes beyond the maximum length count as one length, so that memory stays bounded."""
    result = await dry_run_of(sms("Code {pin}"), *rows(["1" * length for length in range(60, 99)], "pin"))
    (finding,) = result.findings
    assert finding.lengths == {64: 35, 60: 1, 61: 1, 62: 1, 63: 1}


async def test_reasons_that_differ_only_in_lines_are_counted_as_one() -> None:
    """Many key conflicts are one reason, and displace no other."""
    values = [{"phone": phone(n), "name": "A", "order": str(n % 80)} for n in range(160)]
    last = {"phone": "+30690000XXXX", "name": "A", "order": "x"}
    result = await check_rows(FlowTemplate.from_mapping(sms("Hello {name}")).rows([*values, last], key="order"))
    assert dict(result.reason_counts) == {
        "has the key of another line, which is for another recipient": 80,
        "flow[0].to: is masked: some of its digits are hidden (column phone)": 1,
    }
