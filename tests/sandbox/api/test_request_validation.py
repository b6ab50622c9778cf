"""Each documented rule at its limit and just beyond, over raw HTTP."""

from typing import Any

import pytest

from ..raw_http import (
    BODIES,
    OTP,
    OTP_SMS_STEP,
    REMOVED,
    SENDS,
    SMS_STEP,
    STANDARD,
    TEMPLATE_STEP,
    TRANSACTIONAL,
    VIBER_OTP,
    VIBER_STEP,
    VOICE_STEP,
    open_caller,
    with_changes,
)

URL_1000 = "https://example.test/" + "a" * 979
BIG = 10**50 - 1
TEMPLATE_NUMBER = "templateParams.codeValidityTime"
FILE = {"fileName": "f" * 25, "fileType": "pdf", "fileUrl": URL_1000}
VIDEO = {"videoUrl": URL_1000, "videoThumbnail": "HTTPS://example.test/t", "fileSize": 200, "duration": 600}
OTP_TEMPLATES = (
    ("0aac888f-2ee2-4112-9659-1755a951966a", ()),
    ("c2cdc028-a48b-4187-bbaf-3aaa137b6e23", ()),
    ("c33cccaf-735f-4d62-8383-a76bf4999e2d", ("businessPlatformName",)),
    ("bed0942f-e07e-4879-834b-29cc4cf3ec35", ("codeValidityTime",)),
    ("60d67b38-b9fb-444a-80e6-754447e010c6", ("pinType", "codeValidityTime")),
    ("6c929cef-29b4-4349-bc9d-2a07bdbb6e43", ("businessPlatformName", "codeValidityTime")),
    ("82ba31a3-db42-4e87-82e8-33fa92b9e5ed", ("pinType",)),
    ("210ee8a9-1ed5-43cd-96e4-65bba311ab40", ("businessPlatformActionName",)),
    ("be56d97b-2a33-4c89-ac5f-f555a2c827d9", ("businessPlatformName", "codeReason")),
)
LANGUAGES = "ar be bg br cs da de el en es fa fi fr he hi hr id it ja ko my nl pl pt ru sk sr sv th tr uk vi".split()  # noqa: SIM905
FILE_TYPES = "doc docx rtf dot dotx odt odf fodt txt info pdf xps pdax eps xls xlsx ods fods csv xlsm xltx".split()  # noqa: SIM905
VOICE_LANGUAGES = "en-US de-DE fr-FR it-IT pt-BR es-ES es-LA en-GB el-GR bg-BG pl-PL hu-HU sv-SE ru-RU".split()  # noqa: SIM905

# member, valid values, invalid values
Rule = tuple[str, tuple[Any, ...], tuple[Any, ...]]

VIBER_CONTENT: list[Rule] = [
    ("flow.0.message", ({}, {"viberFile": {}}, {"action": {}}), (REMOVED, "Hi", None)),
    ("flow.0.message.text", ("x" * 1000, REMOVED), ("x" * 1001, 1)),
    (
        "flow.0.message.imageUrl",
        (URL_1000, REMOVED),
        (URL_1000 + "a", "http://example.test/", "https://", "https://a b"),
    ),
    ("flow.0.message.action.caption", ("x", "x" * 30, REMOVED), ("", "x" * 31)),
    ("flow.0.message.action.targetUrl", (URL_1000, "http://example.test", "viber://x"), (URL_1000 + "a", "open")),
    (
        "flow.0.message.viberFile",
        (FILE, *({**FILE, "fileType": kind} for kind in FILE_TYPES), with_changes(FILE, fileName=REMOVED)),
        ({**FILE, "fileName": "f" * 26}, {**FILE, "fileType": "a/b"}, {**FILE, "fileUrl": "http://a.test"}),
    ),
    (
        "flow.0.message.viberVideo",
        (VIDEO, {**VIDEO, "fileSize": 0.1, "duration": 0.5}),
        (
            *(with_changes(VIDEO, **{name: REMOVED}) for name in VIDEO),
            *({**VIDEO, "fileSize": size} for size in (0, 200.1)),
            *({**VIDEO, "duration": seconds} for seconds in (0, 600.1)),
            {**VIDEO, "videoThumbnail": "http://a.test"},
            {**VIDEO, "videoUrl": URL_1000 + "a"},
        ),
    ),
    ("flow.0.label", ("x" * 350, REMOVED), ("x" * 351, 1)),
    ("flow.0.expireOnDelivery", (True, REMOVED), ("true",)),
    ("flow.0.order", (REMOVED, 1, 7), (0, 1.5, "1")),
    *(
        (f"flow.0.{name}", (REMOVED,), ("x", {}))
        for name in ("templateId", "templateLang", "templateParams", "deliveryScope", "seq")
    ),
    ("flow.1.order", (REMOVED, 1), (0,)),
    ("flow.2.order", (REMOVED,), (0,)),
]
VIBER: list[Rule] = [
    ("flow.0.ttl", (0.5, 0.6, 2.3, 1440, 1440.0, REMOVED), (0.4, 0.55, 1440.1, "1", True)),
    ("flow.0.to", ("+12", "+123456789012345"), ("306900000001", "+1234567890123456", "+0123", "+1", REMOVED, ["+12"])),
    ("flow.0.senderInfoTrackingId", ("x",), (REMOVED, "", 1)),
    ("flow.0.inboundUrl", ("http://example.test", REMOVED), ("ftp://example.test", 1)),
    ("flow.0.failoverOnStatuses", (["expired", "FAILED", "unDelivered"], [], REMOVED), (["Seen"], "Expired", [1])),
    ("flow.0.type", ("Viber",), ("viber", "ViberOtp", REMOVED, 1, [])),
]
SMS: list[Rule] = [
    ("flow.1.ttl", (1, 1440, REMOVED), (0, 1441, 1.5, "1")),
    ("flow.1.to", ("+12", "+123456789012345"), ("306900000001", "+1234567890123456", REMOVED)),
    ("flow.1.from", ("1" * 16, "Abc 1 def x", "Αθήνα"), ("1" * 17, "A" * 12, "+3069", "a-b", "a_b", "", REMOVED)),
    ("flow.1.message", ({"body": "x"},), (REMOVED, {}, "text", {"body": ""}, {"body": 1})),
    ("flow.1.message.label", ("x" * 350,), ("x" * 351,)),
    ("flow.1.message.flash", (True,), (1,)),
    ("flow.1.message.transcode", (False, REMOVED), ("no",)),
    ("flow.1.message.urlShortener", ({}, {"urlValidity": 3600}, {"urlValidity": 2592000}), ({"urlValidity": 3599},)),
    ("flow.1.failoverOnStatuses", (["undelivered", "FAILED"], REMOVED), (["Expired"],)),
]
VOICE: list[Rule] = [
    ("flow.2.from", ("Demo", "+306900000001"), ("", REMOVED)),
    (
        "flow.2.to",
        ("306900000001", "+306900000001", {"sip": "1111@host:55080"}, {"viber": "3069", "phone": None}),
        ({}, {"phone": ""}, {"phone": None}, {"phone": "x"}, {"sip": " "}, {"sip": 1}, "x", 5, REMOVED),
    ),
    ("flow.2.dialPlan", (VOICE_STEP["dialPlan"],), ({}, {"verbs": []}, REMOVED, [])),
    ("flow.2.dialPlan.verbs.0.type", ("SAY",), ("DIAL", "COLLECT", "say", REMOVED)),
    ("flow.2.dialPlan.verbs.0.repeat", (-1, 0, 5, REMOVED), (-2, 0.5)),
    ("flow.2.dialPlan.verbs.0.bargeIn", (True, REMOVED), ("no",)),
    ("flow.2.dialPlan.verbs.0.message.language", tuple(VOICE_LANGUAGES), ("en", "EN-us", REMOVED)),
    ("flow.2.dialPlan.verbs.0.message.gender", ("male", REMOVED), ("Male",)),
    ("flow.2.dialPlan.verbs.0.message.text", ("x",), ("", REMOVED)),
    ("flow.2.dialPlan.verbs.0.message", (), (REMOVED,)),
    ("flow.2.dialPlan.verbs.1.fileURL", ("http://example.test/a.wav",), ("", REMOVED)),
    ("flow.2.dialPlan.verbs.1.repeat", (-1,), (-2,)),
    (
        "flow.2.machineDetection",
        ({"strategy": "Continue", "eventUrl": "https://a.test"}, {"strategy": "Continue"}, REMOVED),
        ({"strategy": "Hangup", "eventUrl": "https://a.test"}, {"strategy": "hangup"}, {}),
    ),
    ("flow.2.failoverOnStatuses", (["completed", "BUSY", "NoAnswer", "failed", "unsent", "terminated"],), (["No"],)),
    ("flow.2.ttl", (0,), ()),
]
CALLBACK_RULES: list[Rule] = [
    ("callback", (REMOVED, {"url": "http://a.test"}), ({}, {"strategy": "OnStep"}, "https://a.test")),
    ("callback.strategy", ("OnCompletion", REMOVED), ("OnChange", "onstep")),
    ("callback.url", ("http://a.test",), ("ftp://a.test", REMOVED, "")),
    ("flow", ([SMS_STEP],), ([], REMOVED, {}, [1], [None])),
    ("flow.1.anything", ([1],), ()),
]
OPEN_BODY: list[Rule] = [("restrictions", ({}, {"x": 1}), ()), ("anything", ({"else": 1},), ())]
CLOSED_BODY: list[Rule] = [("restrictions", (), ({}, {"x": 1})), ("anything", (), (1, {"else": 1}))]
TEMPLATE: list[Rule] = [
    *((f"flow.{step}.order", (4, 99), (REMOVED, 0, 1.5)) for step in (0, 1, 2)),
    ("flow.0.templateId", ("BBBBBBBB-0000-4000-8000-000000000001",), ("x", REMOVED, 1)),
    ("flow.0.templateLang", ("el", "xx"), (REMOVED, "")),
    ("flow.0.templateParams", ({}, REMOVED), ("x", [])),
    ("flow.0.deliveryScope", ("ALL_DEVICES", REMOVED), ("ALL_DEVICE", "PRIMARY_ONLY")),
    ("flow.0.seq", (0, 10**30, REMOVED), (1.5, "1")),
    ("flow.0.message", (REMOVED,), ({"text": "Hi"}, {})),
    ("flow.0.label", (REMOVED,), ("x",)),
    ("flow.0.expireOnDelivery", (True,), ()),
]
OTP_RULES: list[Rule] = [
    ("flow.0.pin", ("1234", "1234567890", "ab cd"), ("123", "12345678901", 123456, REMOVED)),
    ("flow.0.to", ("+306900000001", "306900000001", ["+306900000001"]), ("+0", [], ["x"], "1234567890123456", REMOVED)),
    ("flow.1.to", ("+306900000001", ["306900000001"]), ("", REMOVED)),
    *((f"flow.{step}.ttl", (0, 10**400), (-1, 0.5, "1", REMOVED)) for step in (0, 1)),
    *((f"flow.{step}.order", (4, 99), (REMOVED, 0, 1.5)) for step in (0, 1)),
    ("flow.1.order", (2,), (1,)),
    ("flow.0.senderInfoTrackingId", ("x",), (REMOVED, "")),
    ("flow.0.templateId", ("c33cccaf-735f-4d62-8383-a76bf4999e2d".upper(),), ("x", REMOVED)),
    (
        "flow.0.templateType",
        ("basic", "basic_5min", "with_type", "with_action", "with", REMOVED),
        ("with_validity", "", 7),
    ),
    ("flow.0.businessName", ("x",), ("", REMOVED)),
    ("flow.0.label", ("x" * 1000,), (1,)),
    ("flow.0.unknown", ("x", 1), ()),
    ("flow.0.type", ("ViberOtp",), ("Viber", "Voice", REMOVED)),
    ("flow.1.from", (REMOVED, "1" * 16), ("1" * 17, "A" * 12)),
    ("flow.1.message", ({"body": "x", "flash": True},), (REMOVED, {}, "x", {"body": ""})),
    (
        "callback",
        (REMOVED, {"url": "http://a.test"}),
        ({}, {"url": "x"}, {"url": "http://a.test", "strategy": "OnStep"}),
    ),
    ("flow", ([OTP_SMS_STEP],), ([], REMOVED, [1])),
]
VIBER_OTP_RULES: list[Rule] = [
    ("senderInfoTrackingId", ("x",), (REMOVED, "")),
    ("to", ("+12",), ("306912345678", ["+306912345678"], REMOVED)),
    ("ttl", (0, 10**9, REMOVED), (-1, 0.5)),
    ("seq", (0, -1, 10**30, REMOVED), ("1", 0.5)),
    ("label", ("promotional", REMOVED), ("other",)),
    ("type", ("ALL_DEVICE", REMOVED), ("ALL_DEVICES", "PRIMARY_DEVICE")),
    ("templateLang", (*LANGUAGES, "hu", "no", "ro", REMOVED), ("", 7)),
    ("templateId", ("x", REMOVED), (1,)),
    ("templateParams.pin", ("1", "x" * 50, "http"), ("", "x" * 51, "www.a", "see HTTPS://a", "http://a", 1, REMOVED)),
    (TEMPLATE_NUMBER, (0, BIG), (-1, BIG + 1, 10**60, 5.5, "5", REMOVED)),
    ("templateParams", (), (REMOVED, {}, "x")),
    ("templateParams.other", (1,), ()),
]
RULES: dict[str, list[Rule]] = {
    "sendFailover": [*VIBER_CONTENT, *VIBER, *SMS, *VOICE, *CALLBACK_RULES, *OPEN_BODY],
    "sendTransactionalFailover": [*TEMPLATE, *VIBER, *SMS, *VOICE, *CALLBACK_RULES, *CLOSED_BODY],
    "sendFailoverOtp": OTP_RULES,
    "sendViberOtp": VIBER_OTP_RULES,
}
CASES = [(operation, *rule) for operation, rules in RULES.items() for rule in rules]


def _has(body: Any, path: str) -> bool:
    for part in path.split("."):
        if isinstance(body, dict) and part not in body:
            return False
        body = body[int(part)] if isinstance(body, list) else body[part]
    return True


def _location(path: str) -> str:
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(".")).removeprefix(".")


def _locations(operation: str, response: Any) -> list[str]:
    if operation != "sendFailoverOtp":
        return list(response["properties"])
    assert all(entry["loc"][0] == "body" for entry in response["detail"])
    return [_location(".".join(str(part) for part in entry["loc"][1:])) for entry in response["detail"]]


@pytest.mark.parametrize(
    ("operation", "member", "valid", "invalid"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES]
)
async def test_values_at_and_beyond_the_limit_of_each_rule(
    operation: str, member: str, valid: tuple[Any, ...], invalid: tuple[Any, ...]
) -> None:
    """Values up to the limit are accepted; beyond it, the error names the member and no other."""
    body = BODIES[operation]
    error_status = 422 if operation == "sendFailoverOtp" else 400
    async with open_caller() as caller:
        for value in valid:
            if value is REMOVED and not _has(body, member):
                continue
            status, response = await caller.send(operation, with_changes(body, **{member: value}))
            assert status == 200, (value, response)
        for value in invalid:
            status, response = await caller.send(operation, with_changes(body, **{member: value}))
            assert status == error_status, value
            parent = member.rpartition(".")[0]
            related = (_location(member), _location(parent) if parent else "", "flow")
            assert all(
                location.startswith(related[:1]) or location in related for location in _locations(operation, response)
            ), response


@pytest.mark.parametrize("operation", SENDS)
@pytest.mark.parametrize("body", [[], "x", 1, None, {}])
async def test_body_that_is_not_a_flow_is_rejected(operation: str, body: object) -> None:
    """A body of another shape is rejected like any other invalid request."""
    async with open_caller() as caller:
        status, _ = await caller.send(operation, body)
    assert status == (422 if operation == "sendFailoverOtp" else 400)


@pytest.mark.parametrize(("template", "required"), OTP_TEMPLATES)
async def test_each_otp_template_requires_its_parameters(template: str, required: tuple[str, ...]) -> None:
    """Each of Routee's nine OTP templates requires its parameters, whatever the letter case of its id."""
    complete: dict[str, Any] = {"pin": "1234"} | {name: 5 if name == "codeValidityTime" else "x" for name in required}
    async with open_caller() as caller:
        for template_id in (template, template.upper()):
            body = with_changes(VIBER_OTP, templateId=template_id, templateParams=complete)
            assert (await caller.send("sendViberOtp", body))[0] == 200
            for name in complete:
                status, response = await caller.send(
                    "sendViberOtp", with_changes(body, **{f"templateParams.{name}": REMOVED})
                )
                assert status == 400
                assert response["properties"] == {f"templateParams.{name}": "is required"}
            step = {"flow.0.templateId": template_id}
            status, response = await caller.send("sendTransactionalFailover", with_changes(TRANSACTIONAL, **step))
            assert (status, list(response["properties"])) == (400, ["flow[0].templateParams.pin"])
            changes = {**step, "flow.0.templateParams": {"pin": "1234"}}
            assert (await caller.send("sendTransactionalFailover", with_changes(TRANSACTIONAL, **changes)))[0] == 200


@pytest.mark.parametrize("kind", ["with_business_name", "with_business_and_validity_hours", "with_reason"])
async def test_template_types_with_a_business_require_its_name(kind: str) -> None:
    """A template type with a business requires businessName."""
    async with open_caller() as caller:
        body = with_changes(OTP, **{"flow.0.templateType": kind, "flow.0.validFor": "5"})
        assert (await caller.send("sendFailoverOtp", body))[0] == 200
        status, response = await caller.send("sendFailoverOtp", with_changes(body, **{"flow.0.businessName": REMOVED}))
    assert (status, response["detail"][0]["loc"]) == (422, ["body", "flow", 0, "businessName"])


@pytest.mark.parametrize("kind", ["with_validity", "with_type_and_validity", "with_business_and_validity_hours"])
async def test_validity_template_types_require_an_extra_member(kind: str) -> None:
    """A validity template requires a member beyond the known ones, because the public pages cut off its name."""
    async with open_caller() as caller:
        body = with_changes(OTP, **{"flow.0.templateType": kind})
        status, response = await caller.send("sendFailoverOtp", body)
        assert (status, response["detail"][0]["loc"]) == (422, ["body", "flow", 0])
        assert (await caller.send("sendFailoverOtp", with_changes(body, **{"flow.0.validFor": "5"})))[0] == 200


@pytest.mark.parametrize("spelling", ["dialplan", "dialPlans"])
async def test_all_spellings_of_dial_plan_are_validated(spelling: str) -> None:
    """Each of the three spellings on Routee's pages is validated in the same way, and returned as dialPlans."""
    step = {name: value for name, value in VOICE_STEP.items() if name != "dialPlan"}
    async with open_caller() as caller:
        status, response = await caller.send("sendFailover", {"flow": [step | {spelling: VOICE_STEP["dialPlan"]}]})
        assert (status, response["flow"][0]["dialPlans"]) == (200, VOICE_STEP["dialPlan"])
        assert (await caller.send("sendFailover", {"flow": [step | {spelling: {"verbs": []}}]}))[0] == 400


async def test_repeated_order_is_rejected_in_otp_flows_only() -> None:
    """Orders must differ in an OTP flow only: the standard how-to's own example repeats one."""
    async with open_caller() as caller:
        status, response = await caller.send("sendFailoverOtp", with_changes(OTP, **{"flow.1.order": 1}))
        assert (status, response["detail"][0]["loc"]) == (422, ["body", "flow"])
        assert (await caller.send("sendFailover", with_changes(STANDARD, **{"flow.2.order": 2})))[0] == 200


async def test_error_lists_all_violations_up_to_a_limit() -> None:
    """An error has every violation, each as a text at its path, up to a limit."""
    steps = [VIBER_STEP | {"to": "x", "label": 5}, TEMPLATE_STEP, VOICE_STEP | {"to": {}}]
    async with open_caller() as caller:
        _, response = await caller.send("sendFailover", {"flow": steps})
        assert response["developerMessage"] == "Validation Error!"
        assert response["code"] == "400000000"
        assert set(response["properties"]) == {
            "flow[0].to",
            "flow[0].label",
            "flow[1].message",
            "flow[1].templateId",
            "flow[1].templateLang",
            "flow[1].templateParams",
            "flow[1].deliveryScope",
            "flow[2].to",
        }
        _, response = await caller.send("sendFailover", {"flow": [1] * 5000})
        assert len(response["properties"]) == 100


@pytest.mark.parametrize("operation", SENDS)
async def test_errors_do_not_quote_the_request(operation: str) -> None:
    """No error repeats what was sent: it may contain a PIN or a number."""
    secret = "CANARY-4711-0815"
    body = with_changes(BODIES[operation])
    targets: list[dict[str, Any]] = body.get("flow", [body])
    for target in targets:
        target.update((name, [secret]) for name in ("to", "pin", "templateId", "ttl", "from", "senderInfoTrackingId"))
        target["templateParams"] = {"pin": secret * 9, "codeValidityTime": secret}
        target.setdefault("type", secret)
    async with open_caller() as caller:
        status, response = await caller.send(operation, body)
    assert status in {400, 422}
    assert secret not in str(response)
