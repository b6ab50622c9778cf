"""Each number of the page is consistent and has a stated base, and charts without information are omitted."""

import attrs
import pytest

from routee_failover.ledger import DeliveryReport, EntryState

from .sample_runs import STARTED_AT, SampleLedger, all_accepted, sample_entries
from .test_page import read_page


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (None, "No accepted message has a delivery report yet."),
        (DeliveryReport(1, "Succeeded", "Viber", 0.01, "GR", None, 2.0), "All accepted messages were delivered."),
    ],
)
async def test_run_without_problems_has_sentences_instead_of_charts(
    report: DeliveryReport | None, expected: str
) -> None:
    """If all messages were accepted, and all or none delivered by one channel, no full bar is drawn."""
    html, page = await read_page(all_accepted(2_000, delivery_report=report))
    text = page.text.replace("\u202f", " ")
    assert "All 2,000 messages were accepted" in text
    assert f"No message was rejected, invalid or unknown. {expected}" in text
    assert 'class="tiles"' not in html
    charts = [
        attributes["aria-labelledby"]
        for tag, attributes in page.elements
        if tag == "svg" and attributes.get("role") == "img"
    ]
    assert charts == ["rate-title rate-desc", "latency-title latency-desc"]
    assert ("2,000 by Viber. 99 % of the deliveries took up to 2 s." in text) == (report is not None)
    assert ("20.00 in total, in Greece" in text) == (report is not None)
    for unexpected in ("Routee said yes", "reason to tell", "Problems with", "late", "Expired", "Rejected"):
        assert unexpected not in text.replace("Rejected", "", 1)  # the table of the rate has a column of that name


async def test_short_run_has_no_rate() -> None:
    """A second of sending has no chart and no peak rate."""
    _, page = await read_page(all_accepted(200, seconds=1.0))
    assert "Up to" not in page.text
    assert page.count("svg") == 1


async def test_subtitle_names_only_outcomes_that_occur() -> None:
    """The subtitle names each outcome that occurs with its number, and no other."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    states = [EntryState.ACCEPTED] * 5 + [EntryState.REJECTED] * 2 + [EntryState.INVALID]
    entries = (
        attrs.evolve(template, number=number, state=state, delivery_report=None)
        for number, state in enumerate(states, 1)
    )
    html, page = await read_page(SampleLedger(entries))
    assert "2 were rejected by Routee and 1 is invalid. No accepted message has a delivery report yet." in page.text
    assert "late" not in page.text
    assert "expired" not in page.text
    assert html.count('<div class="tile') == 3


async def test_suppressed_rows_are_shown_but_not_counted() -> None:
    """The suppressed rows of the last run are shown, and are in no count."""
    ledger = all_accepted(50)
    for suppressed, expected in (
        (0, None),
        (1, "1 row is on the suppression list."),
        (12, "12 rows are on the suppression list."),
    ):
        await ledger.put_document("last", {"suppressed": suppressed})
        ledger._given_entries = all_accepted(50)._given_entries
        _, page = await read_page(ledger)
        assert "All 50 messages were accepted" in page.text
        assert ("suppression" in page.text) == (expected is not None)
        assert expected is None or expected in page.text


async def test_percentages_have_consistent_bases() -> None:
    """Accepted is a share of all messages and delivered one of the accepted, everywhere."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    reports = [DeliveryReport(1, "Succeeded", "Viber", 0.01, "GR")] * 1_700 + [
        DeliveryReport(1, "Succeeded", "Sms", 0.03, "GR")
    ] * 230
    reports += [DeliveryReport(1, "Failed", "Sms", 0.03, "GR")] * 40
    all_reports: list[DeliveryReport | None] = [*reports, *[None] * 30]
    entries = [
        attrs.evolve(template, number=number, channel="Viber", delivery_report=report)
        for number, report in enumerate(all_reports, 1)
    ]
    entries += [
        attrs.evolve(template, number=number, state=EntryState.REJECTED, delivery_report=None, reason="no")
        for number in range(2_001, 2_036)
    ]
    _, page = await read_page(SampleLedger(iter(entries)))
    text = page.text.replace("\u202f", " ")
    assert "1,930 of 2,000 accepted messages were delivered" in text
    assert "1,700 by Viber, and 230 by SMS" in text or "1,700 by Viber and 230 by SMS" in text
    assert "Accepted 2,00098.3 % of all messages" in text
    assert "Delivered 1,93096.5 % of accepted" in text
    assert "40 failed" in text
    assert "30 have no delivery report yet" in text
    assert "Of the accepted messages, 1,930 were delivered, 40 failed and 30 have no delivery report yet." in text
    assert "Problems with 75 messages" in text


async def test_active_and_idle_time_are_consistent() -> None:
    """The duration is the active and the idle time, with the same texts in facts, section and chart."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    times = [STARTED_AT + index / 300 + (22.66 if index >= 1_000 else 0) for index in range(2_000)]
    entries = (
        attrs.evolve(
            template,
            number=number,
            claimed_at=time,
            ended_at=time + 0.05,
            response_time=0.05,
            resolved_by="response",
        )
        for number, time in enumerate(times, 1)
    )
    _, page = await read_page(SampleLedger(entries))
    text = page.text.replace("\u202f", " ")
    assert "Duration29.4 s: 6.8 s active, 22.6 s idle" in text
    assert "2,000 messages in 6.8 s of activity: 296 a second. " in text
    assert "22.6 s of idle time is not counted." in text
    assert "idle22.6 s" in text
    assert "A steady 296 messages a second" in text


@pytest.mark.parametrize(("currency", "expected"), [("EUR", "20.00 EUR in total"), (None, "20.00 in total")])
async def test_amounts_have_the_currency_of_the_balance(currency: str | None, expected: str) -> None:
    """An amount has the currency of the account's balance if it is known, and the page says so."""
    ledger = all_accepted(2_000, delivery_report=DeliveryReport(1, "Succeeded", "Viber", 0.01, "GR", None, 2.0))
    if currency:
        await ledger.put_document("currency", {"code": currency})
    _, page = await read_page(ledger)
    text = page.text.replace("\u202f", " ")
    assert expected in text
    assert "which contain no currency" in text
    assert ("EUR is the currency of the account's balance." in text) == (currency is not None)
    assert not any(sign in text for sign in "€$£")


async def test_run_without_accepted_messages_has_a_rate() -> None:
    """Rejected messages have a rate as well, and there is no delivery."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    times = [STARTED_AT + index / 10 for index in range(100)]
    entries = (
        attrs.evolve(
            template,
            number=number,
            state=EntryState.REJECTED,
            claimed_at=time,
            ended_at=time + 0.1,
            delivery_report=None,
            reason="no",
        )
        for number, time in enumerate(times, 1)
    )
    _, page = await read_page(SampleLedger(entries))
    assert "0 accepted a second" in page.text
    assert "There is nothing to deliver" in page.text
    assert "Accepted 0" in page.text.replace("\u202f", " ")


async def test_failover_share_needs_both_channels() -> None:
    """If no delivered message has both channels, no failover share is shown."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    messages = [("Viber", DeliveryReport(1, "Failed", "Sms")), (None, DeliveryReport(2, "Succeeded", "Sms"))]
    _, page = await read_page(
        SampleLedger(attrs.evolve(template, channel=first, delivery_report=report) for first, report in messages)
    )
    assert "No delivered message has both its first and its last channel reported" in page.text
    assert "failed over" not in page.text
