"""Transactional flow, `POST /failover/transactional`: each documented rule at its limit and just past it."""

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import TransactionalFlow, ViberTemplateStep

from .rule_tables import (
    Bad,
    Rule,
    minutes,
    problems_of,
)
from .sample_requests import BASIC_OTP, OWN_TEMPLATE, PHONE, SENDER, TRANSACTIONAL, build, changed, without
from .shared_rules import (
    INTEGERS,
    NON_EMPTY_TEXTS,
    NOT_INTEGERS,
    NOT_NON_EMPTY_TEXTS,
    NOT_NUMBERS,
    NOT_VIBER_MINUTES,
    NOT_WEB_URLS,
    NUMBERS,
    VIBER_MINUTES,
    WEB_URLS,
    callback_rules,
    failover_statuses_rule,
    sms_rules,
    voice_rules,
)

STEP = ("flow", 0)
TEMPLATE_IDS = (OWN_TEMPLATE, OWN_TEMPLATE.upper())
NOT_TEMPLATE_IDS = (
    Bad("", "must be a UUID"),
    Bad(OWN_TEMPLATE.replace("-", ""), "must be a UUID"),
    Bad(OWN_TEMPLATE[:-1], "must be a UUID"),
    Bad(OWN_TEMPLATE + "0", "must be a UUID"),
    Bad("g" + OWN_TEMPLATE[1:], "must be a UUID"),
    Bad(7, "must be text"),
)

RULES = [
    Rule(
        ViberTemplateStep, STEP, "sender_info_tracking_id", "senderInfoTrackingId", NON_EMPTY_TEXTS, NOT_NON_EMPTY_TEXTS
    ),
    Rule(ViberTemplateStep, STEP, "to", "to", NUMBERS, NOT_NUMBERS),
    Rule(ViberTemplateStep, STEP, "template_id", "templateId", TEMPLATE_IDS, NOT_TEMPLATE_IDS),
    Rule(ViberTemplateStep, STEP, "template_lang", "templateLang", ("en", "en-GB", "zu"), NOT_NON_EMPTY_TEXTS),
    Rule(
        ViberTemplateStep,
        STEP,
        "template_params",
        "templateParams",
        ({"customer_name": "Ada", "a.b": 1, "": None, "list": [1.5, {"x": True}]},),
        (
            Bad({"x": float("nan")}, "finite", ("x",)),
            Bad({"x": "\ud800"}, "surrogate", ("x",)),
            Bad({"x": [b""]}, "JSON cannot represent", ("x", 0)),
            Bad({5: 1}, "text for keys"),
            Bad([["x", 1]], "must be a mapping, not a list"),
            Bad("x", "must be a mapping, not text"),
        ),
    ),
    Rule(
        ViberTemplateStep,
        STEP,
        "delivery_scope",
        "deliveryScope",
        ("PRIMARY_DEVICE", "ALL_DEVICES"),
        (Bad("PRIMARY_ONLY", "must be"), Bad("all_devices", "must be"), Bad(1, "must be")),
    ),
    Rule(ViberTemplateStep, STEP, "seq", "seq", INTEGERS, NOT_INTEGERS),
    Rule(ViberTemplateStep, STEP, "ttl", "ttl", VIBER_MINUTES, NOT_VIBER_MINUTES, minutes),
    Rule(ViberTemplateStep, STEP, "inbound_url", "inboundUrl", WEB_URLS, NOT_WEB_URLS),
    failover_statuses_rule(ViberTemplateStep, STEP, "Expired", "Failed", "Undelivered", foreign="Busy"),
    *sms_rules(("flow", 1)),
    *voice_rules(("flow", 2)),
    *callback_rules(),
]


@pytest.mark.parametrize(
    "template",
    [
        BASIC_OTP,
        BASIC_OTP.upper(),
        "c2cdc028-a48b-4187-bbaf-3aaa137b6e23",
        "c33cccaf-735f-4d62-8383-a76bf4999e2d",
        "bed0942f-e07e-4879-834b-29cc4cf3ec35",
        "60d67b38-b9fb-444a-80e6-754447e010c6",
        "6c929cef-29b4-4349-bc9d-2a07bdbb6e43",
        "82ba31a3-db42-4e87-82e8-33fa92b9e5ed",
        "210ee8a9-1ed5-43cd-96e4-65bba311ab40",
        "be56d97b-2a33-4c89-ac5f-f555a2c827d9",
    ],
)
def test_otp_template_without_a_pin_is_invalid(template: str) -> None:
    """A template of the OTP inventory needs a pin among its parameters, in any spelling of its id."""
    with pytest.raises(InvalidFlow, match=r"template_params\.pin: required"):
        build(ViberTemplateStep, template_id=template, template_params={"customer_name": "Ada"})
    with pytest.raises(InvalidFlow, match=r"template_params\.pin: required"):
        build(ViberTemplateStep, template_id=template)
    (problem,) = problems_of("transactional", changed(TRANSACTIONAL, (*STEP, "templateId"), template))
    assert problem.startswith("flow[0].templateParams.pin: required")
    step = build(ViberTemplateStep, template_id=template, template_params={"pin": "847291"})
    assert step.template_params["pin"] == "847291"


def test_own_template_without_params_is_accepted() -> None:
    """Which parameters an own template needs is known to Routee only, so they may be omitted."""
    sample = without(TRANSACTIONAL, (*STEP, "templateParams"))
    assert dump_flow(load_flow("transactional", sample)) == sample


@pytest.mark.parametrize("key", ["message", "label"])
@pytest.mark.parametrize("extra", ["refuse", "keep"])
def test_free_content_is_invalid_on_a_transactional_flow(key: str, extra: str) -> None:
    """A message and a label on a Viber step are a documented 400 here; the error names the flow that accepts them."""
    (problem,) = problems_of("transactional", changed(TRANSACTIONAL, (*STEP, key), "x"), extra=extra)
    assert problem.startswith(f"flow[0].{key}: ")
    assert "StandardFlow" in problem
    with pytest.raises(InvalidFlow, match=rf"extra\.{key}: .*StandardFlow"):
        build(ViberTemplateStep, extra={key: "x"})


def test_expire_on_delivery_is_sent_as_extra() -> None:
    """Whether this endpoint accepts `expireOnDelivery` is not documented; it can be sent as an extra."""
    flow = TransactionalFlow(steps=[build(ViberTemplateStep, extra={"expireOnDelivery": True})])
    assert dump_flow(flow)["flow"][0]["expireOnDelivery"] is True


def test_flow_built_from_keywords_is_dumped_as_documented() -> None:
    """A flow built from keywords is the JSON that Routee documents, with positions as `order` and no other keys."""
    flow = TransactionalFlow(steps=[build(ViberTemplateStep)])
    step = {"type": "Viber", "order": 1, "senderInfoTrackingId": SENDER, "to": PHONE}
    assert dump_flow(flow) == {"flow": [{**step, "templateId": OWN_TEMPLATE, "templateLang": "en"}]}
