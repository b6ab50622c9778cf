"""Keys that read the same are the same key, and a rounded key is refused."""

import unicodedata

import pytest

from routee_failover.bulk.templates.key_normalization import normalize_key
from routee_failover.bulk.templates.template import FlowTemplate

TEMPLATE = FlowTemplate.from_mapping(
    {
        "endpoint": "standard",
        "flow": [{"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": "Hi {phone}"}}],
    }
)


@pytest.mark.parametrize(
    "text", ["Ren\u00e9", "Rene\u0301", " Rene\u0301\u00a0", "\ufeffRen\u00e9", "Ren\u200b\u00e9\u200e"]
)
def test_unicode_forms_of_a_key_are_one_key(text: str) -> None:
    """Composed or not, with surrounding blanks or invisible marks, it is the same key."""
    assert normalize_key(text) == "Ren\u00e9"


def test_visible_characters_of_a_key_are_kept() -> None:
    """Letter case, inner blanks and the joiners of Persian stay."""
    for text in ("aB c", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "1E5", "5e12", "12.5", "-7"):
        assert normalize_key(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("text", ["1E+05", "1.23457E+11", "1,5e+12", " 2e-05 ", "1.5E5"])
def test_rounded_key_makes_its_row_invalid(text: str) -> None:
    """Many rows have the same rounded key, and one message would be sent for all of them."""
    with pytest.raises(ValueError, match="a spreadsheet has rounded"):
        normalize_key(text)
    (row,) = TEMPLATE.rows([{"phone": "+306900000001", "order": text}], key="order")
    assert (row.key, row.recipient) == ("", "+306900000001")
    assert [str(problem) for problem in row.problems] == [
        "has a key that a spreadsheet has rounded; write the column as text (column order)"
    ]


@pytest.mark.parametrize("text", ["nan", "NULL", "None", "#N/A", "-", "####", " n/a ", "\u200b", "?"])
def test_word_for_an_empty_cell_is_no_key(text: str) -> None:
    """Many rows have it, and it identifies none of them."""
    (row,) = TEMPLATE.rows([{"phone": "+306900000001", "order": text}], key="order")
    assert row.key == ""
    assert [str(problem) for problem in row.problems] == ["has no key (column order)"]


def test_blanks_and_zero_fraction_do_not_distinguish_keys() -> None:
    """Non-breaking blanks, and the `.0` that a program adds, make no other key."""
    assert normalize_key("AB\u00a012\u2007C") == "AB 12 C"
    assert normalize_key(" 4711.0 ") == normalize_key("4711")
    assert normalize_key("4711.00") != normalize_key("4711") != normalize_key("04711")


def test_key_from_the_recipient_column_is_the_e164_number() -> None:
    """All notations of a number in the column are one key."""
    notations = ["+447400123456", "+44 (0)7400 123456", "+4407400123456", "07400 123456"]
    rows = TEMPLATE.rows([{"phone": notation} for notation in notations], key="phone", region="GB")
    assert {row.key for row in rows} == {"+447400123456"}
