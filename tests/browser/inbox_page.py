"""The inbox page of a running sandbox, as a person has it before them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, ViewportSize, expect

from ..sandbox.raw_http import OTP_SMS_STEP, OTP_VIBER_STEP, Caller, calling

# The browser lives in one event loop, and on one worker: two cores have better things to do than to run two of them.
IN_BROWSER = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]

TIMEOUT_MS = 20_000  # ms; what is awaited comes in a fraction of it, on a machine that has other things to do

WIDE = ViewportSize(width=1360, height=900)
NARROW = ViewportSize(width=360, height=740)

expect.set_options(timeout=TIMEOUT_MS)


class InboxPage:
    """The page, what it complained of, and the sandbox behind it."""

    def __init__(self, caller: Caller, page: Page) -> None:
        self.caller = caller
        self.sandbox = caller.sandbox
        self.page = page
        self.console_errors: list[str] = []
        self.requested_urls: list[str] = []
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.console_errors.append(message.text)

    def _request(self, request: Request) -> None:
        self.requested_urls.append(request.url)

    async def open(self, fragment: str = "") -> None:
        """Load the page, up to where it follows the sandbox."""
        await self.page.goto(self.sandbox.url + fragment)
        await expect(self.page.locator("#flow-count")).not_to_be_empty()

    @property
    def rows(self) -> Locator:
        """The rows of the list that are drawn."""
        return self.page.locator("#rows > [role=option]")

    def row(self, number: str) -> Locator:
        """The row of a flow to this number."""
        return self.rows.filter(has_text=number)

    @property
    def flow(self) -> Locator:
        """The chosen flow."""
        return self.page.locator("#flow")

    def step(self, position: int) -> Locator:
        """A step of the chosen flow, counted from 0."""
        return self.flow.locator(f"[data-key=step-{position}]")

    async def choose(self, number: str) -> None:
        """Click a flow, and wait until it is shown."""
        await self.row(number).click()
        await expect(self.flow.get_by_role("heading", level=2)).to_contain_text(number)

    async def advance_clock(self, by: str) -> None:
        """Press a button of the clock: `+1 min`."""
        await self.page.locator(".advance").get_by_text(by, exact=True).click()

    async def send(self, operation: str, body: object) -> str:
        """Send a flow; its id."""
        status, answer = await self.caller.send(operation, body)
        assert status == 200, answer
        return str(answer.get("trackingId") or answer.get("flowId") or answer.get("id"))

    async def send_otp(self, number: str, pin: str = "847291") -> str:
        """Send a one-time password by Viber, then SMS; its id."""
        steps = [
            OTP_VIBER_STEP | {"to": number, "pin": pin, "ttl": 60},
            OTP_SMS_STEP | {"to": number, "message": {"body": f"Your code is {pin}"}, "ttl": 120},
        ]
        return await self.send("sendFailoverOtp", {"flow": steps})


@asynccontextmanager
async def open_inbox(
    browser: Browser, *, opened: bool = True, complaints: str = "", context: Any = None, **settings: Any
) -> AsyncIterator[InboxPage]:
    """The inbox of a sandbox with these settings; its clock stands still unless they say otherwise.

    On leaving, the page must have asked nobody but its sandbox, and its console must have stayed empty but for what
    matches `complaints`.
    """
    async with calling(**{"speed": 0, **settings}) as caller:
        profile = await browser.new_context(**{"viewport": WIDE, **(context or {})})
        try:
            here = InboxPage(caller, await profile.new_page())
            if opened:
                await here.open()
            yield here
            foreign = [url for url in here.requested_urls if not url.startswith(here.sandbox.url + "/")]
            assert foreign == []
            assert [text for text in here.console_errors if not complaints or not re.search(complaints, text)] == []
        finally:
            await profile.close()
