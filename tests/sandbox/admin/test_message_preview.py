"""Preview of each kind of message."""

from typing import Any

import pytest

from tests.sandbox.raw_http import (
    OTP,
    OTP_SMS_STEP,
    SENDER,
    SENDS,
    SMS_STEP,
    STANDARD,
    TEMPLATE_STEP,
    TRANSACTIONAL,
    VIBER_OTP,
    VIBER_STEP,
    VOICE_STEP,
    Caller,
    open_caller,
    with_changes,
)

EMPTY: dict[str, Any] = dict.fromkeys(("text", "image", "button", "file", "video", "template", "speech", "pin"), None)


async def previews(caller: Caller, operation: str, body: Any) -> list[dict[str, Any]]:
    """Send a flow, and return the previews of its steps."""
    status, _ = await caller.send(operation, body)
    assert status == 200
    _, page = await caller.call("listSandboxFlows", "/sandbox/flows?limit=1")
    _, flow = await caller.call("getSandboxFlow", f"/sandbox/flows/{page['flows'][0]['id']}")
    return [step["preview"] for step in flow["steps"]]


async def test_standard_flow_previews_viber_sms_and_call() -> None:
    """A Viber message shows sender, text, image and button; an SMS its text; a call its texts and recordings."""
    async with open_caller(speed=0) as caller:
        viber, sms, voice = await previews(caller, "sendFailover", STANDARD)
    assert viber == EMPTY | {
        "from": SENDER,
        "text": "Hi",
        "image": "https://example.test/i.png",
        "button": {"caption": "Open", "url": "https://example.test/"},
    }
    assert sms == EMPTY | {"from": "Demo", "text": "Hi"}
    assert voice == EMPTY | {"from": "Demo", "speech": ["Hi", "[plays https://example.test/a.wav]"]}


FILE = {"fileName": "a.pdf", "fileType": "pdf", "fileUrl": "https://example.test/a.pdf"}
VIDEO = {
    "videoUrl": "https://example.test/v.mp4",
    "videoThumbnail": "https://example.test/t.jpg",
    "fileSize": 3,
    "duration": 20,
}


@pytest.mark.parametrize(
    ("message", "seen", "line"),
    [
        ({"viberFile": FILE}, {"file": {"name": "a.pdf", "url": "https://example.test/a.pdf"}}, "[file]"),
        (
            {"viberVideo": VIDEO},
            {"video": {"url": "https://example.test/v.mp4", "thumbnail": "https://example.test/t.jpg"}},
            "[video]",
        ),
        ({"imageUrl": "https://example.test/i.png"}, {"image": "https://example.test/i.png"}, "[image]"),
        ({"text": "", "viberFile": {}}, {"text": "", "file": {"name": "", "url": ""}}, "[file]"),
        ({}, {}, ""),
    ],
)
async def test_files_videos_and_images_are_previewed_and_named_in_the_list(
    message: Any, seen: dict[str, Any], line: str
) -> None:
    """A file, a video and an image are shown as such, and named in the list where there is no text."""
    async with open_caller(speed=0) as caller:
        (viber,) = await previews(caller, "sendFailover", {"flow": [VIBER_STEP | {"message": message}]})
        _, page = await caller.call("listSandboxFlows", "/sandbox/flows")
    assert viber == EMPTY | {"from": SENDER} | seen
    assert page["flows"][0]["text"] == line


async def test_call_is_listed_by_its_text_for_every_spelling_of_dial_plan() -> None:
    """In the list a call shows its text, whichever spelling of dialPlan was used."""
    plan = VOICE_STEP["dialPlan"]
    async with open_caller(speed=0) as caller:
        for spelling in ("dialPlan", "dialplan", "dialPlans"):
            step = {name: value for name, value in VOICE_STEP.items() if name != "dialPlan"} | {spelling: plan}
            await caller.send("sendFailover", {"flow": [step]})
        _, page = await caller.call("listSandboxFlows", "/sandbox/flows")
    assert [flow["text"] for flow in page["flows"]] == ["Hi"] * 3


async def test_template_preview_names_the_template_and_its_parameters() -> None:
    """The preview of a template names it and its parameters, since its text is not public; the PIN is separate."""
    async with open_caller(speed=0) as caller:
        plain = (await previews(caller, "sendTransactionalFailover", TRANSACTIONAL))[0]
        otp, sms = await previews(caller, "sendFailoverOtp", OTP)
        (viber_otp,) = await previews(caller, "sendViberOtp", VIBER_OTP)
        (minimal,) = await previews(caller, "sendViberOtp", {"senderInfoTrackingId": SENDER, "to": "+306912345678"})
    template_id = TEMPLATE_STEP["templateId"]
    assert plain == EMPTY | {
        "from": SENDER,
        "text": f"Template {template_id}\ncustomer_name: Ada",
        "template": {"id": template_id, "name": None, "language": "en", "params": {"customer_name": "Ada"}},
    }
    assert otp == EMPTY | {
        "from": SENDER,
        "text": "123456 is your code\nbusinessName: Demo",
        "pin": "123456",
        "template": {
            "id": "c33cccaf-735f-4d62-8383-a76bf4999e2d",
            "name": "Business/platform name",
            "language": None,
            "params": {"businessName": "Demo"},
        },
    }
    assert sms == EMPTY | {"from": "Demo", "text": "Code 123456", "pin": "123456"}
    assert viber_otp["pin"] == "847291"
    assert viber_otp["template"]["params"] == {"businessPlatformName": "MyApp", "codeValidityTime": 5}
    assert minimal["text"] == "Template without an id"


async def test_pin_of_a_transactional_otp_template_is_found() -> None:
    """The PIN of an OTP template in a transactional flow is found, whatever its JSON type."""
    async with open_caller(speed=0) as caller:
        for pin, expected in (("A1-B2", "A1-B2"), (1234, "1234"), (None, None)):
            body = with_changes(TRANSACTIONAL, **{"flow.0.templateParams": {"pin": pin}})
            assert (await previews(caller, "sendTransactionalFailover", body))[0]["pin"] == expected


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        ("847291", "847291"),
        ("Your code is 847291.", "847291"),
        ("Code: 0042", "0042"),
        ("847291 is your code, valid for 5 minutes", "847291"),
        ("Your code is 847291\n\n@example.com #847291", "847291"),
        ("Κωδικός 847291!", "847291"),
        ("Der 847291ß", None),
        ("Your code is 123", None),
        ("Call +306912345678 now", None),
        ("Call 6912345678901", None),
        ("847291 or 555555", None),
        ("G-847291", "847291"),
        ("On 2026-08-01 at 12:3000 for 1.5000 see https://example.test/847291", None),
        ("A code without digits", None),
        ("٨٤٧٢٩١", None),
    ],
)
async def test_pin_of_an_otp_sms_is_its_only_run_of_digits(text: str, pin: str | None) -> None:
    """The PIN of an OTP flow's SMS is its only separate run of four to ten digits, unless that is ambiguous."""
    async with open_caller(speed=0) as caller:
        step = OTP_SMS_STEP | {"order": 1, "message": {"body": text}}
        assert [preview["pin"] for preview in await previews(caller, "sendFailoverOtp", {"flow": [step]})] == [pin]


async def test_digits_in_other_messages_are_not_taken_for_a_pin() -> None:
    """Digits in other messages are no PIN, and a member that Routee does not document is no part of the message."""
    async with open_caller(speed=0) as caller:
        step = SMS_STEP | {"message": {"body": "Sale 2026"}, "pin": "847291", "senderInfoTrackingId": {"no": "text"}}
        (seen,) = await previews(caller, "sendFailover", {"flow": [step]})
    assert seen == EMPTY | {"from": "Demo", "text": "Sale 2026"}


async def test_sms_preview_shows_the_transcoded_text() -> None:
    """Where transcode changes a text, the preview shows the changed one."""
    text = "αβγ " * 30
    async with open_caller(speed=0) as caller:
        step = SMS_STEP | {"message": {"body": text, "transcode": True}}
        (seen,) = await previews(caller, "sendFailover", {"flow": [step]})
    assert seen["text"] == "ABΓ " * 30


def test_every_send_endpoint_is_covered() -> None:
    """No endpoint is missing above."""
    assert set(SENDS) == {"sendFailover", "sendTransactionalFailover", "sendFailoverOtp", "sendViberOtp"}
