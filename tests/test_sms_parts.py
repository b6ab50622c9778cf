"""How SMS texts are cut: parts that fit, lose nothing, and are as few as can be."""
# ruff: noqa: RUF001  # Greek letters that look Latin are what is tested

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
def test_documented_limits(text: str, lengths: list[int]) -> None:
    """160 letters of GSM or 70 of Unicode alone, 153 or 67 in each of several parts; what counts double stays whole."""
    assert [len(part) for part in split_sms(text)] == lengths


@given(gsm_texts)
def test_gsm_parts(text: str) -> None:
    """Parts of a GSM text hold what a part may hold, lose nothing, and none of them could be spared."""
    _assert_well_cut(text, split_sms(text), sum(map(gsm_size, text)), [gsm_size(letter) for letter in text], 160, 153)


@given(unicode_texts)
def test_unicode_parts(text: str) -> None:
    """The same for Unicode, where a letter beyond the basic plane counts as two and is never cut apart."""
    _assert_well_cut(
        text, split_sms(text), sum(map(unicode_size, text)), [unicode_size(letter) for letter in text], 70, 67
    )


def _assert_well_cut(text: str, parts: tuple[str, ...], length: int, sizes: list[int], alone: int, joined: int) -> None:
    assert "".join(parts) == text
    assert (len(parts) == 1) == (length <= alone)
    if len(parts) > 1:
        places = iter(sizes)
        filled = [sum(next(places) for _ in part) for part in parts]
        assert max(filled) <= joined
        # Each part but the last is so full that the next letter found no room.
        assert all(size + 2 > joined for size in filled[:-1])


@given(st.text(min_size=1, max_size=500))
def test_any_text(text: str) -> None:
    """Whatever JSON can spell is cut without loss, into parts none of which is empty."""
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
def test_transcode(text: str, parts: tuple[str, ...]) -> None:
    """Greek becomes look-alike GSM capitals, unless the text fits in one Unicode part or needs Unicode all the same."""
    assert split_sms(text, transcode=True) == parts


@given(st.text(st.characters(min_codepoint=0x370, max_codepoint=0x3FF) | st.sampled_from(sorted(GSM)), max_size=300))
def test_transcoding_only_ever_spares(text: str) -> None:
    """A transcoded text never needs more parts, and is all GSM wherever it is another text."""
    plain, transcoded = split_sms(text), split_sms(text, transcode=True)
    assert len(transcoded) <= len(plain)
    if transcoded != plain:
        assert set("".join(transcoded)) <= GSM
        assert sum(map(unicode_size, text)) > 70


def test_alphabet() -> None:
    """The GSM alphabet is 127 letters and 10 that count as two; only those of the extension do."""
    assert (len(GSM), len(EXTENSION)) == (137, 10)
    for letter in GSM:
        assert len(split_sms(letter * 160)) == (3 if letter in EXTENSION else 1)
