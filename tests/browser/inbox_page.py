"""Page object of the inbox page of a running sandbox."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, ViewportSize, expect

from ..sandbox.raw_http import OTP_SMS_STEP, OTP_VIBER_STEP, Caller, open_caller

# The browser belongs to one event loop and one xdist worker: two cores are too few for two browsers.
IN_BROWSER = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]

TIMEOUT_MS = 20_000  # ms; usually a fraction of it is needed, but the machine may be busy

WIDE = ViewportSize(width=1360, height=900)
NARROW = ViewportSize(width=360, height=740)

expect.set_options(timeout=TIMEOUT_MS)


class InboxPage:
    """The page, its console errors and requests, and the sandbox behind it."""

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
        """Load the page and wait until it has loaded the flows."""
        await self.page.goto(self.sandbox.url + fragment)
        await expect(self.page.locator("#flow-count")).not_to_be_empty()

    @property
    def rows(self) -> Locator:
        """The visible rows of the list."""
        return self.page.locator("#rows > [role=option]")

    def row(self, number: str) -> Locator:
        """Return the row of a flow to this number."""
        return self.rows.filter(has_text=number)

    @property
    def flow(self) -> Locator:
        """The detail of the selected flow."""
        return self.page.locator("#flow")

    def step(self, position: int) -> Locator:
        """Return a step of the selected flow, counted from 0."""
        return self.flow.locator(f"[data-key=step-{position}]")

    async def select(self, number: str) -> None:
        """Click a flow, and wait until its detail is shown."""
        await self.row(number).click()
        await expect(self.flow.get_by_role("heading", level=2)).to_contain_text(number)

    async def advance_clock(self, by: str) -> None:
        """Click a button of the clock: `+1 min`."""
        await self.page.locator(".advance").get_by_text(by, exact=True).click()

    async def send(self, operation: str, body: object) -> str:
        """Send a flow and return its id."""
        status, response = await self.caller.send(operation, body)
        assert status == 200, response
        return str(response.get("trackingId") or response.get("flowId") or response.get("id"))

    async def send_otp(self, number: str, pin: str = "847291") -> str:
        """Send a one-time password by Viber, then SMS, and return the flow's id."""
        steps = [
            OTP_VIBER_STEP | {"to": number, "pin": pin, "ttl": 60},
            OTP_SMS_STEP | {"to": number, "message": {"body": f"Your code is {pin}"}, "ttl": 120},
        ]
        return await self.send("sendFailoverOtp", {"flow": steps})


@asynccontextmanager
async def open_inbox(
    browser: Browser, *, load_page: bool = True, allowed_errors: str = "", context: Any = None, **settings: Any
) -> AsyncIterator[InboxPage]:
    """Open the inbox page of a sandbox with these settings; its clock is stopped unless they set a speed.

    On exit, the page must have sent requests only to its sandbox, and its console must be empty except for messages
    that match `allowed_errors`.
    """
    async with open_caller(**{"speed": 0, **settings}) as caller:
        profile = await browser.new_context(**{"viewport": WIDE, **(context or {})})
        try:
            inbox = InboxPage(caller, await profile.new_page())
            if load_page:
                await inbox.open()
            yield inbox
            foreign_urls = [url for url in inbox.requested_urls if not url.startswith(inbox.sandbox.url + "/")]
            assert foreign_urls == []
            assert [
                text for text in inbox.console_errors if not allowed_errors or not re.search(allowed_errors, text)
            ] == []
        finally:
            await profile.close()
