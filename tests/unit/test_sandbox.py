"""The sandbox refuses what the providers refuse."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.behaviour import Behaviour, combine
from sandbox.domain.acs3 import BadSignature, check
from sandbox.domain.checks import Refusal, fill_card, fill_sms
from services.notify.channels.alibaba import EMPTY, encode_query, signature

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def signed(at: datetime = NOW, **changed: str) -> dict[str, Any]:
    query = {"PhoneNumbers": "19900000016", "TemplateParam": '{"a": "路灯 b"}'}
    headers = {
        "host": "127.0.0.1:8000",
        "x-acs-action": "SendSms",
        "x-acs-content-sha256": EMPTY,
        "x-acs-date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": "n",
        "x-acs-version": "2017-05-25",
    }
    names = ";".join(sorted(headers))
    value = signature("secret", "POST", "/sandbox/alibaba/", query, headers)
    headers["authorization"] = f"ACS3-HMAC-SHA256 Credential=id,SignedHeaders={names},Signature={value}"
    headers |= {"accept": "*/*", "user-agent": "x"} | changed
    return {
        "method": "POST",
        "path": "/sandbox/alibaba/",
        "query": encode_query(query),
        "headers": headers,
        "body": b"",
        "key_id": "id",
        "secret": "secret",
        "now": NOW,
    }


def test_a_signature_of_ours_is_accepted() -> None:
    assert check(**signed())["PhoneNumbers"] == "19900000016"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"query": "PhoneNumbers=19900000017"}, "SignatureDoesNotMatch"),
        ({"secret": "another"}, "SignatureDoesNotMatch"),
        ({"body": b"x"}, "SignatureDoesNotMatch"),
        ({"key_id": "another"}, "InvalidAccessKeyId.NotFound"),
        ({"now": NOW + timedelta(minutes=16)}, "InvalidTimeStamp.Expired"),
        ({"headers": {}}, "MissingAuthorization"),
    ],
)
def test_anything_else_is_not(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(BadSignature) as refused:
        check(**(signed() | changed))
    assert refused.value.code == code


def test_a_header_that_should_be_signed_and_is_not_is_refused() -> None:
    with pytest.raises(BadSignature):
        check(**signed(**{"x-acs-security-token": "t"}))


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("{}", "isv.TEMPLATE_MISSING_PARAMETERS"),
        ("no", "isv.INVALID_JSON_PARAM"),
        ("[]", "isv.INVALID_JSON_PARAM"),
        ('{"a": "http://x"}', "isv.PARAM_NOT_SUPPORT_URL"),
        ('{"a": "%s"}' % ("长" * 36), "isv.PARAM_LENGTH_LIMIT"),
        ('{"a": "维权"}', "isv.BLACK_KEY_CONTROL_LIMIT"),
    ],
)
def test_texts_are_refused_as_the_provider_does(parameters: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        fill_sms("你好${a}", parameters)
    assert refused.value.code == code


def test_cards_are_refused_when_a_value_is_too_long_or_missing() -> None:
    assert fill_card("x：{{thing1.DATA}}", {"thing1": {"value": "好"}}) == ({"thing1": "好"}, "x：好")
    for data in ({}, {"thing1": {"value": "长" * 21}}, {"thing1": {"value": ""}}):
        with pytest.raises(Refusal):
            fill_card("x：{{thing1.DATA}}", data)


def test_several_rules_are_one_behaviour() -> None:
    assert combine([]) == Behaviour()
    told = combine([("slow", 2.0, None), ("double_receipts", None, None), ("fail_receipt", None, None)])
    assert told == Behaviour(slow=2.0, receipts=2, failed="MOBILE_NOT_ON_SERVICE")
    assert told.state == "failed"
