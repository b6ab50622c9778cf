"""Conversion of Routee's records to the ledger's delivery reports."""

from datetime import timedelta

from ...ledger import DeliveryReport
from ...records import FlowRecord, FlowStatus, OtpRecord, ViberOtpRecord

AnyRecord = FlowRecord | OtpRecord | ViberOtpRecord


def delivery_report_of(number: int, record: AnyRecord) -> DeliveryReport | None:
    """Return the delivery report in a flow's record; `None` while the flow is in progress.

    A failover OTP flow may be `Succeeded` while its SMS is still queued: it is final once its steps are.
    """
    if not record.final:
        return None
    match record:
        case FlowRecord():
            return _from_flow_record(number, record)
        case OtpRecord():
            return _from_otp_record(number, record) if all(step.final for step in record.steps) else None
        case _:
            return DeliveryReport(
                number=number,
                status=str(record.status),
                channel="Viber",
                price=record.price,
                country=record.country,
                reason=record.detailed_status,
            )


def has_failed_over(record: AnyRecord) -> bool:
    """Return whether another channel than the first was tried, according to a record."""
    match record:
        case FlowRecord():
            return len({message.channel for message in record.messages}) > 1
        case OtpRecord():
            return len({step.channel for step in record.steps}) > 1
        case _:
            return False


def _from_flow_record(number: int, record: FlowRecord) -> DeliveryReport:
    messages = record.messages
    last = messages[-1] if messages else None
    started_at, ended_at = record.created_at, record.updated_at
    return DeliveryReport(
        number=number,
        status=str(record.status),
        channel=record.termination_channel or (None if last is None else last.channel),
        price=record.total_price,
        country=next((message.country for message in messages if message.country), None),
        reason=_reason(record, None if last is None else last.detailed_status),
        delivery_time=None if started_at is None or ended_at is None else _seconds(ended_at - started_at),
    )


def _from_otp_record(number: int, record: OtpRecord) -> DeliveryReport:
    steps = record.steps
    last = steps[-1] if steps else None
    started_at = steps[0].created_at if steps else None
    ended_at = None if last is None else last.delivered_at
    return DeliveryReport(
        number=number,
        status=str(record.status),
        channel=None if last is None else last.channel,
        price=record.total_cost,
        country=next((step.country for step in steps if step.country), None),
        reason=_reason(record, None if last is None else last.detailed_status),
        delivery_time=None if started_at is None or ended_at is None else _seconds(ended_at - started_at),
    )


def _reason(record: FlowRecord | OtpRecord, detail: str | None) -> str | None:
    return detail if record.status is FlowStatus.SUCCEEDED else record.status_reason or detail


def _seconds(duration: timedelta) -> float:
    return max(0.0, duration.total_seconds())
