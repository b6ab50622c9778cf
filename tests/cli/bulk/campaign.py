"""People to be written to, and a flow with a one-time password for each, in files as the program takes them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from routee_failover.sandbox import Sandbox

from ..shell import BASIC_OTP

CANARY = "90417263"
"""Every code begins so, and so can be searched for in all that is written."""
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
    """The phone number of the person with that index."""
    return f"+3069{10_000_000 + index}"


@attrs.frozen
class Campaign:
    """A folder with people.csv and flow.json."""

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
        """Where a run is kept that is told nothing else."""
        return self.folder / "people.sqlite"

    @property
    def invalid_rows(self) -> Path:
        """Where its bad rows are."""
        return self.folder / "people.invalid.csv"

    def write(self, people: int, *more: str, flow: dict[str, Any] = OTP) -> "Campaign":
        """Write both files; `more` are lines as they are."""
        rows = [f"{number(index)},Person {index},{CANARY}{index % 100:02}" for index in range(people)]
        self.people.write_text("\n".join(["phone,name,pin", *rows, *more, ""]), "utf-8")
        self.flow.write_text(json.dumps(flow), "utf-8")
        return self

    def run(self, *more: str) -> list[str]:
        """The arguments that send it."""
        return ["bulk", "run", str(self.people), "--flow", str(self.flow), *more]


def recipients(sandbox: Sandbox) -> list[str]:
    """Who got a message, as often as they got one."""
    return [to for flow in sandbox.accepted for to in flow.to]


def everyone(people: int) -> list[str]:
    """Everybody, once."""
    return [number(index) for index in range(people)]


def assert_no_secret_in(*texts: str | bytes, folder: Path, except_files: Iterable[Path] = ()) -> None:
    """Fail if a code stands in a text, or in any file of the folder but those."""
    for text in texts:
        assert CANARY not in (text if isinstance(text, str) else text.decode("latin-1"))
    for file in folder.rglob("*"):
        if file.is_file() and file not in set(except_files):
            assert CANARY.encode() not in file.read_bytes(), file
