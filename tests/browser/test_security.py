"""Security of the inbox page: no markup from messages, no external requests, access errors, and reconnection."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from routee_failover.sandbox import Sandbox
from routee_failover.sandbox.simulation.event_bus import MAX_PENDING_EVENTS, ClockChanged

from ..sandbox.raw_http import OTP_SMS_STEP, STANDARD, with_changes
from .inbox_page import IN_BROWSER, open_inbox

pytestmark = IN_BROWSER

MARKUP = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script></div>&amp;{{1}}"
TEXTS = {
    "flow.0.message.text": MARKUP,
    "flow.0.message.action.caption": "<b>Open</b>",
    "flow.0.message.imageUrl": "https://tracker.example/pixel.png",
    "flow.0.label": MARKUP,
    "flow.0.senderInfoTrackingId": "<i>sender</i>",
    "flow.1.message.body": MARKUP,
    "flow.2.dialPlan.verbs.0.message.text": MARKUP,
}


async def test_markup_in_messages_is_shown_as_text(browser: Browser) -> None:
    """Markup in a message is shown as text everywhere; nothing of it runs or is loaded."""
    async with open_inbox(browser) as inbox:
        await inbox.send("sendFailover", with_changes(STANDARD, **TEXTS))
        await expect(inbox.row("+306900000001").locator(".text")).to_have_text(MARKUP)
        await inbox.select("+306900000001")
        for position in range(3):
            await expect(inbox.step(position).locator(".bubble")).to_contain_text(MARKUP)
        await expect(inbox.flow.get_by_role("tabpanel")).to_contain_text("onerror")
        await inbox.advance_clock("+1 min")
        await inbox.flow.get_by_role("tab", name="Tracking record").click()
        await expect(inbox.page).to_have_title("(1) Routee sandbox")
        assert await inbox.page.locator("main img, main script, main b b, main i").count() == 0


async def test_invalid_url_fragment_selects_no_flow(browser: Browser) -> None:
    """The fragment of the URL may be anything: the page shows its list, and no flow."""
    async with open_inbox(browser, load_page=False) as inbox:
        await inbox.open("/#%")
        await expect(inbox.page.locator("#empty-state")).to_be_visible()


@pytest.mark.parametrize(
    "address", ["javascript:document.title='hacked'", " javascript:1", "data:text/html,x", "//evil.example"]
)
async def test_only_http_urls_become_links(browser: Browser, address: str) -> None:
    """A URL of another scheme is no link: the sandbox may have accepted it, the page does not link to it."""
    async with open_inbox(browser) as inbox:
        await inbox.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP | {"message": {"body": "Your code is 123456"}}]})
        await inbox.page.route("**/sandbox/flows/*", lambda route: _with_button(route, address))
        await inbox.rows.first.click()
        await expect(inbox.step(0).locator(".message-button")).to_have_text("Open")
        assert await inbox.step(0).get_by_role("link").count() == 0


async def _with_button(route: Any, address: str) -> None:
    """Return the flow with a button that the contract would reject."""
    response = await route.fetch()
    flow = await response.json()
    flow["steps"][0]["preview"]["button"] = {"caption": "Open", "url": address}
    await route.fulfill(response=response, json=flow)


async def test_content_security_policy_blocks_markup_and_external_requests(browser: Browser) -> None:
    """The page's policy blocks what a mistake in the page would allow: markup from text, and external requests."""
    async with open_inbox(browser, allowed_errors="TrustedHTML|Content Security Policy|violates") as inbox:
        blocked = await inbox.page.evaluate(
            "() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch (error) { return true } }"
        )
        assert blocked
        sent = await inbox.page.evaluate("() => fetch('https://example.test/').then(() => true, () => false)")
        assert not sent
        inbox.requested_urls.clear()  # playwright records blocked requests too


async def test_page_sends_requests_to_its_sandbox_only(browser: Browser) -> None:
    """The page sends requests only to its own sandbox, also for the favicon."""
    async with open_inbox(browser, load_page=False) as inbox:
        await inbox.open()
        await inbox.send("sendFailover", with_changes(STANDARD, **TEXTS))
        await inbox.rows.first.click()
        await expect(inbox.step(0)).to_be_visible()
        paths = {url.removeprefix(inbox.sandbox.url).split("?")[0] for url in inbox.requested_urls}
        assert {"/", "/inbox.css", "/inbox/main.js", "/inbox/icon.svg", "/sandbox/flows", "/sandbox/events"} <= paths
        assert all(path.startswith(("/inbox", "/sandbox/")) or path == "/" for path in paths)


async def test_page_shows_a_stopped_sandbox_and_reconnects(browser: Browser) -> None:
    """When the sandbox stops the page shows it; when one starts at its URL the page shows the flows of that one."""
    async with open_inbox(browser, allowed_errors="ERR_|404") as inbox:
        await inbox.send_otp("+306900000000")
        await inbox.select("+306900000000")
        port = int(inbox.sandbox.url.rpartition(":")[2])
        await inbox.sandbox.__aexit__(None, None, None)
        await expect(inbox.page.locator("#banner")).to_contain_text("does not respond")
        await inbox.page.get_by_role("button", name="Clear", exact=True).click()
        await inbox.page.locator("#clear").get_by_role("button", name="Clear").click()
        await expect(inbox.rows).to_have_count(1)
        await inbox.page.get_by_role("radio", name="Stopped").focus()
        async with Sandbox(port=port):
            await expect(inbox.page.locator("#banner")).to_be_hidden()
            await expect(inbox.rows).to_have_count(0)
            await expect(inbox.flow).to_contain_text("has no such flow")
            await inbox.page.goto("about:blank")


async def test_remote_caller_sees_the_reason_and_no_flows(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote caller gets the page without flows, and the reason."""
    monkeypatch.setattr("routee_failover.sandbox.admin.local_only._is_loopback", lambda _address: False)
    async with open_inbox(browser, load_page=False, allowed_errors="403") as inbox:
        await inbox.page.goto(inbox.sandbox.url)
        await expect(inbox.page.locator("#banner")).to_contain_text("only from the machine that it runs on")


async def test_page_that_lagged_reloads(browser: Browser) -> None:
    """A page that gets `lagged` reloads, and misses nothing."""
    async with open_inbox(browser) as inbox:
        await inbox.send_otp("+306900000300")
        await inbox.select("+306900000300")
        # Time passes without an event, and then there are more events at once than a subscription queues.
        inbox.sandbox._clock.advance(61)
        for _ in range(MAX_PENDING_EVENTS + 1):
            inbox.sandbox._event_bus.publish(ClockChanged())
        await expect(inbox.row("+306900000300").locator(".mark")).to_have_attribute("title", "In progress")
        await expect(inbox.step(0).locator(".status")).to_have_text("Expired")
        await expect(inbox.page.locator("#clock time")).to_have_text("00:01:01")
