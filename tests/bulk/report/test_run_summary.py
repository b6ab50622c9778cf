"""Summary of a ledger: its numbers are those of the entries, in one pass of constant memory."""

import tracemalloc
from collections import Counter
from typing import Any

import attrs
import pytest

from routee_failover.bulk.account_currency import store_currency
from routee_failover.bulk.delivery_summary import DELIVERED, FAILED, UNKNOWN, channel_name
from routee_failover.bulk.report.country_lookup import CountryLookup, _country_names, country_name
from routee_failover.bulk.report.run_summary import summarize_ledger
from routee_failover.ledger import DeliveryReport, EntryState, LedgerEntry
from routee_failover.ledger.entry import build_label
from routee_failover.records import Balance

from .sample_runs import STARTED_AT, SampleLedger, sample_entries, sample_run

ACCEPTED = LedgerEntry(
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
    resolved_by="response",
    channel="Viber",
)


async def _summarize(*entries: LedgerEntry, run_settings: dict[str, Any] | None = None) -> Any:
    return await summarize_ledger(SampleLedger(iter(entries), run_settings=run_settings))


async def test_summary_equals_counts_of_the_entries() -> None:
    """Counted one by one, a run of two thousand rows gives the same numbers."""
    entries = [*sample_entries(2_000, reported_share=0.8)]
    summary = await _summarize(*entries)
    states = Counter(entry.state for entry in entries)
    assert summary.counts.total == 2_000
    assert {state: getattr(summary.counts, state.lower()) for state in EntryState} == {
        state: states[state] for state in EntryState
    }
    delivered = Counter(
        (channel_name(entry.channel), channel_name(entry.delivery_report.channel))
        for entry in entries
        if entry.delivery_report and entry.delivery_report.status == "Succeeded"
    )
    assert {
        (path.first_channel, path.final_channel): path.messages
        for path in summary.failover_paths
        if path.outcome == DELIVERED
    } == delivered
    assert sum(path.messages for path in summary.failover_paths) == states[EntryState.ACCEPTED]
    prices = [
        entry.delivery_report.price
        for entry in entries
        if entry.delivery_report and entry.delivery_report.price is not None
    ]
    assert summary.priced_count == len(prices)
    assert summary.total_cost == pytest.approx(sum(prices))
    sent = [entry for entry in entries if entry.state in {EntryState.ACCEPTED, EntryState.REJECTED, EntryState.UNKNOWN}]
    assert sum(bar.total for bar in summary.rate.bars) == len(sent)
    assert sum(summary.accepted_by_resolution.values()) == states[EntryState.ACCEPTED]
    problems = sum(reason.messages for reason in summary.reasons) + summary.other_reasons
    failed = summary.count_accepted(FAILED)
    assert problems == failed + sum(
        states[state] for state in (EntryState.REJECTED, EntryState.UNKNOWN, EntryState.INVALID, EntryState.EXPIRED)
    )


async def test_summary_of_an_empty_ledger_is_zero() -> None:
    """Without entries all numbers are zero or `None`."""
    summary = await _summarize()
    assert summary.counts.total == 0
    assert (
        summary.started_at,
        summary.ended_at,
        summary.rate,
        summary.response_times,
        summary.delivery_times,
    ) == (None,) * 5
    assert (summary.idle_seconds, summary.active_seconds) == (0, 0)
    assert (summary.failover_paths, summary.costs, summary.reasons, summary.unknown_messages) == ((), (), (), ())


@pytest.mark.parametrize(
    ("status", "path"),
    [
        ("Succeeded", ("Viber", "SMS", DELIVERED)),
        ("UNDELIVERED", ("Viber", "SMS", FAILED)),
        ("InProgress", ("Viber", "", UNKNOWN)),
        ("a new status", ("Viber", "", UNKNOWN)),
    ],
)
async def test_delivery_report_gives_channels_and_outcome(status: str, path: tuple[str, str, str]) -> None:
    """A status that is not final has no final channel."""
    summary = await _summarize(attrs.evolve(ACCEPTED, delivery_report=DeliveryReport(1, status, "Sms")))
    assert [found[:3] for found in summary.failover_paths] == [path]
    assert (await _summarize(ACCEPTED)).failover_paths[0][:3] == ("Viber", "", UNKNOWN)


async def test_active_and_idle_time_add_up_to_the_duration() -> None:
    """A run that was stopped and resumed has its active and its idle time, and no other."""
    entries = [
        attrs.evolve(
            ACCEPTED, number=number, claimed_at=STARTED_AT + number / 10, ended_at=STARTED_AT + number / 10 + 0.2
        )
        for number in range(40)
    ]
    entries += [
        attrs.evolve(entry, claimed_at=entry.claimed_at + 20, ended_at=(entry.ended_at or 0) + 20) for entry in entries
    ]
    summary = await _summarize(*entries)
    assert summary.started_at == STARTED_AT
    assert summary.ended_at == pytest.approx(STARTED_AT + 24.1)
    assert summary.idle_seconds == pytest.approx(15.9, abs=0.2)
    assert summary.active_seconds + summary.idle_seconds == pytest.approx(24.1)
    assert summary.sent_count == sum(bar.total for bar in summary.rate.bars) == 80


async def test_currency_is_that_of_the_stored_balance() -> None:
    """The only currency is that of the account's balance, if it has one."""
    ledger = SampleLedger(iter([ACCEPTED]))
    assert (await summarize_ledger(ledger)).currency == ""
    await store_currency(ledger, Balance.from_dict({"balance": 5.0}))
    assert (await summarize_ledger(ledger)).currency == ""
    await store_currency(ledger, Balance.from_dict({"balance": 5.0, "currency": {"code": "EUR", "sign": "€"}}))
    assert (await summarize_ledger(ledger)).currency == "EUR"
    await ledger.put_document("currency", {"code": 5})
    assert (await summarize_ledger(ledger)).currency == ""


async def test_reconciled_message_counts_at_the_time_of_its_send() -> None:
    """A message that a search found hours later counts when it was sent, and has no response time."""
    summary = await _summarize(
        ACCEPTED, attrs.evolve(ACCEPTED, number=2, resolved_by="search", ended_at=STARTED_AT + 40_000)
    )
    assert len(summary.rate.periods) == 1
    assert summary.ended_at == STARTED_AT + 0.5
    assert summary.response_times.total == 1
    assert summary.accepted_by_resolution == {"response": 1, "search": 1}


async def test_price_without_a_country_counts_for_the_number() -> None:
    """A price without a country counts for the country of the number; NaN is not a price."""
    reports = [
        DeliveryReport(1, "Succeeded", "Sms", price, country)
        for price, country in ((1.0, "GR"), (2.0, None), (float("nan"), "GR"))
    ]
    summary = await _summarize(
        *(attrs.evolve(ACCEPTED, recipient="+4915112345678", delivery_report=report) for report in reports)
    )
    assert [(cost.country, cost.messages, cost.price) for cost in summary.costs] == [("DE", 1, 2.0), ("GR", 1, 1.0)]


def test_country_lookup_is_cached_by_prefix() -> None:
    """Numbers with the same prefix share a country; an unknown one is looked up again."""
    resolved: list[str] = []

    def resolve(number: str) -> str | None:
        resolved.append(number)
        return "GR" if number.startswith("+30") else None

    countries = CountryLookup(resolve)
    numbers = ["+306912345678", "+306912345679", "+99", "+99"]
    assert [countries.lookup(number) for number in numbers] == ["GR", "GR", "", ""]
    assert resolved == ["+306912345678", "+99", "+99"]


def test_country_code_has_a_name() -> None:
    """A country code has a name; any other text is unchanged."""
    assert country_name("gr") == "Greece"
    assert country_name("Atlantis") == "Atlantis"


def test_country_code_without_tzdata_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are from the time zone database; without it the code is shown."""

    def missing(_name: str) -> Any:
        raise ModuleNotFoundError("No module named 'tzdata'")

    _country_names.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr("routee_failover.bulk.report.country_lookup.files", missing)
        assert country_name("GR") == "GR"
    _country_names.cache_clear()


async def test_unknown_messages_have_masked_numbers_and_labels() -> None:
    """The first unknown messages are listed, masked, with the label to look them up by."""
    unknown = [
        attrs.evolve(ACCEPTED, number=number, line=number, state=EntryState.UNKNOWN, reason="lost", resolved_by="")
        for number in range(1, 40)
    ]
    summary = await _summarize(*unknown)
    assert len(summary.unknown_messages) == 20
    first = summary.unknown_messages[0]
    assert (first.line, first.recipient, first.label) == (1, "+3069****5678", build_label(summary.run_id, 7))
    assert "912345" not in repr(summary)


async def test_run_settings_are_shown_without_folders() -> None:
    """Paths are reduced to the file name; values of another type are ignored."""
    settings = {"endpoint": "otp", "recipients": "/home/ann/lists/people.csv", "flow": "C:\\flows\\otp.json"}
    summary = await _summarize(run_settings=settings)
    assert (summary.endpoint, summary.source, summary.flow) == ("otp", "people.csv", "otp.json")
    other_types = await _summarize(run_settings={"endpoint": 5, "recipients": None})
    assert (other_types.endpoint, other_types.source, other_types.flow) == ("", "", "")


async def test_summary_memory_does_not_grow_with_the_rows() -> None:
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


async def test_raw_flows_show_no_label_and_what_can_be_proven_about_them() -> None:
    """Messages of a run of raw flows carry no label: none is shown for the unknown ones."""
    unknown = attrs.evolve(ACCEPTED, state=EntryState.UNKNOWN)
    for raw in (True, False, None):
        summary = await _summarize(unknown, run_settings={"endpoint": "standard", "raw": raw})
        assert summary.raw is (raw is True)
        assert bool(summary.unknown_messages[0].label) is not summary.raw
