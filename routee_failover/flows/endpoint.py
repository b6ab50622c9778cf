"""Names of the four send APIs (https://docs.routee.net/docs/failover-endpoints)."""

from enum import StrEnum


class Endpoint(StrEnum):
    """Send API that a flow belongs to; the plain text is accepted wherever a member is."""

    STANDARD = "standard"
    TRANSACTIONAL = "transactional"
    OTP = "otp"
    VIBER_OTP = "viber-otp"
