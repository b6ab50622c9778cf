"""Layout in light and dark mode, wide and narrow: nothing is cut off, and every text is readable."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from ..sandbox.raw_http import STANDARD, VIBER_OTP, with_changes
from .inbox_page import IN_BROWSER, NARROW, WIDE, InboxPage, open_inbox

pytestmark = IN_BROWSER

CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
SCREENS = {"wide": WIDE, "tablet": ViewportSize(width=900, height=1100), "narrow": NARROW}


async def _overflowing(inbox: InboxPage) -> Any:
    """Return elements that are wider than the screen, except for blocks that scroll by themselves."""
    return await inbox.page.evaluate(
        """() => [...document.querySelectorAll("body *")]
          .filter((it) => it.checkVisibility() && !it.closest("pre, .visually-hidden, dialog") &&
                          it.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
          .map((it) => it.outerHTML.slice(0, 120))"""
    )


async def _assert_readable(inbox: InboxPage) -> None:
    assert await inbox.page.evaluate(CONTRAST) == []
    assert await _overflowing(inbox) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
async def test_texts_have_contrast_and_are_not_cut_off(browser: Browser, screen: str, scheme: str) -> None:
    """In both colour schemes, at every width, texts have the contrast that WCAG AA requires, and none is cut off."""
    async with open_inbox(browser, context={"viewport": SCREENS[screen], "color_scheme": scheme}) as inbox:
        await expect(inbox.page.locator("#empty-state")).to_be_visible()
        await _assert_readable(inbox)
        number = "+306900000123"
        long = "https://example.test/" + "a-rather-long-path/" * 12
        to = {"flow.0.to": number, "flow.1.to": number, "flow.2.to": {"phone": number}}
        flow = with_changes(STANDARD, **to, **{"flow.1.message.body": long})
        await inbox.send("sendFailover", flow)
        await inbox.send_otp("+306900000300")
        await inbox.send("sendViberOtp", VIBER_OTP)
        await inbox.send_otp("+306900000110")
        await inbox.advance_clock("+1 min")
        await expect(inbox.row("+306900000110").locator(".mark")).to_have_attribute("title", "Failed")
        await _assert_readable(inbox)
        for number in ("+306900000123", "+306900000300", "+306912345678", "+306900000110"):
            await inbox.select(number)
            await expect(inbox.step(0)).to_be_visible()
            await _assert_readable(inbox)
            if screen == "narrow":
                await inbox.page.get_by_role("button", name="All flows").click()
        await inbox.page.get_by_role("button", name="Help").click()
        await _assert_readable(inbox)


async def test_narrow_screen_shows_list_or_flow(browser: Browser) -> None:
    """On a narrow screen either the list or a flow is visible; a button returns to the list."""
    async with open_inbox(browser, context={"viewport": NARROW, "has_touch": True}) as inbox:
        await inbox.send_otp("+306900000000")
        await expect(inbox.row("+306900000000")).to_be_visible()
        await expect(inbox.flow).to_be_hidden()
        await inbox.row("+306900000000").tap()
        await expect(inbox.flow).to_be_visible()
        await expect(inbox.rows.first).to_be_hidden()
        await inbox.page.get_by_role("button", name="All flows").tap()
        await expect(inbox.rows.first).to_be_visible()


async def test_reduced_motion_disables_animations_and_transitions(browser: Browser) -> None:
    """With reduced motion nothing on the page is animated."""
    async with open_inbox(browser, context={"reduced_motion": "reduce"}) as inbox:
        await inbox.send_otp("+306900000300")
        await inbox.select("+306900000300")
        animated_count = await inbox.page.evaluate(
            """() => [...document.querySelectorAll("*")].filter((it) => {
                 const style = getComputedStyle(it);
                 return style.animationName !== "none" || !/^(0s(, )?)+$/.test(style.transitionDuration);
               }).length"""
        )
        assert animated_count == 0
