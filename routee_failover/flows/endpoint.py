"""The four send APIs by name (https://docs.routee.net/docs/failover-endpoints)."""

from enum import StrEnum


class Endpoint(StrEnum):
    """Which of Routee's send APIs a flow belongs to; its text is accepted wherever a member is."""

    STANDARD = "standard"
    TRANSACTIONAL = "transactional"
    OTP = "otp"
    VIBER_OTP = "viber-otp"
