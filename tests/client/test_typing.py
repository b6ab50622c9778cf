"""Static types of the client: mypy checks this file, pytest runs it."""

from collections.abc import AsyncGenerator
from typing import assert_type

from routee_failover import (
    FlowPage,
    FlowReceipt,
    FlowRecord,
    OtpPage,
    OtpReceipt,
    OtpRecord,
    OtpTemplate,
    RouteeClient,
    SendResult,
    TokenInfo,
    ViberOtpReceipt,
    ViberOtpRecord,
)
from routee_failover.sandbox import Sandbox

from .sample_flows import otp, standard, transactional, viber_otp


async def test_receipt_and_record_types_follow_from_the_flow() -> None:
    """The receipt's type follows from the flow's, and the record's from the receipt's."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        flow = assert_type(await client.send(standard()), FlowReceipt)
        template = assert_type(await client.send(transactional()), FlowReceipt)
        password = assert_type(await client.send(otp()), OtpReceipt)
        viber = assert_type(await client.send(viber_otp()), ViberOtpReceipt)
        assert_type(await client.track(flow), FlowRecord)
        assert_type(await client.track(template), FlowRecord)
        assert_type(await client.track(password), OtpRecord)
        assert_type(await client.track(viber), ViberOtpRecord)
        assert_type(await client.track(flow.tracking_id), FlowRecord | OtpRecord | ViberOtpRecord)
        assert_type(await client.track(password.flow_id, "otp"), FlowRecord | OtpRecord | ViberOtpRecord)
        assert_type(client.send_all([]), AsyncGenerator[SendResult, None])
        assert_type(await client.otp_templates(), tuple[OtpTemplate, ...])
        assert_type(await client.token_info(), TokenInfo)
        async for result in client.send_all([standard(), otp()]):
            assert_type(result, SendResult)


async def test_search_types_follow_from_the_kind_of_flow() -> None:
    """Each search gives records and pages of its own type."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        await client.send(standard())
        await client.send(otp())
        flows, otps = client.search(), client.search_otp()
        async for record in flows:
            assert_type(record, FlowRecord)
        async for step in otps:
            assert_type(step, OtpRecord)
        assert_type(await flows.page(0), FlowPage)
        assert_type(await otps.page(0), OtpPage)
