"""A chosen flow: its steps on their time line, what the person sees, and the buttons that decide what becomes of it."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from ..sandbox.raw_http import OTP, STANDARD, TRANSACTIONAL, changed
from .inbox_page import IN_BROWSER, InboxPage, open_inbox

pytestmark = IN_BROWSER

NUMBER = "+306900000333"  # every channel leaves its message open until its ttl is over


def _standard(**changes: Any) -> dict[str, Any]:
    recipients = {"flow.0.to": NUMBER, "flow.1.to": NUMBER, "flow.2.to": {"phone": NUMBER}}
    return changed(STANDARD, **{**recipients, **changes})


async def _detail(here: InboxPage, flow_id: str) -> Any:
    """The sandbox's own record: what a button did is judged by it."""
    status, body = await here.caller.call("getSandboxFlow", f"/sandbox/flows/{flow_id}")
    assert status == 200
    return body


async def test_a_flow_fails_over_as_time_passes(browser: Browser) -> None:
    """The clock's buttons put time forward: the ttl ends, the next channel is tried, and each status has its time."""
    async with open_inbox(browser) as here:
        flow_id = await here.send_otp("+306900000300")
        await here.choose("+306900000300")
        await expect(here.step(0).locator(".status")).to_have_text("Queued")
        await expect(here.step(1).locator(".status")).to_have_text("If the previous step fails")
        await expect(here.step(0).get_by_role("progressbar")).to_have_attribute("aria-valuetext", "1 min left")
        await here.advance_clock("+1 s")
        await expect(here.step(0).get_by_role("progressbar")).to_have_attribute("aria-valuetext", "59 s left")
        await here.advance_clock("+1 min")
        await expect(here.step(0).locator(".status")).to_have_text("Expired")
        await expect(here.step(0).locator(".changes > li").last).to_have_text("+1 minExpiredTTL Expired")
        await expect(here.step(0).locator(".arrival")).to_have_text("Not delivered")
        await here.advance_clock("+10 min")
        await expect(here.step(1).locator(".status")).to_have_text("Delivered")
        await expect(here.flow.locator(".status.large")).to_contain_text("Succeeded by SMS")
        assert (await _detail(here, flow_id))["terminationChannel"] == "Sms"
        assert await here.page.locator("#clock time").inner_text() == "00:11:01"


async def test_time_goes_on_by_itself(browser: Browser) -> None:
    """At a speed the clock and the ttl run before one's eyes; the speed is set on the page, and elsewhere."""
    async with open_inbox(browser) as here:
        await here.send_otp("+306900000300")
        await here.choose("+306900000300")
        await here.page.get_by_role("radio", name="60\N{MULTIPLICATION SIGN}", exact=True).check()
        await expect(here.flow.locator(".status.large")).to_contain_text("Succeeded by SMS")
        assert here.sandbox._clock.speed == 60
        await here.page.get_by_role("radio", name="Stopped").check()
        await expect(here.page.get_by_role("radio", name="Stopped")).to_be_checked()
        await here.caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"speed": 7})
        await expect(here.page.get_by_role("radio", name="7\N{MULTIPLICATION SIGN}", exact=True)).to_be_checked()
        await here.caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"speed": 0, "advance": 90_000})
        await expect(here.page.get_by_role("radio", name="Stopped")).to_be_checked()
        await expect(here.page.locator("#clock time")).to_contain_text("1 d 01:")


async def test_each_leap_of_the_clock(browser: Browser) -> None:
    """Each button puts the clock forward by what it says."""
    async with open_inbox(browser) as here:
        passed = 0
        for name, seconds in (("+1 s", 1), ("+1 min", 60), ("+10 min", 600), ("+1 h", 3600), ("+1 day", 86400)):
            passed += seconds
            async with here.page.expect_response("**/sandbox/clock"):
                await here.advance_clock(name)
            assert here.sandbox._clock.now() == passed
        await expect(here.page.locator("#clock time")).to_have_text("1 d 01:11:01")


async def test_what_the_person_sees(browser: Browser) -> None:
    """Text, button, picture and spoken words stand in a bubble of their channel; what is remote is only named."""
    async with open_inbox(browser) as here:
        await here.send("sendFailover", _standard())
        await here.choose(NUMBER)
        viber, sms, voice = (here.step(position).locator(".screen") for position in range(3))
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


async def test_files_and_videos(browser: Browser) -> None:
    """A file has its name, a video its address."""
    async with open_inbox(browser) as here:
        message = {
            "viberFile": {"fileName": "bill.pdf", "fileType": "pdf", "fileUrl": "https://example.test/b.pdf"},
        }
        await here.send("sendFailover", _standard(**{"flow.0.message": message}))
        await here.choose(NUMBER)
        await expect(here.step(0).get_by_role("link", name="bill.pdf")).to_have_attribute(
            "href", "https://example.test/b.pdf"
        )
        video = {
            "videoUrl": "https://example.test/v.mp4",
            "videoThumbnail": "https://example.test/v.png",
            "fileSize": 1,
            "duration": 2,
        }
        await here.send("sendFailover", _standard(**{"flow.0.message": {"text": "Look", "viberVideo": video}}))
        await expect(here.rows).to_have_count(2)
        await here.rows.first.click()
        await expect(here.step(0).locator(".card.video")).to_contain_text("https://example.test/v.mp4")


async def test_the_pin(browser: Browser) -> None:
    """The PIN is large, in the list and on the phone, and one button copies it."""
    async with open_inbox(browser, context={"permissions": ["clipboard-read", "clipboard-write"]}) as here:
        await here.send_otp("+306900000000", pin="604418")
        await expect(here.row("+306900000000").locator(".pin")).to_contain_text("604418")
        await here.choose("+306900000000")
        code = here.step(0).get_by_label("PIN")
        await expect(code).to_have_text("604418")
        size = await code.evaluate("it => parseFloat(getComputedStyle(it).fontSize)")
        assert size >= 24
        await here.step(0).get_by_role("button", name="Copy").click()
        await expect(here.page.locator("#toast")).to_have_text("Copied.")
        assert await here.page.evaluate("navigator.clipboard.readText()") == "604418"


async def test_without_a_clipboard(browser: Browser) -> None:
    """Where the browser grants no clipboard the text is marked, so that the keyboard copies it."""
    async with open_inbox(browser) as here:
        await here.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()) }")
        await here.send_otp("+306900000000", pin="604418")
        await here.choose("+306900000000")
        await here.step(0).get_by_role("button", name="Copy").click()
        await expect(here.page.locator("#toast")).to_contain_text("Selected")
        assert await here.page.evaluate("getSelection().toString()") == "604418"


@pytest.mark.parametrize(
    ("button", "status", "flow"),
    [
        ("Deliver", "Delivered", "Succeeded"),
        ("Seen", "Seen", "Succeeded"),
        ("Fail", "Failed", "InProgress"),
        ("Expire", "Expired", "InProgress"),
    ],
)
async def test_a_button_decides(browser: Browser, button: str, status: str, flow: str) -> None:
    """Each button does to the Viber message what it says, in the sandbox's own record, too."""
    async with open_inbox(browser) as here:
        flow_id = await here.send("sendFailover", _standard())
        await here.advance_clock("+1 s")
        await here.choose(NUMBER)
        await here.step(0).get_by_role("button", name=button, exact=True).click()
        await expect(here.step(0).locator(".status")).to_have_text(status)
        record = await _detail(here, flow_id)
        assert record["status"] == flow
        assert record["steps"][0]["message"]["status"] == status.upper()
        assert (record["steps"][1]["message"] is None) is (flow == "Succeeded")
        says = "The flow has succeeded." if flow == "Succeeded" else "The flow is in progress."
        await expect(here.page.locator("#live-region")).to_have_text(says)


@pytest.mark.parametrize(
    ("button", "status"), [("Pick up", "Completed"), ("No answer", "NoAnswer"), ("Fail", "Failed")]
)
async def test_a_call_is_decided(browser: Browser, button: str, status: str) -> None:
    """The buttons of a call speak of calls."""
    async with open_inbox(browser) as here:
        call = changed(STANDARD["flow"][2], to={"phone": NUMBER}, order=1)
        flow_id = await here.send("sendFailover", {"flow": [call]})
        await here.advance_clock("+1 s")
        await here.choose(NUMBER)
        await here.step(0).get_by_role("button", name=button, exact=True).click()
        await expect(here.step(0).get_by_role("button")).to_have_count(0)
        assert (await _detail(here, flow_id))["steps"][0]["message"]["status"] == status


async def test_only_what_can_be_done_is_offered(browser: Browser) -> None:
    """A message that has ended offers nothing more; a delivered one may still be seen."""
    async with open_inbox(browser) as here:
        await here.send("sendTransactionalFailover", TRANSACTIONAL)
        await here.advance_clock("+1 s")
        await here.rows.first.click()
        actions = here.step(0).locator(".actions")
        await expect(actions.get_by_role("button")).to_have_text(["Deliver", "Seen", "Fail", "Expire"])
        await actions.get_by_role("button", name="Deliver").click()
        await expect(actions.get_by_role("button")).to_have_text(["Seen"])
        await actions.get_by_role("button", name="Seen").click()
        await expect(actions).to_have_count(0)


async def test_too_late(browser: Browser) -> None:
    """A button that somebody else was quicker than says so, and the flow is shown as it stands."""
    async with open_inbox(browser, complaints="409") as here:
        flow_id = await here.send("sendFailoverOtp", OTP)
        await here.rows.first.click()
        # The page has yet to hear of it when the button is pressed.
        await here.page.route("**/sandbox/flows/*/actions", lambda route: _after_another(here, flow_id, route))
        await here.step(0).get_by_role("button", name="Fail", exact=True).click()
        await expect(here.page.locator("#toast")).to_have_attribute("data-tone", "bad")
        await expect(here.step(0).locator(".status")).to_have_text("Delivered")


async def _after_another(here: InboxPage, flow_id: str, route: Any) -> None:
    path = f"/sandbox/flows/{flow_id}/actions"
    body = {"action": "deliver", "position": 0}
    assert (await here.caller.call("actOnSandboxFlow", path, method="POST", json=body))[0] == 200
    await route.continue_()


async def test_the_json(browser: Browser) -> None:
    """Request, answer and record stand as indented JSON under three tabs, by mouse and by arrow keys."""
    async with open_inbox(browser) as here:
        flow_id = await here.send_otp("+306900000000", pin="604418")
        await here.choose("+306900000000")
        panel = here.flow.get_by_role("tabpanel")
        await expect(panel).to_contain_text('"pin": "604418"')
        await here.flow.get_by_role("tab", name="Response").click()
        await expect(panel).to_contain_text(f'"{flow_id}"')
        await here.page.keyboard.press("ArrowRight")
        await expect(here.flow.get_by_role("tab", name="Tracking record")).to_be_focused()
        await expect(here.flow.get_by_role("tab", name="Tracking record")).to_have_attribute("aria-selected", "true")
        await here.page.keyboard.press("ArrowRight")
        await expect(here.flow.get_by_role("tab", name="Request")).to_be_focused()


async def test_the_address_says_which_flow(browser: Browser) -> None:
    """The address names the chosen flow: loaded again, it is chosen again; one that is unknown says so."""
    async with open_inbox(browser, complaints="404") as here:
        flow_id = await here.send_otp("+306900000000")
        await here.choose("+306900000000")
        assert here.page.url.endswith(f"#{flow_id}")
        await here.page.reload()
        await expect(here.flow.get_by_role("heading", level=2)).to_have_text("+306900000000")
        other = await here.send_otp("+306922222222")
        await here.page.evaluate("id => { location.hash = id }", other)
        await expect(here.flow.get_by_role("heading", level=2)).to_have_text("+306922222222")
        await expect(here.row("+306922222222")).to_have_attribute("aria-selected", "true")
        await here.page.evaluate("location.hash = 'nobody-knows'")
        await expect(here.flow).to_contain_text("has no such flow")


async def test_several_people(browser: Browser) -> None:
    """A flow may name several numbers: all are in its title, and each step says whom it goes to."""
    async with open_inbox(browser) as here:
        await here.send(
            "sendFailover", _standard(**{"flow.1.to": "+306911111111", "flow.2.to": {"phone": "+306922222222"}})
        )
        await expect(here.row(NUMBER)).to_contain_text("+2")
        await here.row(NUMBER).click()
        title = here.flow.get_by_role("heading", level=2)
        await expect(title).to_have_text(f"{NUMBER}, +306911111111, +306922222222")
        for position, number in enumerate((NUMBER, "+306911111111", "+306922222222")):
            await expect(here.step(position).locator(".step-body .facts")).to_contain_text(number)


async def test_a_very_long_message(browser: Browser) -> None:
    """A message of a hundred thousand characters scrolls in its bubble, and its JSON is shown all the same."""
    async with open_inbox(browser) as here:
        words = "many words " * 9_000
        await here.send("sendFailover", _standard(**{"flow.1.message.body": words}))
        await here.choose(NUMBER)
        box = await here.step(1).locator(".bubble").bounding_box()
        assert box is not None
        assert box["height"] < 400
        await expect(here.flow.get_by_role("tabpanel")).to_contain_text(words[:200])


async def test_a_clock_that_does_not_turn(browser: Browser) -> None:
    """When the sandbox does not take a change of the clock the page says so, and shows the clock as it is."""
    async with open_inbox(browser, complaints="500") as here:
        refusal = {"code": "500000000", "developerMessage": "Not now"}
        await here.page.route("**/sandbox/clock", lambda route: route.fulfill(status=500, json=refusal))
        await here.page.get_by_role("radio", name="10\N{MULTIPLICATION SIGN}", exact=True).click()
        await expect(here.page.locator("#toast")).to_have_text("Not now")
        await expect(here.page.get_by_role("radio", name="Stopped")).to_be_checked()
