"""The dry run counts what looks wrong in rows that can be sent, and shows an example of each that tells no secret."""

import re
from typing import Any

import pytest

from routee_failover import AnyFlow
from routee_failover._wire import load_flow
from routee_failover.bulk import SendWindow, rows_of
from routee_failover.bulk.dry_run import DryRunResult, check_rows
from routee_failover.bulk.templates import findings
from routee_failover.bulk.templates.findings import Finding, FindingKind
from routee_failover.bulk.templates.template import FlowTemplate

from .test_dry_run import CANARY, OTP, phone, rehearsed, sms


def rows(cells: list[Any], column: str = "name") -> list[dict[str, Any]]:
    """A row for each cell of a column."""
    return [{"phone": phone(line), column: cell} for line, cell in enumerate(cells, 1)]


def told(found: DryRunResult) -> list[tuple[str, str, int, int, str]]:
    """What was found."""
    return [(one.kind.value, one.subject, one.count, one.line, one.example) for one in found.findings]


async def test_rows_in_order_find_nothing() -> None:
    """A clean file says nothing."""
    assert (await rehearsed(sms("Hello {name}, we open"), *rows(["Ada", "Nana", "Ünal", "O'Neil"]))).findings == ()


async def test_empty_cells_of_a_text_are_counted() -> None:
    """Rows with nothing in a column of their text can be sent, and are counted with one of them shown."""
    found = await rehearsed(sms("Hello {name}, we open"), *rows(["Ada", "", " ", "nan", "NULL", "-", "Bo"]))
    assert (found.valid, told(found)) == (7, [("empty_column", "name", 5, 2, "Hello , we open")])


async def test_each_column_is_counted_by_itself() -> None:
    """An empty name is no empty town; a column that no text uses is not looked at."""
    values = [{"phone": phone(1), "name": "", "town": "Oia", "note": ""}, {"phone": phone(2), "name": "", "town": "?"}]
    found = await rehearsed(sms("{name} in {town}."), *values)
    assert told(found) == [("empty_column", "name", 2, 1, "in Oia."), ("empty_column", "town", 1, 2, "in ?.")]


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
async def test_a_placeholder_of_the_template_is_in_every_row(body: str, placeholder: str, example: str) -> None:
    """A name that stands as text is told once, with every row that can be sent counted."""
    found = await rehearsed(sms(body), *rows(["Ada", "Bo", "Cy"]))
    assert told(found) == [("placeholder", placeholder, 3, 1, example)]


async def test_what_is_meant_is_no_placeholder() -> None:
    """A sign of money before a number, a brand in brackets and Routee's own placeholders are what a text may have."""
    found = await rehearsed(sms("[Demo] You owe ${name} for [{name}] [~{{label}}]"), *rows(["12", "7.50"]))
    assert found.findings == ()


async def test_a_placeholder_in_a_cell_is_found_in_its_row() -> None:
    """A cell is put there as it is: what another tool should have filled in it is told."""
    found = await rehearsed(sms("{text}!"), *rows(["Hello Ada", "Hello {{name}}", "Hi [phone]"], "text"))
    assert told(found) == [
        ("placeholder", "{name}", 1, 2, "Hello {{name}}!"),
        ("placeholder", "[phone]", 1, 3, "Hi [phone]!"),
    ]


async def test_more_placeholders_than_can_be_told_apart_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, what is kept of them stays small."""
    monkeypatch.setattr(findings, "MAX_SUBJECTS", 2)
    found = await rehearsed(sms("{text}!"), *rows([f"Hello {{name{place}}}" for place in range(9)], "text"))
    assert [(one.subject, one.count) for one in found.findings] == [("", 7), ("{name0}", 1), ("{name1}", 1)]


async def test_codes_of_another_length_are_counted() -> None:
    """A code that lost its zero is the odd one, and stands as the example, in stars."""
    cells = [CANARY, CANARY, "39164", CANARY, "9164", CANARY, "39165"]
    found = await rehearsed(OTP, *(one | {"name": "Ada"} for one in rows(cells, "pin")))
    (finding,) = found.findings
    assert finding == Finding(
        kind=FindingKind.CODE_LENGTH,
        subject="pin",
        count=3,
        line=5,
        example="****",
        lengths={6: 4, 5: 2, 4: 1},
    )
    assert [*finding.lengths] == [6, 5, 4]


async def test_only_digits_are_taken_for_codes_where_nothing_says_what_is_one() -> None:
    """Names of different lengths beside a code by any name are not told."""
    template = {"endpoint": "otp", "flow": [{**OTP["flow"][1], "message": {"body": "{name}: {secret}"}}]}
    values = [{"phone": phone(1), "name": "Ada", "secret": "1234"}, {"phone": phone(2), "name": "Al", "secret": "123"}]
    found = await rehearsed(template, *values)
    assert [(one.kind, one.subject, one.example) for one in found.findings] == [
        (FindingKind.CODE_LENGTH, "secret", "**: ***")
    ]


async def test_numbers_without_certain_hours_are_counted_where_a_run_has_hours() -> None:
    """A Russian mobile may be in any of eleven time zones; without hours that is of no account."""
    values = [{"phone": number, "name": "A"} for number in (phone(1), "+79161234567", "+18005550123")]
    template = FlowTemplate.from_mapping(sms("Hello {name}"))
    found = await check_rows(template.rows(values), send_window=SendWindow.parse("09:00-20:00"))
    assert told(found) == [("uncertain_time_zone", "", 2, 2, "+79****")]
    assert (await check_rows(template.rows(values))).findings == ()


async def test_another_recipient_under_a_key_is_no_duplicate() -> None:
    """Those rows cannot be sent; a row that is there twice for one recipient can, once."""
    values = [
        {"phone": number, "name": "A", "order": order}
        for number, order in ((phone(1), "7"), (phone(1), "7"), (phone(2), "7"), (phone(3), "8"), (phone(2), "7"))
    ]
    found = await check_rows(FlowTemplate.from_mapping(sms("Hello {name}")).rows(values, key="order"))
    assert (found.rows, found.valid, found.duplicates, found.invalid, found.key_conflicts) == (5, 2, 1, 2, 2)
    assert [(broken.line, str(broken.problems[0])) for broken in found.invalid_rows] == [
        (line, "has the key of line 1, which is for another recipient") for line in (3, 5)
    ]
    (finding,) = found.findings
    assert (finding.kind, finding.count, finding.line) == (FindingKind.KEY_CONFLICT, 2, 3)
    assert phone(2) not in repr(found)


async def test_ready_flows_are_looked_at_for_placeholders() -> None:
    """Texts that a program made are searched for what looks like another tool's placeholder."""
    sender = {"senderInfoTrackingId": "aaaaaaaa-0000-4000-8000-000000000001"}

    def flows() -> list[AnyFlow]:
        step = sms("Hello {{name}}")["flow"][0] | {"to": phone(1)}
        viber = {"type": "Viber", "order": 1, "to": phone(2), **sender, "message": {"text": "Hello %name%"}}
        return [load_flow("standard", {"flow": [step]}), load_flow("standard", {"flow": [viber]})]

    found = await check_rows(rows_of(flows()))
    assert [(one.subject, one.line) for one in found.findings] == [("{name}", 1), ("%name%", 2)]
    message = {**sender, "to": phone(3), "templateParams": {"pin": CANARY}}
    assert (await check_rows(rows_of([load_flow("viber-otp", message)]))).findings == ()


WRITINGS = [
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


@pytest.mark.parametrize("written", WRITINGS)
async def test_no_writing_of_a_number_is_shown(written: str) -> None:
    """However the recipient's number is written in a text, the sample has it masked, and so has an example."""
    values = {"phone": "+30 690 000 0045", "name": written}
    found = await rehearsed(sms("{{phone}} {phone}: {name}"), values)
    shown = repr(found)
    assert "0000045" not in "".join(letter for letter in shown if letter.isdecimal())
    assert "0000045" not in "".join(str(int(letter)) if letter.isdecimal() else "" for letter in shown)
    assert "****" in found.previews[0].flow["flow"][0]["message"]["body"]


@pytest.mark.parametrize(
    "written", ["+45 45 67 89 01", "+44 7400 123456", "697 123 4567", "0044 7400123456", "45 678901"]
)
async def test_the_number_of_another_person_is_masked_too(written: str) -> None:
    """What looks like a phone number is one, whosever it is; so is the end of the recipient's."""
    found = await rehearsed(sms("Call {name}"), {"phone": "+4545678901", "name": written})
    body = found.previews[0].flow["flow"][0]["message"]["body"]
    assert written not in body
    assert "****" in body


@pytest.mark.parametrize(
    "text", ["30.11.2026 at 20:00", "2026-11-30", "EUR 1,234,567.89", "30/11/2026", "Room 4711", "9-17"]
)
async def test_dates_and_amounts_are_shown(text: str) -> None:
    """A sample is there to be read."""
    found = await rehearsed(sms("On {name}"), {"phone": phone(1), "name": text})
    assert found.previews[0].flow["flow"][0]["message"]["body"] == f"On {text}"


@pytest.mark.parametrize(
    "echo", [CANARY, "739 164", "7 3 9 1 6 4", "7-3-9-1-6-4", "739\u00a0164", f"x{CANARY}9", "739.164"]
)
async def test_a_code_with_blanks_is_starred(echo: str) -> None:
    """A code is starred also where another column has it in groups, to be read aloud."""
    found = await rehearsed(sms("Code {pin}, {name}"), {"phone": phone(1), "pin": f" {CANARY} ", "name": echo})
    body = found.previews[0].flow["flow"][0]["message"]["body"]
    assert CANARY not in "".join(letter for letter in body if letter.isdecimal())
    assert body.startswith("Code ******, ")


@pytest.mark.parametrize("code", ["p@ss-W0rd!", "#7391", "(73)#91*6", "73:91", "a+b=c", "7391;", "73\u20ac91"])
async def test_a_code_with_signs_is_starred(code: str) -> None:
    """No letter, digit or sign of a code is shown, in a sample and in what looks wrong, in either case."""
    given = [{"phone": phone(n), "pin": "73916", "name": ""} for n in range(9)]
    found = await rehearsed(sms("Code {pin}, {name}"), *given, {"phone": phone(9), "pin": code, "name": code.upper()})
    texts = [finding.example for finding in found.findings] + [repr(sample.flow) for sample in found.previews]
    assert any("Code ***" in text for text in texts)
    assert not [text for text in texts if code.casefold() in text.casefold()]
    assert not re.search(r"Code [* -]*[^* ,-]", "".join(texts))


async def test_the_code_of_a_ready_viber_otp_is_starred_elsewhere() -> None:
    """A program may have put it in a label."""
    message = {
        "senderInfoTrackingId": "aaaaaaaa-0000-4000-8000-000000000001",
        "to": phone(3),
        "templateParams": {"pin": CANARY, "businessPlatformName": f"Shop {CANARY}"},
    }
    found = await check_rows(rows_of([load_flow("viber-otp", message)]))
    assert CANARY not in repr(found)


async def test_codes_of_any_length_are_counted_in_constant_memory() -> None:
    """Codes that are longer than any code are one length."""
    found = await rehearsed(sms("Code {pin}"), *rows(["1" * length for length in range(60, 99)], "pin"))
    (finding,) = found.findings
    assert finding.lengths == {64: 35, 60: 1, 61: 1, 62: 1, 63: 1}


async def test_reasons_that_name_lines_are_counted_as_one() -> None:
    """A reason is counted whatever the row: many key conflicts are one reason, and crowd out no other."""
    values = [{"phone": phone(n), "name": "A", "order": str(n % 80)} for n in range(160)]
    last = {"phone": "+30690000XXXX", "name": "A", "order": "x"}
    found = await check_rows(FlowTemplate.from_mapping(sms("Hello {name}")).rows([*values, last], key="order"))
    assert dict(found.reason_counts) == {
        "has the key of another line, which is for another recipient": 80,
        "flow[0].to: is masked: some of its digits are hidden (column phone)": 1,
    }
