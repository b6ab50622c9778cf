"""Hypothesis strategies for every class of a flow: all that Routee's pages document, up to each limit."""

from datetime import timedelta
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st

from routee_failover.flows import (
    AnyFlow,
    Callback,
    DialPlan,
    MachineDetection,
    OtpFlow,
    OtpSmsStep,
    Play,
    Say,
    SmsMessage,
    SmsStep,
    Speech,
    StandardFlow,
    TransactionalFlow,
    UrlShortener,
    ViberAction,
    ViberFile,
    ViberMessage,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    ViberVideo,
    VoiceRecipient,
    VoiceStep,
)

Strategy = st.SearchStrategy[Any]
"""Strategies of keyword arguments are looked up by name, so that they are untyped here."""


few = settings(max_examples=settings().max_examples // 3)
"""Settings for properties of whole flows, which are slow to draw; a thorough profile runs many."""


def _built(cls: type[Any], required: dict[str, Strategy], **optional: Strategy) -> Strategy:
    """Objects of a class, with each optional argument present or omitted."""
    optional.setdefault("extra", extras)
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: cls(**given))


def _texts(min_length: int = 0, max_length: int | None = None) -> st.SearchStrategy[str]:
    """Text of any alphabet; if there is a maximum, often of exactly that length."""
    if max_length is None:
        return st.text(min_size=min_length)
    full = st.characters(codec="utf-8").map(lambda letter: letter * max_length)
    return st.text(min_size=min_length, max_size=min(max_length, 40)) | full


def one_of_words(listing: str) -> st.SearchStrategy[str]:
    """One of the documented words of a list that is separated by blanks."""
    return st.sampled_from(listing.split())


json_values: Strategy = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
foreign_names = st.text(max_size=20).map("x-".__add__)
"""Names that no page of Routee's documents."""
extras = st.dictionaries(foreign_names, json_values, min_size=1, max_size=2)

numbers = st.builds("+{}{}".format, one_of_words("1 2 3 4 5 6 7 8 9"), st.text("0123456789", min_size=6, max_size=14))
"""E.164 with its plus: 7 to 15 digits."""
senders = _texts(1)
sender_ids = st.text("0123456789", min_size=1, max_size=16) | st.text(
    st.characters(categories=["Lu", "Ll", "Lo", "Nd"], include_characters=" "), min_size=1, max_size=11
).filter(lambda name: bool(name.strip(" ")))
uuids = st.uuids().map(str) | st.uuids().map(lambda uuid: str(uuid).upper())
_paths = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20)
_hosts = one_of_words("example.test EXAMPLE.test:8443 127.0.0.1 [::1] user@example.test xn--kxae4bafwg.test")


def _urls(schemes: str, max_length: int | None = None) -> st.SearchStrategy[str]:
    usual = st.builds("{}://{}/{}".format, one_of_words(schemes), _hosts, _paths)
    return usual if max_length is None else usual | usual.map(lambda url: url + "a" * (max_length - len(url)))


web_urls = _urls("https http HTTPS Http")
secure_urls = _urls("https HTTPS", 1000)
any_urls = _urls("https http viber ftp", 1000) | one_of_words("tel:+306900000001 mailto:a@example.test")
booleans = st.booleans()
labels = _texts(max_length=350)
whole_numbers = st.integers(-(2**63), 2**63 - 1)
sms_minutes = st.integers(1, 1440).map(lambda count: timedelta(minutes=count))
viber_minutes = st.integers(5, 14400).map(lambda tenths: timedelta(seconds=6 * tenths))
otp_seconds = st.integers(0, 10**10).map(lambda count: timedelta(seconds=count))


def _status_lists(listing: str) -> Strategy:
    spellings = one_of_words(listing).flatmap(
        lambda word: st.sampled_from([word, word.upper(), word.lower(), word.swapcase()])
    )
    return st.lists(spellings, max_size=4) | st.lists(spellings, max_size=4).map(tuple)


shorteners = _built(
    UrlShortener, {}, url_validity=st.integers(3600, 2_592_000).map(lambda count: timedelta(seconds=count))
)
sms_messages = _built(
    SmsMessage, {"body": _texts(1)}, flash=booleans, label=labels, transcode=booleans, url_shortener=shorteners
)
sms_steps = _built(
    SmsStep,
    {"from_": sender_ids, "to": numbers, "message": sms_messages | _texts(1)},
    ttl=sms_minutes,
    failover_on_statuses=_status_lists("Undelivered Failed"),
)

_languages = one_of_words("en-US de-DE fr-FR it-IT pt-BR es-ES es-LA en-GB el-GR bg-BG pl-PL hu-HU sv-SE ru-RU")
_repeats = st.integers(-1, 2**63 - 1)
speeches = _built(Speech, {"text": _texts(1), "language": _languages}, gender=one_of_words("male female"))
says = _built(Say, {"message": speeches}, repeat=_repeats, barge_in=booleans)
plays = _built(Play, {"file_url": web_urls}, repeat=_repeats, barge_in=booleans)
dial_plans = _built(DialPlan, {"verbs": st.lists(says | plays, min_size=1, max_size=3)})
detections = _built(MachineDetection, {"strategy": one_of_words("Hangup Continue")}) | _built(
    MachineDetection, {"strategy": st.just("Continue")}, event_url=web_urls
)
_sips = st.text(min_size=1).filter(lambda text: bool(text.strip()))
voice_recipients = st.one_of(
    numbers,
    _built(VoiceRecipient, {"phone": numbers}, viber=numbers, sip=_sips),
    _built(VoiceRecipient, {"viber": numbers}, sip=_sips),
    _built(VoiceRecipient, {"sip": _sips}),
)
voice_steps = _built(
    VoiceStep,
    {"from_": _texts(1), "to": voice_recipients, "dial_plan": dial_plans},
    machine_detection=detections,
    failover_on_statuses=_status_lists("Completed Busy NoAnswer Failed Unsent Terminated"),
)

_file_types = one_of_words(
    "doc docx rtf dot dotx odt odf fodt txt info pdf xps pdax eps xls xlsx ods fods csv xlsm xltx"
)
actions = _built(ViberAction, {}, caption=_texts(1, 30), target_url=any_urls)
files = _built(ViberFile, {}, file_name=_texts(max_length=25), file_type=_file_types, file_url=secure_urls)
_sizes = st.integers(1, 200) | st.floats(0, 200, exclude_min=True)
_durations = st.integers(1, 600) | st.floats(0, 600, exclude_min=True)
videos = _built(
    ViberVideo,
    {"video_url": secure_urls, "video_thumbnail": secure_urls, "file_size": _sizes, "duration": _durations},
)
viber_messages = _built(
    ViberMessage,
    {},
    text=_texts(max_length=1000),
    image_url=secure_urls,
    action=actions,
    viber_file=files,
    viber_video=videos,
)
viber_steps = _built(
    ViberStep,
    {"sender_info_tracking_id": senders, "to": numbers, "message": viber_messages | _texts(max_length=1000)},
    ttl=viber_minutes,
    expire_on_delivery=booleans,
    inbound_url=web_urls,
    label=labels,
    failover_on_statuses=_status_lists("Expired Failed Undelivered"),
)

PARAMETERS = {
    "0aac888f-2ee2-4112-9659-1755a951966a": "pin",
    "c2cdc028-a48b-4187-bbaf-3aaa137b6e23": "pin",
    "c33cccaf-735f-4d62-8383-a76bf4999e2d": "pin businessPlatformName",
    "bed0942f-e07e-4879-834b-29cc4cf3ec35": "pin codeValidityTime",
    "60d67b38-b9fb-444a-80e6-754447e010c6": "pin pinType codeValidityTime",
    "6c929cef-29b4-4349-bc9d-2a07bdbb6e43": "pin businessPlatformName codeValidityTime",
    "82ba31a3-db42-4e87-82e8-33fa92b9e5ed": "pin pinType",
    "210ee8a9-1ed5-43cd-96e4-65bba311ab40": "pin businessPlatformActionName",
    "be56d97b-2a33-4c89-ac5f-f555a2c827d9": "pin businessPlatformName codeReason",
}
"""Routee's inventory of Viber OTP templates, each with the parameters that it requires."""

pins = st.text(min_size=4, max_size=10)
_linkless = _texts(1, 50).filter(lambda text: "://" not in text and "www." not in text.lower())
_params: dict[str, Strategy] = dict.fromkeys(
    ("pin", "businessPlatformName", "pinType", "businessPlatformActionName", "codeReason"), _linkless
) | {"codeValidityTime": st.integers(0, 10**50 - 1)}


def _template(template: str) -> Strategy:
    """A template of the inventory with its required parameters and some optional ones."""
    required = PARAMETERS[template].split()
    optional = {name: values for name, values in _params.items() if name not in required}
    params = st.fixed_dictionaries({name: _params[name] for name in required}, optional=optional)
    return st.tuples(st.sampled_from([template, template.upper()]), params)


own_params = st.dictionaries(st.text(max_size=20), json_values, max_size=3)
own_templates: Strategy = st.tuples(uuids, own_params)
inventory: Strategy = st.sampled_from(sorted(PARAMETERS)).flatmap(_template)

_template_steps: Strategy = _built(
    ViberTemplateStep,
    {"sender_info_tracking_id": senders, "to": numbers, "template_id": uuids, "template_lang": _texts(1)},
    delivery_scope=one_of_words("PRIMARY_DEVICE ALL_DEVICES"),
    seq=whole_numbers,
    ttl=viber_minutes,
    inbound_url=web_urls,
    failover_on_statuses=_status_lists("Expired Failed Undelivered"),
)


def _with_template(step: ViberTemplateStep, template: tuple[str, dict[str, Any]]) -> ViberTemplateStep:
    template_id, params = template
    if "codeValidityTime" in params:
        params = {**params, "codeValidityTime": params["codeValidityTime"] % 2**63}
    return attrs.evolve(step, template_id=template_id, template_params=params)


template_steps: Strategy = st.builds(_with_template, _template_steps, own_templates | inventory)

_types = st.sampled_from(["basic", "basic_5min", "with_type", "with_action"]) | foreign_names
_otp_extras = st.dictionaries(
    foreign_names, json_values.filter(lambda v: not isinstance(v, str | bool)), min_size=1, max_size=2
)
_names = st.text(max_size=20).map("some-field-".__add__)
_fields = st.dictionaries(_names, st.text(), min_size=1, max_size=3)
_switches = st.dictionaries(_names, st.text() | booleans, min_size=1, max_size=3)
_viber_otp: dict[str, Strategy] = {
    "sender_info_tracking_id": senders,
    "to": numbers,
    "template_id": uuids,
    "pin": pins,
    "ttl": otp_seconds,
}
_named = {"template_type": one_of_words("with_business_name with_reason"), "business_name": _texts(1)}
_valid = {"template_type": one_of_words("with_validity with_type_and_validity"), "template_fields": _fields}
_both = {**_named, **_valid, "template_type": st.just("with_business_and_validity_hours")}
viber_otp_steps: Strategy = st.one_of(
    _built(
        ViberOtpStep,
        _viber_otp,
        template_type=_types,
        business_name=_texts(1),
        label=_texts(),
        language=_texts(1),
        template_fields=_switches,
        extra=_otp_extras,
    ),
    *(
        _built(ViberOtpStep, {**_viber_otp, **more}, label=_texts(), extra=_otp_extras)
        for more in (_named, _valid, _both)
    ),
)
otp_sms_steps = _built(
    OtpSmsStep,
    {"to": numbers, "message": sms_messages | _texts(1), "ttl": otp_seconds},
    from_=sender_ids,
    label=_texts(),
)

callbacks = _built(Callback, {"url": web_urls}, strategy=one_of_words("OnStep OnCompletion"))
otp_callbacks = _built(Callback, {"url": web_urls})


def _flows(cls: type[Any], steps: Strategy, callback: Strategy) -> Strategy:
    more: dict[str, Strategy] = (
        {"extra": st.just({})} if cls is TransactionalFlow else {}
    )  # whose body has nothing besides
    return _built(cls, {"steps": st.lists(steps, min_size=1, max_size=3)}, callback=callback, **more)


standard_flows: st.SearchStrategy[StandardFlow] = _flows(StandardFlow, viber_steps | sms_steps | voice_steps, callbacks)
transactional_flows: st.SearchStrategy[TransactionalFlow] = _flows(
    TransactionalFlow, template_steps | sms_steps | voice_steps, callbacks
)
otp_flows: st.SearchStrategy[OtpFlow] = _flows(OtpFlow, viber_otp_steps | otp_sms_steps, otp_callbacks)


def _viber_otps(template: tuple[str, dict[str, Any]] | None) -> Strategy:
    optional: dict[str, Strategy] = {
        "ttl": otp_seconds,
        "seq": whole_numbers,
        "label": one_of_words("transactional promotional"),
        "type": one_of_words("PRIMARY_ONLY ALL_DEVICE"),
        "template_lang": one_of_words(
            "ar be bg br cs da de el en es fa fi fr he hi hr id it ja ko my nl pl pt ru sk sr sv th tr uk vi"
        )
        | _texts(1),
    }
    required: dict[str, Strategy] = {"sender_info_tracking_id": senders, "to": numbers}
    if template is not None:
        required |= {"template_id": st.just(template[0]), "template_params": st.just(template[1])}
    return _built(ViberOtpMessage, required, **optional)


_other_params = st.dictionaries(foreign_names, json_values, max_size=2)
_other_templates = st.tuples(_texts(1), _other_params)
viber_otp_messages: st.SearchStrategy[ViberOtpMessage] = (st.none() | inventory | _other_templates).flatmap(_viber_otps)

flows: st.SearchStrategy[AnyFlow] = standard_flows | transactional_flows | otp_flows | viber_otp_messages
FLOWS: dict[str, st.SearchStrategy[AnyFlow]] = {
    "standard": standard_flows,
    "transactional": transactional_flows,
    "otp": otp_flows,
    "viber-otp": viber_otp_messages,
}
