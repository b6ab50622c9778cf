"""Raw HTTP client of a sandbox, and the bodies on Routee's pages: nothing here uses this project's client."""

import base64
import copy
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from routee_failover.sandbox import Sandbox
from routee_failover.sandbox.contract import load_contract

REMOVED: Final = object()
SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
FAST = 100_000.0

SENDS = {
    "sendFailover": "/failover",
    "sendTransactionalFailover": "/failover/transactional",
    "sendFailoverOtp": "/failover-otp/otp/send-failover",
    "sendViberOtp": "/viber/otp",
}


def basic(application_id: str = "sandbox", secret: str = "sandbox-secret") -> dict[str, str]:
    """Return the header of a token request."""
    return {"Authorization": "Basic " + base64.b64encode(f"{application_id}:{secret}".encode()).decode()}


class Caller:
    """Calls a sandbox, and validates every response against the contract."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.headers: dict[str, str] = {}

    async def raw(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Return the status and the JSON of a response."""
        async with self.session.request(method, path, **options) as response:
            assert response.content_type == "application/json"
            return response.status, json.loads(await response.read())

    async def call(self, operation: str, path: str, *, method: str = "GET", **options: Any) -> tuple[int, Any]:
        """Call with the token, and validate the response."""
        status, body = await self.raw(method, path, headers=self.headers, **options)
        assert load_contract().check_response(operation, status, body) == []
        return status, body

    async def token(self, **form: str) -> tuple[int, Any]:
        """Request a token."""
        form = {"grant_type": "client_credentials"} | form
        status, body = await self.raw("POST", "/oauth/token", data=form, headers=basic())
        assert load_contract().check_response("createToken", status, body) == []
        return status, body

    async def authenticate(self, **form: str) -> None:
        """Use a new token from now on."""
        _, body = await self.token(**form)
        self.headers = {"Authorization": f"Bearer {body['access_token']}"}

    async def send(self, operation: str, body: object) -> tuple[int, Any]:
        """Send a flow."""
        return await self.call(operation, SENDS[operation], method="POST", json=body)

    async def track(self, flow_id: str) -> Any:
        """Return the record of a standard or transactional flow."""
        status, body = await self.call("trackFailover", f"/failover/tracking/{flow_id}")
        assert status == 200
        return body

    async def track_otp(self, flow_id: str) -> Any:
        """Return the record of an OTP flow."""
        status, body = await self.call("trackFailoverOtp", f"/failover-otp/otp/failover/{flow_id}")
        assert status == 200
        return body

    async def wait_until_final(self, flow_id: str) -> Any:
        """Return the record of a flow once it is final."""
        while True:
            record = await self.track(flow_id)
            if record["status"] not in {"Queued", "InProgress"}:
                return record

    async def wait_until_otp_final(self, flow_id: str) -> Any:
        """Return the record of an OTP flow once it is final."""
        while True:
            record = await self.track_otp(flow_id)
            if record["status"] != "InProgress":
                return record


@asynccontextmanager
async def open_caller(**settings: Any) -> AsyncIterator[Caller]:
    """Start a sandbox with these settings, and yield a caller with a token."""
    async with Sandbox(**settings) as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        caller = Caller(sandbox, session)
        await caller.authenticate()
        yield caller


def with_changes(body: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a copy with the members at these paths set, or removed: `with_changes(body, **{"flow.0.to": REMOVED})`."""
    result = copy.deepcopy(dict(body))
    for path, value in changes.items():
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        node: Any = result
        for part in parents:
            node = node[part]
        if value is REMOVED:
            del node[last]
        else:
            node[last] = value
    return result


VIBER_STEP: dict[str, Any] = {
    "type": "Viber",
    "order": 1,
    "senderInfoTrackingId": SENDER,
    "to": "+306900000001",
    "ttl": 2.5,
    "expireOnDelivery": False,
    "label": "demo",
    "inboundUrl": "https://example.test/in",
    "message": {
        "text": "Hi",
        "imageUrl": "https://example.test/i.png",
        "action": {"caption": "Open", "targetUrl": "https://example.test/"},
    },
    "failoverOnStatuses": ["EXPIRED", "FAILED", "UNDELIVERED"],
}
SMS_STEP: dict[str, Any] = {
    "type": "Sms",
    "order": 2,
    "from": "Demo",
    "to": "+306900000001",
    "ttl": 60,
    "message": {"body": "Hi", "flash": False, "label": "demo", "transcode": True},
    "failoverOnStatuses": ["FAILED", "UNDELIVERED"],
}
VOICE_STEP: dict[str, Any] = {
    "type": "Voice",
    "order": 3,
    "from": "Demo",
    "to": {"phone": "+306900000001"},
    "dialPlan": {
        "verbs": [
            {
                "type": "SAY",
                "repeat": 1,
                "bargeIn": False,
                "message": {"language": "en-US", "gender": "female", "text": "Hi"},
            },
            {"type": "PLAY", "fileURL": "https://example.test/a.wav"},
        ]
    },
    "machineDetection": {"strategy": "Hangup"},
    "failoverOnStatuses": ["Busy", "NoAnswer"],
}
UNUSED_URL = "http://127.0.0.1:1/"  # nothing listens there: a callback is refused at once
CALLBACK = {"strategy": "OnStep", "url": f"{UNUSED_URL}cb"}
STANDARD: dict[str, Any] = {"flow": [VIBER_STEP, SMS_STEP, VOICE_STEP], "callback": CALLBACK}

TEMPLATE_STEP: dict[str, Any] = {
    "type": "Viber",
    "order": 1,
    "senderInfoTrackingId": SENDER,
    "to": "+306900000001",
    "ttl": 5,
    "templateId": "bbbbbbbb-0000-4000-8000-000000000001",
    "templateLang": "en",
    "templateParams": {"customer_name": "Ada"},
    "deliveryScope": "PRIMARY_DEVICE",
    "inboundUrl": "https://example.test/in",
}
TRANSACTIONAL: dict[str, Any] = {"flow": [TEMPLATE_STEP, SMS_STEP, VOICE_STEP], "callback": CALLBACK}

OTP_VIBER_STEP: dict[str, Any] = {
    "type": "ViberOtp",
    "order": 1,
    "to": "306900000001",
    "ttl": 60,
    "senderInfoTrackingId": SENDER,
    "templateId": "c33cccaf-735f-4d62-8383-a76bf4999e2d",
    "templateType": "with_business_name",
    "businessName": "Demo",
    "pin": "123456",
}
OTP_SMS_STEP: dict[str, Any] = {
    "type": "Sms",
    "order": 2,
    "to": "306900000001",
    "ttl": 120,
    "from": "Demo",
    "message": {"body": "Code 123456"},
}
OTP: dict[str, Any] = {"flow": [OTP_VIBER_STEP, OTP_SMS_STEP], "callback": {"url": f"{UNUSED_URL}otp"}}

VIBER_OTP: dict[str, Any] = {
    "senderInfoTrackingId": SENDER,
    "to": "+306912345678",
    "ttl": 60,
    "seq": 7,
    "label": "transactional",
    "type": "PRIMARY_ONLY",
    "templateId": "6c929cef-29b4-4349-bc9d-2a07bdbb6e43",
    "templateParams": {"pin": "847291", "businessPlatformName": "MyApp", "codeValidityTime": 5},
    "templateLang": "en",
}

BODIES = {
    "sendFailover": STANDARD,
    "sendTransactionalFailover": TRANSACTIONAL,
    "sendFailoverOtp": OTP,
    "sendViberOtp": VIBER_OTP,
}
