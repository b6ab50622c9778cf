"""SMS splitting: parts fit, lose nothing, and are as few as possible."""
# ruff: noqa: RUF001  # Greek letters that look Latin are the subject of these tests

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.sms_parts import split_sms

from .sandbox.gsm_alphabet import EXTENSION, GSM, gsm_size, unicode_size

gsm_texts = st.text(sorted(GSM), min_size=1, max_size=700)
unicode_texts = st.text(
    st.sampled_from(["a", "€", "α", "Ж", "漢", "\U0001f355", "\x1b"]), min_size=1, max_size=300
).map("漢".__add__)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("", [0]),
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("a" * 306, [153, 153]),
        ("a" * 307, [153, 153, 1]),
        ("Δ" * 160, [160]),
        ("{" * 80, [80]),
        ("{" * 81, [76, 5]),
        ("a" * 152 + "€" + "a" * 10, [152, 11]),
        ("α" * 70, [70]),
        ("α" * 71, [67, 4]),
        ("α" * 134, [67, 67]),
        ("\U0001f355" * 35, [35]),
        ("\U0001f355" * 36, [33, 3]),
        ("é" * 160, [160]),
        ("ê" * 71, [67, 4]),
    ],
)
def test_text_is_split_at_the_documented_limits(text: str, lengths: list[int]) -> None:
    """160 GSM or 70 Unicode characters alone, 153 or 67 in each of several parts; none is split between two parts."""
    assert [len(part) for part in split_sms(text)] == lengths


@given(gsm_texts)
def test_gsm_parts_are_full_and_lossless(text: str) -> None:
    """Parts of a GSM text respect the limit, lose nothing, and are as few as possible."""
    _assert_split_well(text, split_sms(text), sum(map(gsm_size, text)), [gsm_size(letter) for letter in text], 160, 153)


@given(unicode_texts)
def test_unicode_parts_are_full_and_lossless(text: str) -> None:
    """The same for Unicode, where a character beyond the basic plane counts as two and is never split."""
    _assert_split_well(
        text, split_sms(text), sum(map(unicode_size, text)), [unicode_size(letter) for letter in text], 70, 67
    )


def _assert_split_well(
    text: str, parts: tuple[str, ...], length: int, sizes: list[int], single: int, multi: int
) -> None:
    assert "".join(parts) == text
    assert (len(parts) == 1) == (length <= single)
    if len(parts) > 1:
        remaining = iter(sizes)
        part_sizes = [sum(next(remaining) for _ in part) for part in parts]
        assert max(part_sizes) <= multi
        # Each part but the last is so full that the next character did not fit.
        assert all(size + 2 > multi for size in part_sizes[:-1])


@given(st.text(min_size=1, max_size=500))
def test_arbitrary_text_is_split_without_loss(text: str) -> None:
    """Any text that JSON can hold is split without loss, and no part is empty."""
    parts = split_sms(text)
    assert "".join(parts) == text
    assert all(parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Καλημέρα" * 10, ("KAΛHMEPA" * 10,)),
        ("ΐ" * 71, ("I" * 71,)),
        ("ς" * 160, ("Σ" * 160,)),
        ("ά" * 160, ("A" * 160,)),
        ("Ο κωδικός σας: 1234" * 5, ("O KΩΔIKOΣ ΣAΣ: 1234" * 5,)),
        ("α" * 161, ("A" * 153, "A" * 8)),
        ("α" * 70, ("α" * 70,)),
        ("Ж" * 71, ("Ж" * 67, "Ж" * 4)),
        ("α" * 70 + "Ж", ("α" * 67, "αααЖ")),
        ("plain" * 40, ("plain" * 30 + "pla", "in" + "plain" * 9)),
    ],
    ids=ascii,
)
def test_transcoding_replaces_greek_only_if_that_avoids_unicode(text: str, parts: tuple[str, ...]) -> None:
    """Greek becomes look-alike GSM capitals, unless the text fits in one Unicode part or needs Unicode all the same."""
    assert split_sms(text, transcode=True) == parts


@given(st.text(st.characters(min_codepoint=0x370, max_codepoint=0x3FF) | st.sampled_from(sorted(GSM)), max_size=300))
def test_transcoding_never_needs_more_parts(text: str) -> None:
    """A transcoded text never needs more parts, and is all GSM if it differs."""
    unchanged, transcoded = split_sms(text), split_sms(text, transcode=True)
    assert len(transcoded) <= len(unchanged)
    if transcoded != unchanged:
        assert set("".join(transcoded)) <= GSM
        assert sum(map(unicode_size, text)) > 70


def test_gsm_alphabet_has_127_basic_and_10_extension_characters() -> None:
    """The GSM alphabet has 127 characters and 10 that count as two; only those of the extension do."""
    assert (len(GSM), len(EXTENSION)) == (137, 10)
    for letter in GSM:
        assert len(split_sms(letter * 160)) == (3 if letter in EXTENSION else 1)
