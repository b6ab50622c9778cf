"""Callback payloads of every shape of flow that Routee accepts, validated by the contract."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover._wire import dump_flow
from routee_failover.sandbox.callbacks import payloads
from routee_failover.sandbox.contract import load_contract
from routee_failover.sandbox.simulation.flow_store import AcceptedFlow

from ...strategies import FLOWS, few
from .test_status_callbacks import schema_violations

URL = "http://127.0.0.1:1/"


def _accepted(endpoint: str, body: Any) -> AcceptedFlow:
    return AcceptedFlow(
        endpoint=endpoint,
        id=str(uuid.uuid4()),
        created_at=datetime.now(UTC),
        number=1,
        body=body,
        accepted_at=0.0,
        message_ids=tuple(str(uuid.uuid4()) for _ in body["flow"]),
    )


@pytest.mark.parametrize(
    ("endpoint", "operation", "schema"),
    [
        ("standard", "sendFailover", "FlowCallback"),
        ("transactional", "sendTransactionalFailover", "FlowCallback"),
        ("otp", "sendFailoverOtp", "OtpTracking"),
    ],
)
@few
@given(data=st.data())
def test_payload_of_every_flow_matches_the_contract(
    endpoint: str, operation: str, schema: str, data: st.DataObject
) -> None:
    """At each change of a flow its payload has the documented shape."""
    body: Any = dump_flow(data.draw(FLOWS[endpoint])) | {"callback": {"url": URL}}
    assert load_contract().check_body(operation, body) == []
    flow = _accepted(endpoint, body)
    target = payloads.callback_target(flow)
    assert target is not None
    assert (target.url, target.final_only) == (URL, False)
    change_at = flow.timeline.next_change_at(0.0)
    while change_at is not None:
        posted = payloads.status_payload(flow, flow.timeline.state_at(change_at))
        assert schema_violations(schema, json.loads(posted)) == []
        change_at = flow.timeline.next_change_at(change_at)
