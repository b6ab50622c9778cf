"""The page says what the numbers say, shows texts as text and numbers masked, and needs nothing but itself."""

import base64
import hashlib
import re
from datetime import UTC
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest

from routee_failover.bulk.report.formatting import TimeFormatter
from routee_failover.bulk.report.page import render_page
from routee_failover.bulk.report.summary import summarize_ledger
from routee_failover.ledger import DeliveryReport, EntryState, LedgerEntry

from .sample_runs import RUN_SETTINGS, STARTED_AT, SampleLedger, sample_entries, sample_run

VOID = {"meta", "br"}
HOSTILE = (
    "<script>document.title='hacked'</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></table><h1>hacked</h1>",
    "\u202eright to left\u2066 \u200f",
    "\x1b]0;title\x07 \x00 \x85",
    "\ud800 alone",
    "x" * 10_000,
    "ten thousand words " * 500,
    "to +306912345678, or 00306912345678",
    "&amp; &lt;b&gt; {{1}} %s",
)


class _Read(HTMLParser):
    """A page as it is nested: its elements, and what was not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data

    def count(self, name: str) -> int:
        return sum(1 for tag, _ in self.elements if tag == name)


async def read_page(ledger: SampleLedger, name: str = "RUN.sqlite") -> tuple[str, _Read]:
    """The page of a run: its text, and what a reader finds in it."""
    text = render_page(
        await summarize_ledger(ledger), ledger_name=name, written_at=STARTED_AT + 86_400, times=TimeFormatter(UTC)
    )
    return text, _Read(text)


def hostile(texts: tuple[str, ...] = HOSTILE) -> SampleLedger:
    """Every text that comes from outside is one of these."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    made: list[LedgerEntry] = []
    for text in texts:
        fate = DeliveryReport(1, text, text, 0.1, text, text, 1.0)
        for state, end in [(state, None) for state in EntryState] + [
            (EntryState.ACCEPTED, fate),
            (EntryState.ACCEPTED, None),
        ]:
            given: dict[str, Any] = {
                "reason": text,
                "tracking_id": text,
                "channel": text,
                "resolved_by": text,
                "key": text,
                "recipient": text,
            }
            made.append(
                attrs.evolve(whole, number=len(made) + 1, line=len(made) + 1, state=state, delivery_report=end, **given)
            )
        made.append(attrs.evolve(whole, delivery_report=DeliveryReport(1, "Failed", text, 0.1, text, text, 1.0)))
        made.append(attrs.evolve(whole, delivery_report=DeliveryReport(1, "Succeeded", text, 0.1, text, text, 1.0)))
    return SampleLedger(iter(made), run_settings={"endpoint": texts[0], "recipients": texts[1], "flow": texts[2]})


async def test_what_it_says() -> None:
    """The headline, the tiles, and each part with its drawing and its table."""
    _, read = await read_page(sample_run(3_000), name="/srv/runs/RUN.sqlite")
    words = read.words.replace("\u202f", " ")
    for said in ("of 3,000 messages were accepted", "Accepted", "messages a second", "Half of the responses", "Greece"):
        assert said in words
    assert "routee-failover bulk reconcile /srv/runs/RUN.sqlite --ends" in words
    assert "routee-failover bulk export /srv/runs/RUN.sqlite --state UNKNOWN --csv" in words
    assert "Bulk run RUN.sqlite" in words
    assert "customers.csv" in words
    assert "/srv/lists" not in words
    assert read.count("details") == read.count("figure") == 5


async def test_hostile_texts_stay_text() -> None:
    """No text from outside becomes an element, an attribute or a turn of direction, and none is shown at length."""
    text, read = await read_page(hostile(), name="<b>\u202e.sqlite")
    assert {"script", "img", "b"}.isdisjoint(tag for tag, _ in read.elements)
    assert read.count("style") == read.count("h1") == 1
    assert not any(name.startswith("on") or name == "style" for _, given in read.elements for name in given)
    assert all(letter.isprintable() or letter in "\n\u202f" for letter in text)
    assert "x" * 500 not in text
    assert "<script>document.title" in read.words


async def test_no_number_is_in_clear() -> None:
    """Neither recipients nor keys nor numbers within reasons are in the page."""
    given = [*sample_entries(1_500)]
    text, _ = await read_page(SampleLedger(iter(given)))
    assert not any(intent.recipient[1:] in text for intent in given)
    text, _ = await read_page(hostile())
    assert "6912345678" not in text


async def test_it_needs_nothing_else() -> None:
    """Its policy lets in its own style and nothing else; it names no address and runs nothing."""
    text, read = await read_page(sample_run(500))
    (policy,) = (
        given["content"] for tag, given in read.elements if given.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"https?:|//\w|url\(|@import|src=|href=", text)


async def test_every_drawing_is_described() -> None:
    """A drawing that says something has a title and a description that are its name."""
    text, read = await read_page(sample_run(2_000))
    ids = {given.get("id") for _, given in read.elements}
    drawings = [given for tag, given in read.elements if tag == "svg" and given.get("role") == "img"]
    assert len(drawings) == 5
    for drawing in drawings:
        assert set((drawing["aria-labelledby"] or "").split()) <= ids
    named = re.findall(r' id="([^"]+)"', text)
    assert sorted(named) == sorted(set(named))


@pytest.mark.parametrize(
    ("ledger", "said", "unsaid"),
    [
        (lambda: sample_run(0), "Nothing has been sent yet", "<figure>"),
        (SampleLedger, "The ledger holds no row", "Endpoint"),
        (lambda: sample_run(1), "The message was accepted", "a second"),
        (lambda: sample_run(40, troubles=1e-9), "All 40 messages were accepted", "unknown</h2>"),
        (lambda: sample_run(300, fates=-1), "How the accepted messages were delivered is not known", "failed over"),
        (lambda: sample_run(300, unsent=200), "not sent yet", "Nothing has been sent yet"),
        (lambda: sample_run(300, unsent=300), "None was accepted", "Half of"),
        (
            lambda: sample_run(2_000, pause=30_000),
            "in which nothing was being sent are not counted",
            "Nothing went wrong",
        ),
        (lambda: sample_run(30, troubles=1e9), "There is nothing to be delivered", "failed over"),
    ],
)
async def test_other_runs(ledger: Any, said: str, unsaid: str) -> None:
    """A run that is empty, small, whole, unfinished or a failure says so, and leaves out what it has no numbers for."""
    text, read = await read_page(ledger())
    assert said in read.words.replace("\u202f", " ")
    assert unsaid not in text.replace("\u202f", " ")


async def test_channels_that_are_not_known() -> None:
    """Where the first channel or the last is not known, that is said; a channel that Routee adds has a place."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    ends = [("Viber", "Rcs"), (None, "Sms"), ("Sms", None), (None, None)]
    given = (
        attrs.evolve(whole, number=at, channel=first, delivery_report=DeliveryReport(at, "Succeeded", last, 0.0))
        for at, (first, last) in enumerate(ends, 1)
    )
    _, read = await read_page(SampleLedger(given, run_settings=RUN_SETTINGS))
    assert "100 % of the delivered messages had failed over" in read.words.replace("\u202f", " ")
    assert "Rcs" in read.words
    assert "Not known" in read.words
    assert "every message was free" in read.words


@pytest.mark.parametrize(
    ("first", "said"), [("Sms", "No message failed over"), (None, "1 of 2 accepted messages was delivered")]
)
async def test_no_failover(first: str | None, said: str) -> None:
    """That none failed over is said only where it is known."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    ends = [DeliveryReport(1, "Failed", "Sms"), DeliveryReport(2, "Succeeded", "Sms")]
    _, read = await read_page(SampleLedger(attrs.evolve(whole, channel=first, delivery_report=fate) for fate in ends))
    assert said in read.words
    assert ("failed over" in read.words) == (first is not None)


async def test_many_pauses() -> None:
    """A run that was stopped over and over says how long each time, and its times do not stand in each other's way."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    moments = [STARTED_AT + pause * 10_000 + at / 10 for pause in range(6) for at in range(600 if pause else 5)]
    given = (attrs.evolve(whole, number=at, claimed_at=when, ended_at=when) for at, when in enumerate(moments, 1))
    text, read = await read_page(SampleLedger(given))
    assert text.count(">idle<") == 5
    assert "2 h" in read.words.replace("\u202f", " ")


async def test_many_countries() -> None:
    """The dearest countries have bars of their own, the rest one together; the table has all."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    codes = ["GR", "CY", "IT", "DE", "GB", "FR", "ES", "PT", "NL", "BE", "AT", "CH", "SE", "NO", "FI", "DK"]
    given = (
        attrs.evolve(whole, number=at, delivery_report=DeliveryReport(at, "Succeeded", "Sms", 1.0 / at, code))
        for at, code in enumerate(codes, 1)
    )
    _, read = await read_page(SampleLedger(given))
    assert "4 other countries" in read.words
    assert "Denmark" in read.words


async def test_more_doubts_and_reasons_than_there_is_room_for() -> None:
    """The first are shown, and how many more there are."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    given = (
        attrs.evolve(whole, number=at, line=at, state=EntryState.UNKNOWN, reason=f"cause {at}") for at in range(1, 101)
    )
    _, read = await read_page(SampleLedger(given))
    assert "The first 20 of 100" in read.words
    assert "all other reasons together" in read.words
