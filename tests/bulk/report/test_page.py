"""The page: its texts state the numbers, texts from outside are escaped, numbers masked, and it is self-contained."""

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
from routee_failover.bulk.report.run_summary import summarize_ledger
from routee_failover.ledger import DeliveryReport, EntryState, LedgerEntry

from .sample_runs import RUN_SETTINGS, STARTED_AT, SampleLedger, sample_entries, sample_run

VOID_ELEMENTS = {"meta", "br"}
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


class _ParsedPage(HTMLParser):
    """The elements and the text of a page; checks that every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open_elements: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open_elements == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self.open_elements.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open_elements.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open_elements and self.open_elements[-1] != "style":
            self.text += data

    def count(self, name: str) -> int:
        return sum(1 for tag, _ in self.elements if tag == name)


async def read_page(ledger: SampleLedger, name: str = "RUN.sqlite") -> tuple[str, _ParsedPage]:
    """Return the page of a run, as HTML and parsed."""
    html = render_page(
        await summarize_ledger(ledger), ledger_name=name, written_at=STARTED_AT + 86_400, times=TimeFormatter(UTC)
    )
    return html, _ParsedPage(html)


def hostile_run(texts: tuple[str, ...] = HOSTILE) -> SampleLedger:
    """Return a run in which every text from outside is one of these."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    entries: list[LedgerEntry] = []
    for text in texts:
        report = DeliveryReport(1, text, text, 0.1, text, text, 1.0)
        for state, delivery_report in [(state, None) for state in EntryState] + [
            (EntryState.ACCEPTED, report),
            (EntryState.ACCEPTED, None),
        ]:
            texts_from_outside: dict[str, Any] = {
                "reason": text,
                "tracking_id": text,
                "channel": text,
                "resolved_by": text,
                "key": text,
                "recipient": text,
            }
            entries.append(
                attrs.evolve(
                    template,
                    number=len(entries) + 1,
                    line=len(entries) + 1,
                    state=state,
                    delivery_report=delivery_report,
                    **texts_from_outside,
                )
            )
        entries.append(attrs.evolve(template, delivery_report=DeliveryReport(1, "Failed", text, 0.1, text, text, 1.0)))
        entries.append(
            attrs.evolve(template, delivery_report=DeliveryReport(1, "Succeeded", text, 0.1, text, text, 1.0))
        )
    return SampleLedger(iter(entries), run_settings={"endpoint": texts[0], "recipients": texts[1], "flow": texts[2]})


async def test_page_has_headline_sections_and_commands() -> None:
    """The headline, the tiles, and each section with its chart and its table."""
    _, page = await read_page(sample_run(3_000), name="/srv/runs/RUN.sqlite")
    text = page.text.replace("\u202f", " ")
    for expected in (
        "of 3,000 messages were accepted",
        "Accepted",
        "messages a second",
        "Half of the responses",
        "Greece",
    ):
        assert expected in text
    assert "routee-failover bulk reconcile /srv/runs/RUN.sqlite --ends" in text
    assert "routee-failover bulk export /srv/runs/RUN.sqlite --state UNKNOWN --csv" in text
    assert "Bulk run RUN.sqlite" in text
    assert "customers.csv" in text
    assert "/srv/lists" not in text
    assert page.count("details") == page.count("figure") == 5


async def test_hostile_texts_are_escaped_and_truncated() -> None:
    """No text from outside becomes an element, an attribute or a directional override, and none is shown at length."""
    html, page = await read_page(hostile_run(), name="<b>\u202e.sqlite")
    assert {"script", "img", "b"}.isdisjoint(tag for tag, _ in page.elements)
    assert page.count("style") == page.count("h1") == 1
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.elements for name in attributes)
    assert all(character.isprintable() or character in "\n\u202f" for character in html)
    assert "x" * 500 not in html
    assert "<script>document.title" in page.text


async def test_phone_numbers_are_masked() -> None:
    """Neither recipients nor keys nor numbers within reasons are in the page."""
    entries = [*sample_entries(1_500)]
    html, _ = await read_page(SampleLedger(iter(entries)))
    assert not any(entry.recipient[1:] in html for entry in entries)
    html, _ = await read_page(hostile_run())
    assert "6912345678" not in html


async def test_page_is_self_contained() -> None:
    """Its policy allows its own style and nothing else; it has no links and no scripts."""
    html, page = await read_page(sample_run(500))
    (policy,) = (
        attributes["content"]
        for tag, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"https?:|//\w|url\(|@import|src=|href=", html)


async def test_every_chart_has_a_title_and_a_description() -> None:
    """Each chart has a title and a description as its accessible name."""
    html, page = await read_page(sample_run(2_000))
    ids = {attributes.get("id") for _, attributes in page.elements}
    charts = [attributes for tag, attributes in page.elements if tag == "svg" and attributes.get("role") == "img"]
    assert len(charts) == 5
    for chart in charts:
        assert set((chart["aria-labelledby"] or "").split()) <= ids
    all_ids = re.findall(r' id="([^"]+)"', html)
    assert sorted(all_ids) == sorted(set(all_ids))


@pytest.mark.parametrize(
    ("make_ledger", "expected", "unexpected"),
    [
        (lambda: sample_run(0), "Nothing has been sent yet", "<figure>"),
        (SampleLedger, "The ledger has no rows", "Endpoint"),
        (lambda: sample_run(1), "The message was accepted", "a second"),
        (lambda: sample_run(40, failure_factor=1e-9), "All 40 messages were accepted", "unknown outcome</h2>"),
        (
            lambda: sample_run(300, reported_share=-1),
            "It is not known whether the accepted messages were delivered",
            "failed over",
        ),
        (lambda: sample_run(300, unsent=200), "not sent yet", "Nothing has been sent yet"),
        (lambda: sample_run(300, unsent=300), "No message was accepted", "Half of"),
        (
            lambda: sample_run(2_000, pause=30_000),
            "of idle time is not counted",
            "Problems with no message",
        ),
        (lambda: sample_run(30, failure_factor=1e9), "There is nothing to deliver", "failed over"),
    ],
)
async def test_special_runs_have_texts_of_their_own(make_ledger: Any, expected: str, unexpected: str) -> None:
    """A run that is empty, small, complete, unfinished or failed says so, and omits what it has no numbers for."""
    html, page = await read_page(make_ledger())
    assert expected in page.text.replace("\u202f", " ")
    assert unexpected not in html.replace("\u202f", " ")


async def test_unknown_and_new_channels_are_shown() -> None:
    """An unknown first or last channel is shown as such; a channel that Routee adds is shown as well."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    channels = [("Viber", "Rcs"), (None, "Sms"), ("Sms", None), (None, None)]
    entries = (
        attrs.evolve(
            template, number=number, channel=first, delivery_report=DeliveryReport(number, "Succeeded", last, 0.0)
        )
        for number, (first, last) in enumerate(channels, 1)
    )
    _, page = await read_page(SampleLedger(entries, run_settings=RUN_SETTINGS))
    assert "100 % of the delivered messages had failed over" in page.text.replace("\u202f", " ")
    assert "Rcs" in page.text
    assert "Not known" in page.text
    assert "every message was free" in page.text


@pytest.mark.parametrize(
    ("first_channel", "expected"), [("Sms", "No message failed over"), (None, "1 of 2 accepted messages was delivered")]
)
async def test_no_failover_is_stated_only_if_the_channels_are_known(first_channel: str | None, expected: str) -> None:
    """That no message failed over is stated only if both channels are known."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    reports = [DeliveryReport(1, "Failed", "Sms"), DeliveryReport(2, "Succeeded", "Sms")]
    _, page = await read_page(
        SampleLedger(attrs.evolve(template, channel=first_channel, delivery_report=report) for report in reports)
    )
    assert expected in page.text
    assert ("failed over" in page.text) == (first_channel is not None)


async def test_each_idle_time_is_shown() -> None:
    """A run with several pauses shows the length of each."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    times = [STARTED_AT + pause * 10_000 + index / 10 for pause in range(6) for index in range(600 if pause else 5)]
    entries = (
        attrs.evolve(template, number=number, claimed_at=time, ended_at=time) for number, time in enumerate(times, 1)
    )
    html, page = await read_page(SampleLedger(entries))
    assert html.count(">idle<") == 5
    assert "2 h" in page.text.replace("\u202f", " ")


async def test_further_countries_share_one_bar() -> None:
    """The most expensive countries have bars of their own, the others one together; the table has all."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    codes = ["GR", "CY", "IT", "DE", "GB", "FR", "ES", "PT", "NL", "BE", "AT", "CH", "SE", "NO", "FI", "DK"]
    entries = (
        attrs.evolve(
            template, number=number, delivery_report=DeliveryReport(number, "Succeeded", "Sms", 1.0 / number, code)
        )
        for number, code in enumerate(codes, 1)
    )
    _, page = await read_page(SampleLedger(entries))
    assert "4 other countries" in page.text
    assert "Denmark" in page.text


async def test_long_lists_are_truncated_with_their_total() -> None:
    """The first entries are shown, and how many there are."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    entries = (
        attrs.evolve(template, number=number, line=number, state=EntryState.UNKNOWN, reason=f"cause {number}")
        for number in range(1, 101)
    )
    _, page = await read_page(SampleLedger(entries))
    assert "The first 20 of 100" in page.text
    assert "all other reasons together" in page.text
