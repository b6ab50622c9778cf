"""The numbers of a report are those of the ledger, in one pass that keeps nothing of it."""

import tracemalloc
from collections import Counter
from typing import Any

import attrs
import pytest

from routee_failover.bulk.currency import store_currency
from routee_failover.bulk.delivery_summary import DELIVERED, FAILED, UNKNOWN, channel_name
from routee_failover.bulk.report.countries import CountryLookup, _country_names, country_name
from routee_failover.bulk.report.summary import summarize_ledger
from routee_failover.ledger import DeliveryReport, EntryState, LedgerEntry
from routee_failover.ledger.entry import build_label
from routee_failover.records import Balance

from .sample_runs import STARTED_AT, SampleLedger, sample_entries, sample_run

ONE = LedgerEntry(
    number=1,
    key_hash=7,
    key="+306912345678",
    recipient="+306912345678",
    line=2,
    state=EntryState.ACCEPTED,
    attempt=1,
    claimed_at=STARTED_AT,
    lease_expires_at=STARTED_AT + 60,
    ended_at=STARTED_AT + 0.5,
    response_time=0.5,
    resolved_by="answer",
    channel="Viber",
)


async def _of(*given: LedgerEntry, told: dict[str, Any] | None = None) -> Any:
    return await summarize_ledger(SampleLedger(iter(given), run_settings=told))


async def test_the_numbers_are_those_of_the_ledger() -> None:
    """Counted one by one, a run of two thousand gives the same."""
    all_of_them = [*sample_entries(2_000, reported_share=0.8)]
    summary = await _of(*all_of_them)
    states = Counter(intent.state for intent in all_of_them)
    assert summary.counts.total == 2_000
    assert {state: getattr(summary.counts, state.lower()) for state in EntryState} == {
        state: states[state] for state in EntryState
    }
    fates = Counter(
        (channel_name(intent.channel), channel_name(intent.delivery_report.channel))
        for intent in all_of_them
        if intent.delivery_report and intent.delivery_report.status == "Succeeded"
    )
    assert {(way.first, way.ended): way.rows for way in summary.journeys if way.outcome == DELIVERED} == fates
    assert sum(way.rows for way in summary.journeys) == states[EntryState.ACCEPTED]
    priced = [
        intent.delivery_report.price
        for intent in all_of_them
        if intent.delivery_report and intent.delivery_report.price is not None
    ]
    assert summary.priced == len(priced)
    assert summary.total_cost == pytest.approx(sum(priced))
    sent = [
        intent
        for intent in all_of_them
        if intent.state in {EntryState.ACCEPTED, EntryState.REJECTED, EntryState.UNKNOWN}
    ]
    assert sum(bar.total for bar in summary.rate.bars) == len(sent)
    assert sum(summary.proofs.values()) == states[EntryState.ACCEPTED]
    troubles = sum(trouble.rows for trouble in summary.troubles) + summary.other_troubles
    failed = summary.accepted(FAILED)
    assert troubles == failed + sum(
        states[state] for state in (EntryState.REJECTED, EntryState.UNKNOWN, EntryState.INVALID, EntryState.EXPIRED)
    )


async def test_an_empty_ledger() -> None:
    """Without a row there is nothing but zeroes."""
    summary = await _of()
    assert summary.counts.total == 0
    assert (summary.begun, summary.ended, summary.rate, summary.answers, summary.deliveries) == (None,) * 5
    assert (summary.idle, summary.active) == (0, 0)
    assert (summary.journeys, summary.costs, summary.troubles, summary.doubts) == ((), (), (), ())


@pytest.mark.parametrize(
    ("status", "way"),
    [
        ("Succeeded", ("Viber", "SMS", DELIVERED)),
        ("UNDELIVERED", ("Viber", "SMS", FAILED)),
        ("InProgress", ("Viber", "", UNKNOWN)),
        ("a new word", ("Viber", "", UNKNOWN)),
    ],
)
async def test_how_a_flow_ended(status: str, way: tuple[str, str, str]) -> None:
    """What is not final has not ended on any channel."""
    summary = await _of(attrs.evolve(ONE, delivery_report=DeliveryReport(1, status, "Sms")))
    assert [journey[:3] for journey in summary.journeys] == [way]
    assert (await _of(ONE)).journeys[0][:3] == ("Viber", "", UNKNOWN)


async def test_one_truth_for_time() -> None:
    """A run that was stopped and resumed took its active and its idle time, no more and no less."""
    given = [
        attrs.evolve(ONE, number=at, claimed_at=STARTED_AT + at / 10, ended_at=STARTED_AT + at / 10 + 0.2)
        for at in range(40)
    ]
    given += [attrs.evolve(one, claimed_at=one.claimed_at + 20, ended_at=(one.ended_at or 0) + 20) for one in given]
    summary = await _of(*given)
    assert summary.begun == STARTED_AT
    assert summary.ended == pytest.approx(STARTED_AT + 24.1)
    assert summary.idle == pytest.approx(15.9, abs=0.2)
    assert summary.active + summary.idle == pytest.approx(24.1)
    assert summary.sent == sum(bar.total for bar in summary.rate.bars) == 80


async def test_a_currency_is_kept_only_where_a_balance_names_one() -> None:
    """Prices have no currency but for the one of the account's balance."""
    ledger = SampleLedger(iter([ONE]))
    assert (await summarize_ledger(ledger)).currency == ""
    await store_currency(ledger, Balance.from_dict({"balance": 5.0}))
    assert (await summarize_ledger(ledger)).currency == ""
    await store_currency(ledger, Balance.from_dict({"balance": 5.0, "currency": {"code": "EUR", "sign": "€"}}))
    assert (await summarize_ledger(ledger)).currency == "EUR"
    await ledger.put_document("currency", {"code": 5})
    assert (await summarize_ledger(ledger)).currency == ""


async def test_what_was_settled_later_was_sent_before() -> None:
    """What a search found in the morning counts for the evening on which it was sent, and its time is no answer's."""
    summary = await _of(ONE, attrs.evolve(ONE, number=2, resolved_by="search", ended_at=STARTED_AT + 40_000))
    assert len(summary.rate.stretches) == 1
    assert summary.ended == STARTED_AT + 0.5
    assert summary.answers.rows == 1
    assert summary.proofs == {"answer": 1, "search": 1}


async def test_prices_and_countries() -> None:
    """A price without a country is counted for the number's own; what is no price is none."""
    fates = [
        DeliveryReport(1, "Succeeded", "Sms", price, country)
        for price, country in ((1.0, "GR"), (2.0, None), (float("nan"), "GR"))
    ]
    summary = await _of(*(attrs.evolve(ONE, recipient="+4915112345678", delivery_report=fate) for fate in fates))
    assert [(cost.country, cost.rows, cost.price) for cost in summary.costs] == [("DE", 1, 2.0), ("GR", 1, 1.0)]


def test_countries_are_asked_for_once() -> None:
    """Numbers that begin alike are of one country; one that nobody knows is asked for again."""
    asked: list[str] = []

    def ask(number: str) -> str | None:
        asked.append(number)
        return "GR" if number.startswith("+30") else None

    countries = CountryLookup(ask)
    numbers = ["+306912345678", "+306912345679", "+99", "+99"]
    assert [countries.lookup(number) for number in numbers] == ["GR", "GR", "", ""]
    assert asked == ["+306912345678", "+99", "+99"]


def test_countries_have_names() -> None:
    """Two letters become a name; any other text stays as it is."""
    assert country_name("gr") == "Greece"
    assert country_name("Atlantis") == "Atlantis"


def test_without_the_extra_countries_have_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names come from the time zone database; without it a code is all there is."""

    def missing(_name: str) -> Any:
        raise ModuleNotFoundError("No module named 'tzdata'")

    _country_names.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr("routee_failover.bulk.report.countries.files", missing)
        assert country_name("GR") == "GR"
    _country_names.cache_clear()


async def test_doubts_carry_their_label() -> None:
    """The first of those in doubt are listed, masked, with the label to look them up by."""
    doubts = [
        attrs.evolve(ONE, number=at, line=at, state=EntryState.UNKNOWN, reason="lost", resolved_by="")
        for at in range(1, 40)
    ]
    summary = await _of(*doubts)
    assert len(summary.doubts) == 20
    first = summary.doubts[0]
    assert (first.line, first.recipient, first.label) == (1, "+3069****5678", build_label(summary.run_id, 7))
    assert "912345" not in repr(summary)


async def test_what_the_run_was_begun_with() -> None:
    """Of paths the last part is told; what has another form is not."""
    told = {"endpoint": "otp", "recipients": "/home/ann/lists/people.csv", "flow": "C:\\flows\\otp.json"}
    summary = await _of(told=told)
    assert (summary.endpoint, summary.source, summary.flow) == ("otp", "people.csv", "otp.json")
    strange = await _of(told={"endpoint": 5, "recipients": None})
    assert (strange.endpoint, strange.source, strange.flow) == ("", "", "")


async def test_a_pass_keeps_nothing() -> None:
    """Three times as many rows take no more memory."""
    peaks = []
    for rows in (2_000, 6_000):
        tracemalloc.start()
        try:
            await summarize_ledger(sample_run(rows))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**18
