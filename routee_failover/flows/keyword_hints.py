"""Hints for keywords and keys that a class does not have: what people guess, and where a text goes instead."""

from collections.abc import Collection, Mapping

_MEANT: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("text", "body", "content", "message"), ("message", "text", "body")),
    **dict.fromkeys(("from", "sender", "sender_id", "source"), ("from_", "sender_info_tracking_id")),
    **dict.fromkeys(
        ("recipient", "number", "phone", "phone_number", "msisdn", "mobile", "destination"), ("to", "phone")
    ),
    **dict.fromkeys(("code", "otp", "password", "token"), ("pin",)),
    **dict.fromkeys(("flow", "messages", "step"), ("steps",)),
    **dict.fromkeys(("timeout", "validity", "expiry", "deadline"), ("ttl",)),
    **dict.fromkeys(("callback_url", "webhook"), ("callback",)),
    **dict.fromkeys(("template", "template_name"), ("template_id",)),
    **dict.fromkeys(("params", "parameters", "variables"), ("template_params", "template_fields")),
    **dict.fromkeys(("tracking_id", "tag", "reference"), ("label",)),
}
"""Guessed keywords, each with the fields that it may mean."""
_TEXT_KEYWORDS = frozenset({"text", "body", "content", "message"})
_OF_TEMPLATE = "the text is that of the template: give "
_TEXT_OF: Mapping[str, tuple[str, str]] = {
    "VoiceStep": (
        'dial_plan=DialPlan(verbs=[Say(message=Speech(text="...", language="..."))]) holds the text of a call',
        "dialPlan.verbs[0].message.text, of a verb with the type SAY, is the text of a call",
    ),
    "DialPlan": (
        'verbs=[Say(message=Speech(text="...", language="..."))] holds the text',
        "verbs[0].message.text, of a verb with the type SAY, is the text",
    ),
    "ViberTemplateStep": (
        f"{_OF_TEMPLATE}template_id, template_lang and template_params",
        f"{_OF_TEMPLATE}templateId, templateLang and templateParams",
    ),
    "ViberOtpStep": (f"{_OF_TEMPLATE}template_id and pin", f"{_OF_TEMPLATE}templateId and pin"),
    "ViberOtpMessage": (
        f"{_OF_TEMPLATE}template_id and template_params",
        f"{_OF_TEMPLATE}templateId and templateParams",
    ),
    "StandardFlow": ("each step has a text of its own", "each step has a text of its own"),
    "TransactionalFlow": ("each step has a text of its own", "each step has a text of its own"),
    "OtpFlow": ("each step has a text of its own", "each step has a text of its own"),
}
"""Where the text goes in classes that have no field for it: as keywords of Python, and as keys of Routee's JSON."""
_WITHOUT_FIELD: Mapping[str, str] = {
    "order": "the order of the steps is their position in steps",
    "type": "the class says the type",
}


def keyword_hint(class_name: str, keyword: str, fields: Mapping[str, str]) -> str | None:
    """Return what to give instead of an unknown keyword; `fields` maps Routee's name of each field to Python's."""
    if keyword in _TEXT_KEYWORDS and class_name in _TEXT_OF:
        return _TEXT_OF[class_name][0]
    if keyword == "ttl":
        return "such a step has no ttl" if class_name == "VoiceStep" else "the ttl is that of each step"
    meant = _similar(keyword, {**fields, **{name: name for name in fields.values()}})
    if meant is not None:
        return f"did you mean {meant}?"
    return _WITHOUT_FIELD.get(keyword)


def key_hint(class_name: str, key: str, keys: Collection[str]) -> str | None:
    """Return what to give instead of an unknown key of Routee's JSON, if that is known."""
    if key in _TEXT_KEYWORDS and class_name in _TEXT_OF:
        return _TEXT_OF[class_name][1]
    meant = _similar(key, {name: name for name in keys})
    return None if meant is None else f"did you mean {meant}?"


def _similar(name: str, names: Mapping[str, str]) -> str | None:
    import difflib  # noqa: PLC0415  # needed for misspelled names only

    if name in names:
        return names[name]
    for meant in _MEANT.get(name, ()):
        if meant in names:
            return names[meant]
    close = difflib.get_close_matches(name, names, n=1)
    return names[close[0]] if close else None
