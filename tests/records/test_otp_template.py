"""OTP templates from responses of any shape, because no public page shows one."""

from typing import Any

import pytest

from routee_failover.flows import OtpTemplateId, ViberOtpMessage
from routee_failover.records.otp_template import OtpTemplate, read_otp_templates

BASIC, ACTION = OtpTemplateId.BASIC.value, OtpTemplateId.ACTION.value
FIRST = {"templateId": BASIC, "templateType": "basic", "tomorrow": [1]}
SECOND = {"templateId": ACTION}


@pytest.mark.parametrize(
    ("response", "ids"),
    [
        ([FIRST, SECOND], [BASIC, ACTION]),
        ([{"key": BASIC.upper(), "name": "Basic"}], [BASIC.upper()]),
        ([{"one": BASIC, "other": ACTION}], [None]),
        ([{"templateId": 5}, {}], ["5", None]),
        ([BASIC, ACTION], [BASIC, ACTION]),
        ([None, 5, "words", [FIRST], FIRST], [BASIC]),
        ({"anything": [FIRST, SECOND], "total": 2}, [BASIC, ACTION]),
        ({"viber": [FIRST], "others": [SECOND]}, [BASIC, ACTION]),
        ({"ids": [BASIC]}, [BASIC]),
        (FIRST, [BASIC]),
        ({"templateId": BASIC, "languages": ["en"]}, [BASIC]),
        ({"something": "else"}, [None]),
        ({"templates": [], "total": 0}, []),
        ({"templates": [], "languages": ["en"]}, []),
        ({}, []),
        ([], []),
    ],
    ids=str,
)
def test_templates_are_found_in_a_response_of_any_shape(response: Any, ids: list[str | None]) -> None:
    """Templates are read from a list, from an object with a list, and from one object; nothing raises."""
    assert [template.template_id for template in read_otp_templates(response)] == ids


def test_template_keeps_what_is_unknown() -> None:
    """A key that Routee does not document is in `raw`."""
    (template,) = read_otp_templates([FIRST])
    assert (template.template_type, template.raw) == ("basic", FIRST)
    assert OtpTemplate.from_dict({"templateType": None}).template_type is None


@pytest.mark.parametrize("template", OtpTemplateId)
def test_public_template_is_usable_with_its_parameters(template: OtpTemplateId) -> None:
    """A constant is the id of its template, and a message with its parameters is valid; without one it is not."""
    values: dict[str, Any] = dict.fromkeys(template.parameters, "text") | {"pin": "123456"}
    if "codeValidityTime" in values:
        values["codeValidityTime"] = 5
    message = ViberOtpMessage(
        sender_info_tracking_id="my-sender", to="+306912345678", template_id=template, template_params=values
    )
    assert message.template_id == template.value
    assert OtpTemplateId(template.value) is template
    assert template.description
    for missing in values:
        rest = {name: value for name, value in values.items() if name != missing}
        with pytest.raises(ValueError, match=f"template_params.{missing}: required by this template"):
            ViberOtpMessage(
                sender_info_tracking_id="my-sender", to="+306912345678", template_id=template, template_params=rest
            )
