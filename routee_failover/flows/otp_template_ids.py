"""The nine public templates of Viber one-time passwords (https://docs.routee.net/docs/templates-inventory)."""

from collections.abc import Mapping
from enum import StrEnum


class OtpTemplateId(StrEnum):
    """Ids of the templates that Routee documents, each with the parameters that it requires.

    A member is text: `ViberOtpMessage(template_id=OtpTemplateId.BASIC, ...)`. Other templates have other ids, which
    `RouteeClient.otp_templates` lists.
    """

    BASIC = "0aac888f-2ee2-4112-9659-1755a951966a"
    BASIC_5_MINUTES = "c2cdc028-a48b-4187-bbaf-3aaa137b6e23"
    BUSINESS_NAME = "c33cccaf-735f-4d62-8383-a76bf4999e2d"
    VALIDITY_TIME = "bed0942f-e07e-4879-834b-29cc4cf3ec35"
    TYPE_AND_VALIDITY_TIME = "60d67b38-b9fb-444a-80e6-754447e010c6"
    BUSINESS_NAME_AND_VALIDITY_TIME = "6c929cef-29b4-4349-bc9d-2a07bdbb6e43"
    TYPE = "82ba31a3-db42-4e87-82e8-33fa92b9e5ed"
    ACTION = "210ee8a9-1ed5-43cd-96e4-65bba311ab40"
    BUSINESS_NAME_AND_REASON = "be56d97b-2a33-4c89-ac5f-f555a2c827d9"

    @property
    def description(self) -> str:
        """The name of the template in Routee's inventory."""
        return _INVENTORY[self][0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The keys that `ViberOtpMessage.template_params` needs, in the order of the inventory.

        Of a `ViberOtpStep`, Routee documents `pin` and `business_name` alone; it publishes no names for the others.
        """
        return _INVENTORY[self][1]


_INVENTORY: Mapping[str, tuple[str, tuple[str, ...]]] = {
    OtpTemplateId.BASIC: ("Basic OTP", ("pin",)),
    OtpTemplateId.BASIC_5_MINUTES: ("Basic OTP valid for 5 minutes", ("pin",)),
    OtpTemplateId.BUSINESS_NAME: ("Business/platform name", ("pin", "businessPlatformName")),
    OtpTemplateId.VALIDITY_TIME: ("Code validity time", ("pin", "codeValidityTime")),
    OtpTemplateId.TYPE_AND_VALIDITY_TIME: ("Code type & validity time", ("pin", "pinType", "codeValidityTime")),
    OtpTemplateId.BUSINESS_NAME_AND_VALIDITY_TIME: (
        "Business name & validity time",
        ("pin", "businessPlatformName", "codeValidityTime"),
    ),
    OtpTemplateId.TYPE: ("Type of code", ("pin", "pinType")),
    OtpTemplateId.ACTION: ("OTP action/platform", ("pin", "businessPlatformActionName")),
    OtpTemplateId.BUSINESS_NAME_AND_REASON: (
        "Business name & code reason",
        ("pin", "businessPlatformName", "codeReason"),
    ),
}
_BY_ID = {str(template): template for template in OtpTemplateId}


def find_otp_template(template_id: str | None) -> OtpTemplateId | None:
    """Return the public template with an id, in either letter case; `None` for any other id."""
    return None if template_id is None else _BY_ID.get(template_id.lower())
