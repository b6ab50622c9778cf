"""Access to the admin API: callers on this machine, and of the pages in its browsers only the sandbox's own."""

from typing import Any

import pytest
from aiohttp import web

from tests.sandbox.raw_http import Caller, open_caller

ENDPOINTS = [
    ("GET", "/sandbox/flows", None),
    ("DELETE", "/sandbox/flows", None),
    ("GET", "/sandbox/flows/next", None),
    ("GET", "/sandbox/flows/nothing", None),
    ("POST", "/sandbox/flows/nothing/actions", {"action": "seen"}),
    ("GET", "/sandbox/pin?to=306911111111", None),
    ("GET", "/sandbox/events", None),
    ("POST", "/sandbox/reset", None),
    ("GET", "/sandbox/export", None),
    ("POST", "/sandbox/clock", {"advance": 1}),
    ("GET", "/sandbox/rules", None),
    ("POST", "/sandbox/rules", {"sms": "failed"}),
    ("DELETE", "/sandbox/rules", None),
    ("DELETE", "/sandbox/rules/nothing", None),
    ("GET", "/sandbox/settings", None),
    ("POST", "/sandbox/settings", {"searchLag": 1}),
]


async def status(caller: Caller, method: str, path: str, body: Any = None, **headers: str) -> int:
    """Return the status of a response."""
    async with caller.session.request(method, path, json=body, headers=headers) as response:
        return response.status


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
async def test_admin_endpoints_reject_remote_callers_and_foreign_pages(
    method: str, path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The admin API rejects callers on other machines, unless remote administration is allowed.

    It always rejects pages of another host.
    """
    async with open_caller(speed=0) as caller:
        assert await status(caller, method, path, body) != 403
        assert await status(caller, method, path, body, Origin="http://evil.example") == 403
        assert await status(caller, method, path, body, Host="evil.example") == 403
        monkeypatch.setattr(web.Request, "remote", "192.0.2.7")
        assert await status(caller, method, path, body) == 403
    async with open_caller(speed=0, allow_remote_admin=True) as caller:
        assert await status(caller, method, path, body, Host="sandbox.test", Origin="http://sandbox.test") != 403
        assert await status(caller, method, path, body, Origin="http://evil.example") == 403


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8089", True),
        ("sandbox.localhost:8089", True),
        ("127.0.0.1:8089", True),
        ("[::1]:8089", True),
        ("192.0.2.7:8089", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("evillocalhost", False),
        ("127.0.0.1.evil.example", False),
        ("[::1", False),
        ("", False),
    ],
)
async def test_host_header_must_be_an_address_or_localhost(host: str, *, allowed: bool) -> None:
    """Only a name can be made to resolve to this machine without the browser's knowledge; an address cannot."""
    async with open_caller(speed=0) as caller:
        assert (await status(caller, "GET", "/sandbox/flows", Host=host) == 200) is allowed


@pytest.mark.parametrize("origin", ["null", "http://localhost:1", "https://evil.example", "http://[", ""])
async def test_foreign_origin_is_rejected(origin: str) -> None:
    """A page of another host or port cannot change anything, although its browser runs on this machine."""
    async with open_caller(speed=0) as caller:
        assert await status(caller, "POST", "/sandbox/reset", Origin=origin) == 403
        own = caller.sandbox.url
        assert await status(caller, "POST", "/sandbox/reset", Origin=own) == 200


async def test_form_and_text_bodies_are_rejected() -> None:
    """A form or plain text, which a page may post anywhere without a preflight request, is rejected."""
    async with open_caller(speed=0) as caller:
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            async with caller.session.post(
                "/sandbox/clock", data=b'{"advance": 1}', headers={"Content-Type": kind}
            ) as response:
                assert response.status == 400
