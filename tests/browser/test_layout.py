"""Light and dark, wide and narrow: nothing is cut off, and every text can be read."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from ..sandbox.raw_http import STANDARD, VIBER_OTP, changed
from .inbox_page import IN_BROWSER, NARROW, WIDE, InboxPage, open_inbox

pytestmark = IN_BROWSER

CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
SCREENS = {"wide": WIDE, "tablet": ViewportSize(width=900, height=1100), "narrow": NARROW}


async def _overflowing(here: InboxPage) -> Any:
    """Whatever is wider than the screen, but for blocks that scroll by themselves."""
    return await here.page.evaluate(
        """() => [...document.querySelectorAll("body *")]
          .filter((it) => it.checkVisibility() && !it.closest("pre, .visually-hidden, dialog") &&
                          it.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
          .map((it) => it.outerHTML.slice(0, 120))"""
    )


async def _readable(here: InboxPage) -> None:
    assert await here.page.evaluate(CONTRAST) == []
    assert await _overflowing(here) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
async def test_every_text_can_be_read(browser: Browser, screen: str, scheme: str) -> None:
    """In both colour schemes, on every width, texts have the contrast that WCAG AA asks for, and none is cut off."""
    async with open_inbox(browser, context={"viewport": SCREENS[screen], "color_scheme": scheme}) as here:
        await expect(here.page.locator("#empty-state")).to_be_visible()
        await _readable(here)
        number = "+306900000123"
        long = "https://example.test/" + "a-rather-long-path/" * 12
        to = {"flow.0.to": number, "flow.1.to": number, "flow.2.to": {"phone": number}}
        flow = changed(STANDARD, **to, **{"flow.1.message.body": long})
        await here.send("sendFailover", flow)
        await here.send_otp("+306900000300")
        await here.send("sendViberOtp", VIBER_OTP)
        await here.send_otp("+306900000110")
        await here.advance_clock("+1 min")
        await expect(here.row("+306900000110").locator(".mark")).to_have_attribute("title", "Failed")
        await _readable(here)
        for number in ("+306900000123", "+306900000300", "+306912345678", "+306900000110"):
            await here.choose(number)
            await expect(here.step(0)).to_be_visible()
            await _readable(here)
            if screen == "narrow":
                await here.page.get_by_role("button", name="All flows").click()
        await here.page.get_by_role("button", name="Help").click()
        await _readable(here)


async def test_the_list_and_the_flow_are_two_views_on_a_phone(browser: Browser) -> None:
    """On a narrow screen one sees the list or a flow; a button leads back."""
    async with open_inbox(browser, context={"viewport": NARROW, "has_touch": True}) as here:
        await here.send_otp("+306900000000")
        await expect(here.row("+306900000000")).to_be_visible()
        await expect(here.flow).to_be_hidden()
        await here.row("+306900000000").tap()
        await expect(here.flow).to_be_visible()
        await expect(here.rows.first).to_be_hidden()
        await here.page.get_by_role("button", name="All flows").tap()
        await expect(here.rows.first).to_be_visible()


async def test_who_wants_no_motion_gets_none(browser: Browser) -> None:
    """With reduced motion nothing on the page moves by itself."""
    async with open_inbox(browser, context={"reduced_motion": "reduce"}) as here:
        await here.send_otp("+306900000300")
        await here.choose("+306900000300")
        moving = await here.page.evaluate(
            """() => [...document.querySelectorAll("*")].filter((it) => {
                 const style = getComputedStyle(it);
                 return style.animationName !== "none" || !/^(0s(, )?)+$/.test(style.transitionDuration);
               }).length"""
        )
        assert moving == 0
