"""External texts are shown on one line, without control characters, and with masked phone numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.bulk.display_text import MAX_LENGTH, masked_key, sanitize


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no route", "no route"),
        ("two\r\nlines\tand\x00more", "two lines and more"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("\u202egnirts\u202c \u200bx", "gnirts x"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("to +306912345678 and 00306912345678.", "to +3069****5678 and 0030****5678."),
        ("to +30 691 234 5678, +30 (691) 234-5678.", "to +3069****5678, +3069****5678."),
        ("code 400005000, id 12345678-1234-1234-1234-123456789012", None),
        ("x" * 10_000, "x" * MAX_LENGTH + "…"),
    ],
)
def test_control_characters_become_spaces_and_numbers_are_masked(text: str, shown: str | None) -> None:
    """Control and direction characters become spaces, numbers are masked, Routee's codes and ids stay."""
    assert sanitize(text) == (text if shown is None else shown)


@given(st.text())
def test_any_text_becomes_one_short_printable_line(text: str) -> None:
    """Any text becomes printable and short."""
    shown = sanitize(text)
    assert shown.isprintable()
    assert len(shown) <= MAX_LENGTH + 1 + 8  # a mask may be longer than what it hides


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("+306912345678", "+3069****5678"),
        ("306912345678", "+3069****5678"),
        ("0030 691-234 5678", "+3069****5678"),
        ("6912345678", "+3069****5678"),
        ("", "+3069****5678"),
        ("customer-12345678", "customer-12345678"),
        ("70012345", "70012345"),
        ("a\nb", "a b"),
    ],
)
def test_key_is_masked_only_if_it_is_the_recipients_number(key: str, shown: str) -> None:
    """The number is masked in any notation; any other key is shown, because it identifies the row."""
    assert masked_key(key, "+306912345678") == shown
