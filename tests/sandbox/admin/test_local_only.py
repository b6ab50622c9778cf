"""Who is let in: callers on this machine, and of the pages in its browsers the sandbox's own."""

from typing import Any

import pytest
from aiohttp import web

from tests.sandbox.raw_http import Caller, calling

DOORS = [
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
    """How a door answers."""
    async with caller.session.request(method, path, json=body, headers=headers) as response:
        return response.status


@pytest.mark.parametrize(("method", "path", "body"), DOORS)
async def test_strangers_stay_outside(method: str, path: str, body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No door of the sandbox's own API opens to a caller on another machine, unless it may be controlled remotely; none
    ever opens to a page of another host.
    """  # noqa: D205
    async with calling(speed=0) as caller:
        assert await status(caller, method, path, body) != 403
        assert await status(caller, method, path, body, Origin="http://evil.example") == 403
        assert await status(caller, method, path, body, Host="evil.example") == 403
        monkeypatch.setattr(web.Request, "remote", "192.0.2.7")
        assert await status(caller, method, path, body) == 403
    async with calling(speed=0, allow_remote_admin=True) as caller:
        assert await status(caller, method, path, body, Host="sandbox.test", Origin="http://sandbox.test") != 403
        assert await status(caller, method, path, body, Origin="http://evil.example") == 403


@pytest.mark.parametrize(
    ("host", "let_in"),
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
async def test_hosts(host: str, *, let_in: bool) -> None:
    """Only a name can be made to lead to this machine behind a browser's back; addresses and localhost cannot."""
    async with calling(speed=0) as caller:
        assert (await status(caller, "GET", "/sandbox/flows", Host=host) == 200) is let_in


@pytest.mark.parametrize("origin", ["null", "http://localhost:1", "https://evil.example", "http://[", ""])
async def test_pages_of_other_hosts(origin: str) -> None:
    """A page of another host or port cannot change anything, though its browser runs on this machine."""
    async with calling(speed=0) as caller:
        assert await status(caller, "POST", "/sandbox/reset", Origin=origin) == 403
        own = caller.sandbox.url
        assert await status(caller, "POST", "/sandbox/reset", Origin=own) == 200


async def test_a_form_of_another_page_is_no_json() -> None:
    """What a page may post anywhere without asking, a form or plain text, is refused."""
    async with calling(speed=0) as caller:
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            async with caller.session.post(
                "/sandbox/clock", data=b'{"advance": 1}', headers={"Content-Type": kind}
            ) as response:
                assert response.status == 400
