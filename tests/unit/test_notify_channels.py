"""Signatures as the providers publish them, and what they send us."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.domain.safe import encrypt
from services.notify.callbacks import BadCallback, read_alibaba, read_encrypted, read_wechat, read_wecom
from services.notify.channels.alibaba import EMPTY, encode_query, signature
from services.notify.channels.safe import Unsafe, callback_signature, check_signature, decrypt
from services.notify.commands import Receipt
from services.notify.replies import Click, Inbound


def test_acs3_signs_as_the_published_example() -> None:
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": EMPTY,
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    query = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
    signed = signature("YourAccessKeySecret", "POST", "/", query, headers)
    assert signed == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


def test_a_query_is_encoded_as_rfc_3986_wants_it() -> None:
    assert encode_query({"b": "a b*~", "a": "中/"}) == "a=%E4%B8%AD%2F&b=a%20b%2A~"


def test_wechat_signs_callbacks_as_the_published_example() -> None:
    assert callback_signature("AAAAA", "1714037059", "486452656") == "899cf89e464efb63f54ddac96b0a0a235f53aa78"


def test_receipts_and_inbound_texts_of_alibaba_are_read() -> None:
    message = UUID(int=7)
    body = (
        b'[{"phone_number":"19900000016","biz_id":"1","out_id":"%s","success":false,"err_code":"X"},'
        b'{"phone_number":"19900000016","content":"1","sequence_id":5}]'
    ) % str(message).encode()
    assert read_alibaba(body) == [
        Receipt("alibaba", "1", False, "X", message),
        Inbound("alibaba", "5", "19900000016", "1"),
    ]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"biz_id":"1"}]', b"\xff", b"null"])
def test_junk_is_refused(body: bytes) -> None:
    with pytest.raises(BadCallback):
        read_alibaba(body)


def test_the_end_of_a_wechat_send_is_a_receipt() -> None:
    xml = b"<xml><Event>TEMPLATESENDJOBFINISH</Event><MsgID>9</MsgID><Status><![CDATA[success]]></Status></xml>"
    assert read_wechat(xml) == [Receipt("wechat", "9", True, "success")]
    assert read_wechat(xml.replace(b"success", b"failed:user block"))[0].delivered is False
    assert read_wechat(b"<xml><Event>subscribe</Event></xml>") == []


@pytest.mark.parametrize("body", [b"", b"<xml>", b'<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>'])
def test_xml_that_is_none_or_expands_is_refused(body: bytes) -> None:
    with pytest.raises(BadCallback):
        read_wechat(body)


# -- encrypted callbacks -----------------------------------------------------------------------------------
SAFE_MODE = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8X"
    "GT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIj"
    "df8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)
ECHO = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
WECOM_KEY, CORP = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7"


def test_wechat_s_safe_mode_is_read_as_the_published_example() -> None:
    signed = callback_signature("AAAAA", "1714112445", "415670741", SAFE_MODE)
    assert signed == "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"
    plain = decrypt("A" * 43, "wxba5fad812f8e6fb9", SAFE_MODE)
    assert b"debug_demo" in plain


def test_wecom_s_question_is_answered_as_the_published_example() -> None:
    signed = callback_signature("QDG6eK", "1409659589", "263014780", ECHO)
    assert signed == "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
    check_signature(signed, "QDG6eK", "1409659589", "263014780", ECHO)
    assert decrypt(WECOM_KEY, CORP, ECHO) == b"1616140317555161061"


@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16), st.text(max_size=20))
def test_what_wecom_encrypts_is_read_again(message: bytes, noise: bytes, receiver: str) -> None:
    assert decrypt(WECOM_KEY, receiver, encrypt(WECOM_KEY, receiver, message, noise)) == message


@given(st.text(max_size=200))
def test_what_nobody_encrypted_for_us_is_refused(text: str) -> None:
    with pytest.raises(Unsafe):
        decrypt(WECOM_KEY, CORP, text)


def test_another_s_callback_is_refused() -> None:
    for key, receiver in (("A" * 43, CORP), (WECOM_KEY, "somebody else")):
        with pytest.raises(Unsafe):
            decrypt(key, receiver, ECHO)
    with pytest.raises(Unsafe):
        check_signature("5c45", "QDG6eK", "1409659589", "263014780", ECHO)


def test_a_pressed_button_is_read_and_other_events_are_not() -> None:
    xml = (
        b"<xml><FromUserName>wecom030</FromUserName><Event>template_card_event</Event><EventKey>report_in</EventKey>"
        b"<TaskId>t</TaskId><ResponseCode>c</ResponseCode></xml>"
    )
    assert read_wecom(xml) == Click("wecom030", "t", "report_in", "c")
    assert read_wecom(xml.replace(b"template_card_event", b"enter_agent")) is None
    assert read_encrypted(b"<xml><Encrypt>abc</Encrypt></xml>") == "abc"
