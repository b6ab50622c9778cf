"""Runs of raw flows: each is sent once, as it is, and what cannot be known about it is decided against sending."""

import json
from typing import Any

import pytest

from routee_failover import AnyFlow, RawFlow
from routee_failover.bulk import FlowTemplate, SuppressionList, explain_reconciliation, export, rows_of
from routee_failover.bulk.templates.message_fingerprint import Fingerprinter
from routee_failover.ledger import EntryState, MemoryLedger
from routee_failover.secret import Secret
from tests.chaos.bulk.listing_server import ListingServer

from .helpers import KEEP, RECONCILE, RESEND, OtpFlows, number, run
from .test_reconcile_scheduler import LOST_REQUEST, LOST_RESPONSE, faults_in_order


def raw(index: int, **more: Any) -> RawFlow:
    """Return a raw flow to a number, in the shape of an OTP."""
    return RawFlow(
        "otp", {"flow": [{"type": "Sms", "order": 1, "to": number(index), "message": {"body": "Hi"}}], **more}
    )


class _Text:
    """A text file in memory."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        """Append a text."""
        self.text += text


async def test_raw_rows_of_a_template_are_sent_once_as_they_are(server: ListingServer) -> None:
    """Each row leaves once with the template's JSON and nothing of the run in it, and a second run sends none again."""
    step = {"type": "Sms", "order": 1, "to": "{phone}", "message": {"body": "Hi {name}"}, "new": True}
    template = FlowTemplate.from_mapping({"endpoint": "otp", "raw": True, "flow": [step]})
    values = [{"phone": number(index), "name": f"N{index}"} for index in (1, 2, 3, 2)]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, [*template.rows(values)])
        again = await run(server, ledger, [*template.rows(values)])
        entries = [entry async for entry in ledger.entries()]
        document = await ledger.get_document("endpoint")
    assert server.accepted == {number(index): 1 for index in (1, 2, 3)}
    assert all(entry.label is None for entries in server.messages_by_recipient.values() for entry in entries)
    assert (progress.counts.accepted, progress.duplicates, again.counts.accepted) == (3, 1, 3)
    assert {entry.recipient for entry in entries} == {number(index) for index in (1, 2, 3)}
    assert document == {"endpoint": "otp", "raw": True}


@pytest.mark.parametrize("fault", [LOST_RESPONSE, LOST_REQUEST])
@pytest.mark.parametrize("policy", [KEEP, RECONCILE])
async def test_unknown_raw_flow_is_never_found_absent(fault: Any, policy: Any, server: ListingServer) -> None:
    """A search proves nothing about a message without label: an unknown raw flow stays unknown, and is not resent."""
    server.next_fault = faults_in_order(fault)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        await run(server, ledger, [raw(1)], concurrency=1, on_unknown=KEEP)
        progress = await run(server, ledger, [raw(index) for index in range(1, 5)], on_unknown=policy)
        out = _Text()
        await export(ledger, out, format="jsonl", states={EntryState.UNKNOWN})
    assert (progress.counts.unknown, progress.counts.accepted) == (1, 3)
    assert server.accepted.get(number(1), 0) == (fault is LOST_RESPONSE)
    assert json.loads(out.text)["lookup_label"] in ("", None)


async def test_unknown_raw_flow_is_resent_by_policy_with_the_same_content_only(server: ListingServer) -> None:
    """With the policy `resend` an unknown raw flow is resent once, but not if the source has other content for it."""
    server.next_fault = faults_in_order(LOST_REQUEST, LOST_REQUEST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        await run(server, ledger, [raw(1), raw(2)], concurrency=1, on_unknown=KEEP)
        progress = await run(server, ledger, [raw(1), raw(2, other=1)], on_unknown=RESEND)
    assert {to for to, count in server.accepted.items() if count} == {number(1)}
    assert (progress.counts.accepted, progress.counts.unknown) == (1, 1)


async def test_run_sends_either_raw_flows_or_others(server: ListingServer) -> None:
    """Rows of the other kind are invalid: unknown messages of one kind could not be told from the other's."""
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, [raw(1), *OtpFlows(1, start=2)], concurrency=1)
        assert [problem.reason for problem in progress.problems] == ["is not a raw flow, unlike the run"]
        later = await run(server, ledger, OtpFlows(1, start=3))
        assert later.counts.accepted == 1
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, [*OtpFlows(1, start=4), raw(5)], concurrency=1)
    assert [problem.reason for problem in progress.problems] == ["is a raw flow, unlike the run"]
    assert set(server.accepted) == {number(1), number(4)}


async def test_suppression_list_holds_for_raw_flows(server: ListingServer) -> None:
    """A listed number anywhere in a raw flow suppresses it, and one without a known recipient is invalid."""
    listed = SuppressionList([number(1), number(2), number(3)])
    flows: list[AnyFlow] = [
        raw(1),
        RawFlow("otp", {"flow": [{"to": number(2).removeprefix("+")}]}),
        raw(4, copy=[{"number": f"00{number(3)[1:]}"}]),
        raw(5, copy=int(number(3)[1:])),
        raw(6, copy=f"sip:{number(3)}@host"),
        RawFlow("otp", {"flow": [{"to": "somebody"}]}),
        raw(7, cc={"to": number(8)}),
        raw(9),
    ]
    async with MemoryLedger() as ledger:
        rows = [*rows_of(flows, key=lambda flow: str(flows.index(flow)))]
        progress = await run(server, ledger, rows, suppression_list=listed)
    assert set(server.accepted) == {number(9)}
    assert (progress.suppressed, progress.invalid, progress.counts.accepted) == (5, 2, 1)
    assert all("suppression list cannot be applied" in problem.reason for problem in progress.problems)


def test_fingerprints_of_raw_flows_differ_with_their_content() -> None:
    """A raw flow is recognised by all of its content but its callback, whose URL may be new each time."""
    fingerprint = Fingerprinter(Secret("key"), "RUN").fingerprint
    assert fingerprint(raw(1)) == fingerprint(raw(1, callback={"url": "https://example.test/1"}))
    assert len({fingerprint(flow) for flow in (raw(1), raw(2), raw(1, other=None), RawFlow("otp", {}))}) == 4


def test_explanation_says_that_nothing_is_proven_about_raw_flows() -> None:
    """What reconciliation can prove about a raw flow is the same on every endpoint: nothing."""
    assert explain_reconciliation("otp", raw=True) == explain_reconciliation("standard", raw=True)
    assert explain_reconciliation("otp", raw=True).startswith("Nothing can be proven")
