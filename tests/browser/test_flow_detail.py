"""The detail of the selected flow: timeline, previews, actions, JSON."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from ..sandbox.raw_http import OTP, STANDARD, TRANSACTIONAL, with_changes
from .inbox_page import IN_BROWSER, InboxPage, open_inbox

pytestmark = IN_BROWSER

NUMBER = "+306900000333"  # on every channel the message is open until its ttl has passed


def _standard(**changes: Any) -> dict[str, Any]:
    recipients = {"flow.0.to": NUMBER, "flow.1.to": NUMBER, "flow.2.to": {"phone": NUMBER}}
    return with_changes(STANDARD, **{**recipients, **changes})


async def _detail(inbox: InboxPage, flow_id: str) -> Any:
    """Return the sandbox's own state, to verify the effect of a button."""
    status, body = await inbox.caller.call("getSandboxFlow", f"/sandbox/flows/{flow_id}")
    assert status == 200
    return body


async def test_flow_fails_over_when_the_clock_is_advanced(browser: Browser) -> None:
    """The clock's buttons advance time: the ttl ends, the next channel is attempted, and each status has its time."""
    async with open_inbox(browser) as inbox:
        flow_id = await inbox.send_otp("+306900000300")
        await inbox.select("+306900000300")
        await expect(inbox.step(0).locator(".status")).to_have_text("Queued")
        await expect(inbox.step(1).locator(".status")).to_have_text("If the previous step fails")
        await expect(inbox.step(0).get_by_role("progressbar")).to_have_attribute("aria-valuetext", "1 min left")
        await inbox.advance_clock("+1 s")
        await expect(inbox.step(0).get_by_role("progressbar")).to_have_attribute("aria-valuetext", "59 s left")
        await inbox.advance_clock("+1 min")
        await expect(inbox.step(0).locator(".status")).to_have_text("Expired")
        await expect(inbox.step(0).locator(".changes > li").last).to_have_text("+1 minExpiredTTL Expired")
        await expect(inbox.step(0).locator(".arrival")).to_have_text("Not delivered")
        await inbox.advance_clock("+10 min")
        await expect(inbox.step(1).locator(".status")).to_have_text("Delivered")
        await expect(inbox.flow.locator(".status.large")).to_contain_text("Succeeded by SMS")
        assert (await _detail(inbox, flow_id))["terminationChannel"] == "Sms"
        assert await inbox.page.locator("#clock time").inner_text() == "00:11:01"


async def test_clock_and_ttl_run_at_the_selected_speed(browser: Browser) -> None:
    """On a running clock, time and ttl are updated; the speed is set on the page, and by other programs."""
    async with open_inbox(browser) as inbox:
        await inbox.send_otp("+306900000300")
        await inbox.select("+306900000300")
        await inbox.page.get_by_role("radio", name="60\N{MULTIPLICATION SIGN}", exact=True).check()
        await expect(inbox.flow.locator(".status.large")).to_contain_text("Succeeded by SMS")
        assert inbox.sandbox._clock.speed == 60
        await inbox.page.get_by_role("radio", name="Stopped").check()
        await expect(inbox.page.get_by_role("radio", name="Stopped")).to_be_checked()
        await inbox.caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"speed": 7})
        await expect(inbox.page.get_by_role("radio", name="7\N{MULTIPLICATION SIGN}", exact=True)).to_be_checked()
        await inbox.caller.call(
            "setSandboxClock", "/sandbox/clock", method="POST", json={"speed": 0, "advance": 90_000}
        )
        await expect(inbox.page.get_by_role("radio", name="Stopped")).to_be_checked()
        await expect(inbox.page.locator("#clock time")).to_contain_text("1 d 01:")


async def test_each_advance_button_advances_by_its_label(browser: Browser) -> None:
    """Each button advances the clock by its label."""
    async with open_inbox(browser) as inbox:
        elapsed = 0
        for name, seconds in (("+1 s", 1), ("+1 min", 60), ("+10 min", 600), ("+1 h", 3600), ("+1 day", 86400)):
            elapsed += seconds
            async with inbox.page.expect_response("**/sandbox/clock"):
                await inbox.advance_clock(name)
            assert inbox.sandbox._clock.now() == elapsed
        await expect(inbox.page.locator("#clock time")).to_have_text("1 d 01:11:01")


async def test_previews_show_text_button_image_and_spoken_text(browser: Browser) -> None:
    """Text, button, image and spoken text are shown in a preview of their channel; remote content is only named."""
    async with open_inbox(browser) as inbox:
        await inbox.send("sendFailover", _standard())
        await inbox.select(NUMBER)
        viber, sms, voice = (inbox.step(position).locator(".screen") for position in range(3))
        await expect(viber.locator(".bubble")).to_contain_text("Hi")
        await expect(viber.locator(".card.image").get_by_role("link")).to_have_attribute(
            "href", "https://example.test/i.png"
        )
        button = viber.get_by_role("link", name="Open")
        await expect(button).to_have_attribute("href", "https://example.test/")
        await expect(button).to_have_attribute("rel", "noopener noreferrer")
        await expect(sms.locator(".bubble")).to_have_text("Hi")
        await expect(voice.locator(".bubble")).to_contain_text("Hi")
        await expect(voice.get_by_role("link")).to_have_attribute("href", "https://example.test/a.wav")
        await expect(voice.locator(".arrival")).to_have_text("Not sent")


async def test_file_shows_its_name_and_video_its_url(browser: Browser) -> None:
    """A file shows its name, a video its URL."""
    async with open_inbox(browser) as inbox:
        message = {
            "viberFile": {"fileName": "bill.pdf", "fileType": "pdf", "fileUrl": "https://example.test/b.pdf"},
        }
        await inbox.send("sendFailover", _standard(**{"flow.0.message": message}))
        await inbox.select(NUMBER)
        await expect(inbox.step(0).get_by_role("link", name="bill.pdf")).to_have_attribute(
            "href", "https://example.test/b.pdf"
        )
        video = {
            "videoUrl": "https://example.test/v.mp4",
            "videoThumbnail": "https://example.test/v.png",
            "fileSize": 1,
            "duration": 2,
        }
        await inbox.send("sendFailover", _standard(**{"flow.0.message": {"text": "Look", "viberVideo": video}}))
        await expect(inbox.rows).to_have_count(2)
        await inbox.rows.first.click()
        await expect(inbox.step(0).locator(".card.video")).to_contain_text("https://example.test/v.mp4")


async def test_pin_is_large_and_copied_by_its_button(browser: Browser) -> None:
    """The PIN is shown in the list and, large, in the preview, and a button copies it."""
    async with open_inbox(browser, context={"permissions": ["clipboard-read", "clipboard-write"]}) as inbox:
        await inbox.send_otp("+306900000000", pin="604418")
        await expect(inbox.row("+306900000000").locator(".pin")).to_contain_text("604418")
        await inbox.select("+306900000000")
        code = inbox.step(0).get_by_label("PIN")
        await expect(code).to_have_text("604418")
        size = await code.evaluate("node => parseFloat(getComputedStyle(node).fontSize)")
        assert size >= 24
        await inbox.step(0).get_by_role("button", name="Copy").click()
        await expect(inbox.page.locator("#toast")).to_have_text("Copied.")
        assert await inbox.page.evaluate("navigator.clipboard.readText()") == "604418"


async def test_text_is_selected_without_clipboard_access(browser: Browser) -> None:
    """Where the browser denies the clipboard, the text is selected, so that the keyboard can copy it."""
    async with open_inbox(browser) as inbox:
        await inbox.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()) }")
        await inbox.send_otp("+306900000000", pin="604418")
        await inbox.select("+306900000000")
        await inbox.step(0).get_by_role("button", name="Copy").click()
        await expect(inbox.page.locator("#toast")).to_contain_text("Selected")
        assert await inbox.page.evaluate("getSelection().toString()") == "604418"


@pytest.mark.parametrize(
    ("button", "status", "flow"),
    [
        ("Deliver", "Delivered", "Succeeded"),
        ("Seen", "Seen", "Succeeded"),
        ("Fail", "Failed", "InProgress"),
        ("Expire", "Expired", "InProgress"),
    ],
)
async def test_action_button_forces_the_outcome(browser: Browser, button: str, status: str, flow: str) -> None:
    """Each button forces its outcome of the Viber message, also in the sandbox's own state."""
    async with open_inbox(browser) as inbox:
        flow_id = await inbox.send("sendFailover", _standard())
        await inbox.advance_clock("+1 s")
        await inbox.select(NUMBER)
        await inbox.step(0).get_by_role("button", name=button, exact=True).click()
        await expect(inbox.step(0).locator(".status")).to_have_text(status)
        record = await _detail(inbox, flow_id)
        assert record["status"] == flow
        assert record["steps"][0]["message"]["status"] == status.upper()
        assert (record["steps"][1]["message"] is None) is (flow == "Succeeded")
        message = "The flow has succeeded." if flow == "Succeeded" else "The flow is in progress."
        await expect(inbox.page.locator("#live-region")).to_have_text(message)


@pytest.mark.parametrize(
    ("button", "status"), [("Pick up", "Completed"), ("No answer", "NoAnswer"), ("Fail", "Failed")]
)
async def test_call_has_its_own_action_buttons(browser: Browser, button: str, status: str) -> None:
    """The buttons of a call have texts for calls."""
    async with open_inbox(browser) as inbox:
        call = with_changes(STANDARD["flow"][2], to={"phone": NUMBER}, order=1)
        flow_id = await inbox.send("sendFailover", {"flow": [call]})
        await inbox.advance_clock("+1 s")
        await inbox.select(NUMBER)
        await inbox.step(0).get_by_role("button", name=button, exact=True).click()
        await expect(inbox.step(0).get_by_role("button")).to_have_count(0)
        assert (await _detail(inbox, flow_id))["steps"][0]["message"]["status"] == status


async def test_only_possible_actions_are_offered(browser: Browser) -> None:
    """A message that has ended has no buttons; a delivered one can still be seen."""
    async with open_inbox(browser) as inbox:
        await inbox.send("sendTransactionalFailover", TRANSACTIONAL)
        await inbox.advance_clock("+1 s")
        await inbox.rows.first.click()
        actions = inbox.step(0).locator(".actions")
        await expect(actions.get_by_role("button")).to_have_text(["Deliver", "Seen", "Fail", "Expire"])
        await actions.get_by_role("button", name="Deliver").click()
        await expect(actions.get_by_role("button")).to_have_text(["Seen"])
        await actions.get_by_role("button", name="Seen").click()
        await expect(actions).to_have_count(0)


async def test_conflicting_action_shows_an_error_and_the_current_state(browser: Browser) -> None:
    """An action that another one has made impossible shows an error, and the flow in its current state."""
    async with open_inbox(browser, allowed_errors="409") as inbox:
        flow_id = await inbox.send("sendFailoverOtp", OTP)
        await inbox.rows.first.click()
        # Another action is performed before the page knows of it.
        await inbox.page.route("**/sandbox/flows/*/actions", lambda route: _after_another_action(inbox, flow_id, route))
        await inbox.step(0).get_by_role("button", name="Fail", exact=True).click()
        await expect(inbox.page.locator("#toast")).to_have_attribute("data-tone", "bad")
        await expect(inbox.step(0).locator(".status")).to_have_text("Delivered")


async def _after_another_action(inbox: InboxPage, flow_id: str, route: Any) -> None:
    path = f"/sandbox/flows/{flow_id}/actions"
    body = {"action": "deliver", "position": 0}
    assert (await inbox.caller.call("actOnSandboxFlow", path, method="POST", json=body))[0] == 200
    await route.continue_()


async def test_json_tabs_work_by_mouse_and_arrow_keys(browser: Browser) -> None:
    """Request, response and record are shown as indented JSON in three tabs, by mouse and by arrow keys."""
    async with open_inbox(browser) as inbox:
        flow_id = await inbox.send_otp("+306900000000", pin="604418")
        await inbox.select("+306900000000")
        panel = inbox.flow.get_by_role("tabpanel")
        await expect(panel).to_contain_text('"pin": "604418"')
        await inbox.flow.get_by_role("tab", name="Response").click()
        await expect(panel).to_contain_text(f'"{flow_id}"')
        await inbox.page.keyboard.press("ArrowRight")
        await expect(inbox.flow.get_by_role("tab", name="Tracking record")).to_be_focused()
        await expect(inbox.flow.get_by_role("tab", name="Tracking record")).to_have_attribute("aria-selected", "true")
        await inbox.page.keyboard.press("ArrowRight")
        await expect(inbox.flow.get_by_role("tab", name="Request")).to_be_focused()


async def test_url_fragment_selects_the_flow(browser: Browser) -> None:
    """The URL contains the selected flow: after a reload it is selected again; an unknown one shows an error."""
    async with open_inbox(browser, allowed_errors="404") as inbox:
        flow_id = await inbox.send_otp("+306900000000")
        await inbox.select("+306900000000")
        assert inbox.page.url.endswith(f"#{flow_id}")
        await inbox.page.reload()
        await expect(inbox.flow.get_by_role("heading", level=2)).to_have_text("+306900000000")
        other = await inbox.send_otp("+306922222222")
        await inbox.page.evaluate("id => { location.hash = id }", other)
        await expect(inbox.flow.get_by_role("heading", level=2)).to_have_text("+306922222222")
        await expect(inbox.row("+306922222222")).to_have_attribute("aria-selected", "true")
        await inbox.page.evaluate("location.hash = 'unknown-id'")
        await expect(inbox.flow).to_contain_text("has no such flow")


async def test_flow_with_several_recipients_shows_all_of_them(browser: Browser) -> None:
    """All recipients of a flow are in its title, and each step shows its own."""
    async with open_inbox(browser) as inbox:
        await inbox.send(
            "sendFailover", _standard(**{"flow.1.to": "+306911111111", "flow.2.to": {"phone": "+306922222222"}})
        )
        await expect(inbox.row(NUMBER)).to_contain_text("+2")
        await inbox.row(NUMBER).click()
        title = inbox.flow.get_by_role("heading", level=2)
        await expect(title).to_have_text(f"{NUMBER}, +306911111111, +306922222222")
        for position, number in enumerate((NUMBER, "+306911111111", "+306922222222")):
            await expect(inbox.step(position).locator(".step-body .facts")).to_contain_text(number)


async def test_long_message_scrolls_in_its_preview(browser: Browser) -> None:
    """A message of a hundred thousand characters scrolls in its preview, and its JSON is shown."""
    async with open_inbox(browser) as inbox:
        text = "many words " * 9_000
        await inbox.send("sendFailover", _standard(**{"flow.1.message.body": text}))
        await inbox.select(NUMBER)
        box = await inbox.step(1).locator(".bubble").bounding_box()
        assert box is not None
        assert box["height"] < 400
        await expect(inbox.flow.get_by_role("tabpanel")).to_contain_text(text[:200])


async def test_rejected_clock_change_shows_an_error_and_the_old_state(browser: Browser) -> None:
    """When the sandbox rejects a change of the clock, the page shows the error, and the clock as it is."""
    async with open_inbox(browser, allowed_errors="500") as inbox:
        error = {"code": "500000000", "developerMessage": "Not now"}
        await inbox.page.route("**/sandbox/clock", lambda route: route.fulfill(status=500, json=error))
        await inbox.page.get_by_role("radio", name="10\N{MULTIPLICATION SIGN}", exact=True).click()
        await expect(inbox.page.locator("#toast")).to_have_text("Not now")
        await expect(inbox.page.get_by_role("radio", name="Stopped")).to_be_checked()
