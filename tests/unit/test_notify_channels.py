"""Signatures as the providers publish them, and what they send us."""

from uuid import UUID

import pytest

from services.notify.callbacks import BadCallback, read_alibaba, read_wechat
from services.notify.channels.alibaba import EMPTY, encode_query, signature
from services.notify.channels.wechat import callback_signature
from services.notify.commands import Inbound, Receipt


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
