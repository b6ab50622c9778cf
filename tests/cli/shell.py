"""Helpers to run the program as a shell does: settings, flow files, processes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from routee_failover.sandbox import Sandbox

PROGRAM = [sys.executable, "-m", "routee_failover.cli"]
PIN = "847291"
PHONE = "+306900000300"
BASIC_OTP = "0aac888f-2ee2-4112-9659-1755a951966a"

VIBER = {"type": "Viber", "order": 1, "to": PHONE, "senderInfoTrackingId": "demo", "ttl": 1, "message": {"text": "Hi"}}
SMS = {"type": "Sms", "order": 2, "from": "Demo", "to": PHONE, "message": {"body": "Hi"}}
TEMPLATE = {key: value for key, value in VIBER.items() if key != "message"} | {
    "templateId": "7c1f3f0e-5d0b-4c55-9d0a-3c3d3f1b2a10",
    "templateLang": "en",
}
VIBER_OTP_STEP = {
    "type": "ViberOtp",
    "order": 1,
    "to": PHONE,
    "ttl": 60,
    "senderInfoTrackingId": "demo",
    "templateId": BASIC_OTP,
    "pin": PIN,
}
OTP_SMS = {"type": "Sms", "order": 2, "to": PHONE, "ttl": 60, "message": {"body": f"Your code is {PIN}"}}
FILES: Mapping[str, dict[str, Any]] = {
    "standard": {"endpoint": "standard", "flow": [VIBER, SMS]},
    "transactional": {"endpoint": "transactional", "flow": [TEMPLATE, SMS]},
    "otp": {"endpoint": "otp", "flow": [VIBER_OTP_STEP, OTP_SMS], "callback": {"url": "https://example.test/cb"}},
    "viber-otp": {
        "endpoint": "viber-otp",
        "to": PHONE,
        "senderInfoTrackingId": "demo",
        "templateId": BASIC_OTP,
        "templateParams": {"pin": PIN},
        "ttl": 60,
    },
}


class Result(NamedTuple):
    """Exit code and output of the program."""

    exit_code: int
    out: str
    err: str


def settings(sandbox: Sandbox | None) -> dict[str, str | None]:
    """Return the four variables that point a command at a sandbox; without one, all are unset."""
    names = ("APPLICATION_ID", "APPLICATION_SECRET", "API_URL", "AUTH_URL")
    if sandbox is None:
        return {f"ROUTEE_{name}": None for name in names}
    config = sandbox.config()
    values = (config.application_id, config.application_secret.reveal(), config.api_url, config.auth_url)
    return {f"ROUTEE_{name}": value for name, value in zip(names, values, strict=True)}


def environment(sandbox: Sandbox | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a process."""
    base = {
        name: value for name, value in os.environ.items() if not name.startswith(("ROUTEE_", "COV_", "FORCE_COLOR"))
    }
    return base | {name: value for name, value in settings(sandbox).items() if value is not None} | more


def run(*arguments: str, at: Sandbox | None = None, **more: Any) -> Result:
    """Run the program as a process."""
    done = subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, env=environment(at), timeout=60, check=False, **more
    )
    return Result(done.returncode, done.stdout, done.stderr)
