"""Campaign files for the tests: recipients, and a flow with a one-time password for each."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from routee_failover.sandbox import Sandbox

from ..shell import BASIC_OTP

CANARY = "90417263"
"""Prefix of every code, to search for in everything that is written."""
SMS: dict[str, Any] = {
    "endpoint": "standard",
    "flow": [{"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": "Hello {name}"}}],
}
OTP: dict[str, Any] = {
    "endpoint": "otp",
    "flow": [
        {
            "type": "ViberOtp",
            "order": 1,
            "to": "{phone}",
            "ttl": 60,
            "senderInfoTrackingId": "demo",
            "templateId": BASIC_OTP,
            "pin": "{pin}",
        },
        {"type": "Sms", "order": 2, "to": "{phone}", "ttl": 60, "message": {"body": "Your code is {pin}"}},
    ],
}


def number(index: int) -> str:
    """Return the phone number of the person with that index."""
    return f"+3069{10_000_000 + index}"


@attrs.frozen
class Campaign:
    """Folder with people.csv and flow.json."""

    folder: Path

    @property
    def people(self) -> Path:
        """The recipients."""
        return self.folder / "people.csv"

    @property
    def flow(self) -> Path:
        """The flow."""
        return self.folder / "flow.json"

    @property
    def ledger(self) -> Path:
        """The default ledger."""
        return self.folder / "people.sqlite"

    @property
    def invalid_rows(self) -> Path:
        """The default file of invalid rows."""
        return self.folder / "people.invalid.csv"

    def write(self, people: int, *more: str, flow: dict[str, Any] = OTP) -> "Campaign":
        """Write both files; `more` are additional lines."""
        rows = [f"{number(index)},Person {index},{CANARY}{index % 100:02}" for index in range(people)]
        self.people.write_text("\n".join(["phone,name,pin", *rows, *more, ""]), "utf-8")
        self.flow.write_text(json.dumps(flow), "utf-8")
        return self

    def run(self, *more: str) -> list[str]:
        """Return the arguments of `bulk run` for this campaign."""
        return ["bulk", "run", str(self.people), "--flow", str(self.flow), *more]


def recipients(sandbox: Sandbox) -> list[str]:
    """Return the recipient of every accepted message."""
    return [to for flow in sandbox.accepted for to in flow.to]


def everyone(people: int) -> list[str]:
    """Return the number of each person."""
    return [number(index) for index in range(people)]


def assert_no_secret_in(*texts: str | bytes, folder: Path, except_files: Iterable[Path] = ()) -> None:
    """Fail if a code is in a text, or in any other file of the folder."""
    for text in texts:
        assert CANARY not in (text if isinstance(text, str) else text.decode("latin-1"))
    for file in folder.rglob("*"):
        if file.is_file() and file not in set(except_files):
            assert CANARY.encode() not in file.read_bytes(), file
