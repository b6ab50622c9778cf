"""What others wrote stays text, nothing leaves the sandbox's own address, and a stop of the sandbox is told."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from routee_failover.sandbox import Sandbox
from routee_failover.sandbox.simulation.event_bus import MAX_PENDING_EVENTS, ClockChanged

from ..sandbox.raw_http import OTP_SMS_STEP, STANDARD, changed
from .inbox_page import IN_BROWSER, open_inbox

pytestmark = IN_BROWSER

EVIL = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script></div>&amp;{{1}}"
TEXTS = {
    "flow.0.message.text": EVIL,
    "flow.0.message.action.caption": "<b>Open</b>",
    "flow.0.message.imageUrl": "https://tracker.example/pixel.png",
    "flow.0.label": EVIL,
    "flow.0.senderInfoTrackingId": "<i>sender</i>",
    "flow.1.message.body": EVIL,
    "flow.2.dialPlan.verbs.0.message.text": EVIL,
}


async def test_markup_stays_text(browser: Browser) -> None:
    """A message full of markup is shown letter by letter, everywhere it is shown; nothing of it runs or is loaded."""
    async with open_inbox(browser) as here:
        await here.send("sendFailover", changed(STANDARD, **TEXTS))
        await expect(here.row("+306900000001").locator(".text")).to_have_text(EVIL)
        await here.choose("+306900000001")
        for position in range(3):
            await expect(here.step(position).locator(".bubble")).to_contain_text(EVIL)
        await expect(here.flow.get_by_role("tabpanel")).to_contain_text("onerror")
        await here.advance_clock("+1 min")
        await here.flow.get_by_role("tab", name="Tracking record").click()
        await expect(here.page).to_have_title("(1) Routee sandbox")
        assert await here.page.locator("main img, main script, main b b, main i").count() == 0


async def test_an_address_that_cannot_be_read(browser: Browser) -> None:
    """What stands behind the # may be anything: the page shows its list, and no flow."""
    async with open_inbox(browser, opened=False) as here:
        await here.open("/#%")
        await expect(here.page.locator("#empty-state")).to_be_visible()


@pytest.mark.parametrize(
    "address", ["javascript:document.title='hacked'", " javascript:1", "data:text/html,x", "//evil.example"]
)
async def test_only_http_is_a_link(browser: Browser, address: str) -> None:
    """An address of another kind is no link: the sandbox may have taken it, the page does not follow."""
    async with open_inbox(browser) as here:
        await here.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP | {"message": {"body": "Your code is 123456"}}]})
        await here.page.route("**/sandbox/flows/*", lambda route: _with_button(route, address))
        await here.rows.first.click()
        await expect(here.step(0).locator(".message-button")).to_have_text("Open")
        assert await here.step(0).get_by_role("link").count() == 0


async def _with_button(route: Any, address: str) -> None:
    """The flow, with a button that no contract would let in."""
    answer = await route.fetch()
    flow = await answer.json()
    flow["steps"][0]["preview"]["button"] = {"caption": "Open", "url": address}
    await route.fulfill(response=answer, json=flow)


async def test_the_browser_itself_makes_no_markup_of_text(browser: Browser) -> None:
    """The page's policy stops what a mistake in it would let through: markup from text, and requests elsewhere."""
    async with open_inbox(browser, complaints="TrustedHTML|Content Security Policy|violates") as here:
        refused = await here.page.evaluate(
            "() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch (error) { return true } }"
        )
        assert refused
        gone = await here.page.evaluate("() => fetch('https://example.test/').then(() => true, () => false)")
        assert not gone
        here.requested_urls.clear()  # playwright sees what was tried, too


async def test_nothing_is_asked_of_anybody_else(browser: Browser) -> None:
    """From the first byte to the last the page asks its own sandbox, and not even for a favicon elsewhere."""
    async with open_inbox(browser, opened=False) as here:
        await here.open()
        await here.send("sendFailover", changed(STANDARD, **TEXTS))
        await here.rows.first.click()
        await expect(here.step(0)).to_be_visible()
        paths = {url.removeprefix(here.sandbox.url).split("?")[0] for url in here.requested_urls}
        assert {"/", "/inbox.css", "/inbox/main.js", "/inbox/icon.svg", "/sandbox/flows", "/sandbox/events"} <= paths
        assert all(path.startswith(("/inbox", "/sandbox/")) or path == "/" for path in paths)


async def test_the_sandbox_stops_and_comes_back(browser: Browser) -> None:
    """When the sandbox stops the page says so; when one comes back at its address it shows what that one has."""
    async with open_inbox(browser, complaints="ERR_|404") as here:
        await here.send_otp("+306900000000")
        await here.choose("+306900000000")
        port = int(here.sandbox.url.rpartition(":")[2])
        await here.sandbox.__aexit__(None, None, None)
        await expect(here.page.locator("#banner")).to_contain_text("does not respond")
        await here.page.get_by_role("button", name="Clear", exact=True).click()
        await here.page.locator("#clear").get_by_role("button", name="Clear").click()
        await expect(here.rows).to_have_count(1)
        await here.page.get_by_role("radio", name="Stopped").focus()
        async with Sandbox(port=port):
            await expect(here.page.locator("#banner")).to_be_hidden()
            await expect(here.rows).to_have_count(0)
            await expect(here.flow).to_contain_text("has no such flow")
            await here.page.goto("about:blank")


async def test_a_page_that_may_not_look(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody on another machine sees the page and no flow, and is told why."""
    monkeypatch.setattr("routee_failover.sandbox.admin.local_only._is_loopback", lambda _address: False)
    async with open_inbox(browser, opened=False, complaints="403") as here:
        await here.page.goto(here.sandbox.url)
        await expect(here.page.locator("#banner")).to_contain_text("only from the machine that it runs on")


async def test_lagging_behind(browser: Browser) -> None:
    """A page that was told too much at once is told so, loads anew, and misses nothing."""
    async with open_inbox(browser) as here:
        await here.send_otp("+306900000300")
        await here.choose("+306900000300")
        # Time passes without a word, and then there are more events in one turn than wait for a reader.
        here.sandbox._clock.advance(61)
        for _ in range(MAX_PENDING_EVENTS + 1):
            here.sandbox._event_bus.publish(ClockChanged())
        await expect(here.row("+306900000300").locator(".mark")).to_have_attribute("title", "In progress")
        await expect(here.step(0).locator(".status")).to_have_text("Expired")
        await expect(here.page.locator("#clock time")).to_have_text("00:01:01")
