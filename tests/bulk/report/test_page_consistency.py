"""Each number of the page is said once or the same each time, with its base, and nothing is drawn that says nothing."""

import attrs
import pytest

from routee_failover.ledger import DeliveryReport, EntryState

from .sample_runs import STARTED_AT, SampleLedger, all_accepted, sample_entries
from .test_page import read_page


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        (None, "How the accepted were delivered is not known yet."),
        (DeliveryReport(1, "Succeeded", "Viber", 0.01, "GR", None, 2.0), "All accepted messages were delivered."),
    ],
)
async def test_a_clean_run_has_sentences_for_charts(fate: DeliveryReport | None, said: str) -> None:
    """Where all were accepted, and all or none delivered by one channel, no bar is drawn that would be full."""
    text, read = await read_page(all_accepted(2_000, delivery_report=fate))
    words = read.words.replace("\u202f", " ")
    assert "All 2,000 messages were accepted" in words
    assert f"No message was rejected, invalid or unknown. {said}" in words
    assert 'class="tiles"' not in text
    drawings = [given["aria-labelledby"] for tag, given in read.elements if tag == "svg" and given.get("role") == "img"]
    assert drawings == ["rate-title rate-desc", "latency-title latency-desc"]
    assert ("2,000 by Viber. 99 % of the deliveries took up to 2 s." in words) == (fate is not None)
    assert ("20.00 in all, in Greece" in words) == (fate is not None)
    for unsaid in ("Routee said yes", "reason to tell", "Nothing went wrong", "late", "Expired", "Rejected"):
        assert unsaid not in words.replace("Rejected", "", 1)  # the table of the rate has a column of that name


async def test_a_short_run_has_no_rate() -> None:
    """A second of sending is told in words; nobody is told of a peak."""
    _, read = await read_page(all_accepted(200, seconds=1.0))
    assert "Up to" not in read.words
    assert read.count("svg") == 1


async def test_only_what_there_is_is_named() -> None:
    """The first lines name each outcome that there is with its number, and none that there is not."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    states = [EntryState.ACCEPTED] * 5 + [EntryState.REJECTED] * 2 + [EntryState.INVALID]
    given = (attrs.evolve(whole, number=at, state=state, delivery_report=None) for at, state in enumerate(states, 1))
    text, read = await read_page(SampleLedger(given))
    assert "2 were rejected by Routee and 1 is invalid. How the accepted were delivered is not known yet." in read.words
    assert "late" not in read.words
    assert "expired" not in read.words
    assert text.count('<div class="tile') == 3


async def test_rows_on_the_suppression_list() -> None:
    """What the last run has suppressed is said with its number, and is in no count."""
    ledger = all_accepted(50)
    for suppressed, said in (
        (0, None),
        (1, "1 row is on the suppression list."),
        (12, "12 rows are on the suppression list."),
    ):
        await ledger.put_document("last", {"suppressed": suppressed})
        ledger._entries = all_accepted(50)._entries
        _, read = await read_page(ledger)
        assert "All 50 messages were accepted" in read.words
        assert ("suppression" in read.words) == (said is not None)
        assert said is None or said in read.words


async def test_every_percentage_has_one_base() -> None:
    """Accepted is a share of all messages and delivered one of the accepted, wherever it stands."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    reports = [DeliveryReport(1, "Succeeded", "Viber", 0.01, "GR")] * 1_700 + [
        DeliveryReport(1, "Succeeded", "Sms", 0.03, "GR")
    ] * 230
    reports += [DeliveryReport(1, "Failed", "Sms", 0.03, "GR")] * 40
    fates: list[DeliveryReport | None] = [*reports, *[None] * 30]
    given = [attrs.evolve(whole, number=at, channel="Viber", delivery_report=fate) for at, fate in enumerate(fates, 1)]
    given += [
        attrs.evolve(whole, number=at, state=EntryState.REJECTED, delivery_report=None, reason="no")
        for at in range(2_001, 2_036)
    ]
    _, read = await read_page(SampleLedger(iter(given)))
    words = read.words.replace("\u202f", " ")
    assert "1,930 of 2,000 accepted messages were delivered" in words
    assert "1,700 by Viber, and 230 by SMS" in words or "1,700 by Viber and 230 by SMS" in words
    assert "Accepted 2,00098.3 % of all messages" in words
    assert "Delivered 1,93096.5 % of accepted" in words
    assert "40 failed" in words
    assert "30 have no delivery report yet" in words
    assert "Of the accepted, 1,930 were delivered, 40 failed and 30 have no delivery report yet." in words
    assert "What went wrong with 75 messages" in words


async def test_time_has_one_truth() -> None:
    """What a run took is its active and its idle time, in the same words beside the rate and in the drawing."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    moments = [STARTED_AT + at / 300 + (22.66 if at >= 1_000 else 0) for at in range(2_000)]
    given = (
        attrs.evolve(whole, number=at, claimed_at=when, ended_at=when + 0.05, response_time=0.05, resolved_by="answer")
        for at, when in enumerate(moments, 1)
    )
    _, read = await read_page(SampleLedger(given))
    words = read.words.replace("\u202f", " ")
    assert "Duration29.4 s: 6.8 s active, 22.6 s idle" in words
    assert "2,000 messages in 6.8 s of activity: 296 a second. " in words
    assert "22.6 s in which nothing was being sent are not counted." in words
    assert "idle22.6 s" in words
    assert "A steady 296 messages a second" in words


@pytest.mark.parametrize(("currency", "said"), [("EUR", "20.00 EUR in all"), (None, "20.00 in all")])
async def test_amounts(currency: str | None, said: str) -> None:
    """An amount has the currency of the account's balance where that is known, and says whose it is."""
    ledger = all_accepted(2_000, delivery_report=DeliveryReport(1, "Succeeded", "Viber", 0.01, "GR", None, 2.0))
    if currency:
        await ledger.put_document("currency", {"code": currency})
    _, read = await read_page(ledger)
    words = read.words.replace("\u202f", " ")
    assert said in words
    assert "which name no currency" in words
    assert ("EUR is that of the account's balance." in words) == (currency is not None)
    assert not any(sign in words for sign in "€$£")


async def test_a_run_in_which_none_was_accepted() -> None:
    """Rejected messages have a rate as well, and no delivery is spoken of."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    moments = [STARTED_AT + at / 10 for at in range(100)]
    given = (
        attrs.evolve(
            whole,
            number=at,
            state=EntryState.REJECTED,
            claimed_at=when,
            ended_at=when + 0.1,
            delivery_report=None,
            reason="no",
        )
        for at, when in enumerate(moments, 1)
    )
    _, read = await read_page(SampleLedger(given))
    assert "0 accepted a second" in read.words
    assert "There is nothing to be delivered" in read.words
    assert "Accepted 0" in read.words.replace("\u202f", " ")


async def test_channels_of_which_one_end_is_known() -> None:
    """Where of no delivered message both channels are known, no share of failovers is made up."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    ends = [("Viber", DeliveryReport(1, "Failed", "Sms")), (None, DeliveryReport(2, "Succeeded", "Sms"))]
    _, read = await read_page(
        SampleLedger(attrs.evolve(whole, channel=first, delivery_report=fate) for first, fate in ends)
    )
    assert "Of no delivered message both channels are known" in read.words
    assert "failed over" not in read.words
