"""The signatures of TikTok Shop: the official vectors, and what must and must not change them."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.tiktok_shop.signing import is_webhook, sign

OURS = {"app_key": "6a1b2c3d4e5f", "timestamp": "1732147200"}
SHOPS, JSON, SECRET = "/authorization/202309/shops", "application/json", "s3cr3t_app_secret"
SEARCH = OURS | {"shop_cipher": "ROW_TESTcipher==", "page_size": "50", "sort_field": "create_time", "sort_order": "ASC"}
WINDOW = b'{"create_time_ge":1732060800,"create_time_lt":1732147200}'
PUSH = (
    b'{"type":1,"tts_notification_id":"7380066284010030890","shop_id":"7495540735365777507","timestamp":1718305585,'
    b'"data":{"is_on_hold_order":true,"order_id":"576653688135258178","order_status":"UNPAID",'
    b'"update_time":1718305585}}'
)
PUSHED = "5dec0f11ec2f6783b8deee53c9ffbf8d024302f7c7e7fa55a35d17629031ac05"

VECTORS = [
    (
        ("e59af819cc", SHOPS, {"app_key": "29a39d", "timestamp": "1623812664"}, b"", JSON),
        "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8",
    ),
    (
        ("app_secret", "/test-api", {"foo": "bar"}, b"", ""),
        "d3cb7fe11ecae942802ceeca67e7cf10120cc12f1517d45fbc1c8cfe5413c80f",
    ),
    (
        (SECRET, "/order/202309/orders/search", SEARCH | {"access_token": "t", "sign": "old"}, WINDOW, JSON),
        "a6cc23dc80cf1a25dd70e17b7d7fc1fcc665586788ffb893427da990ee9bc3a6",
    ),
    ((SECRET, SHOPS, OURS, b"", JSON), "f5cf41fa991e3e7a06eff3acf0110b5aaff5829f088fcf885224294b36e8ab53"),
    (
        (SECRET, "/product/202309/images/upload", OURS, b"--b\r\nan image", "multipart/form-data; boundary=b"),
        "57f4e8314c762c7ce8666904ce58f68612d91fc0494f2f454e6b133ad78f72b0",
    ),
]


@pytest.mark.parametrize(("asked", "expected"), VECTORS)
def test_a_request_is_signed_as_the_reference_signs_it(
    asked: tuple[str, str, dict[str, str], bytes, str], expected: str
) -> None:
    secret, path, params, body, content_type = asked
    assert sign(path, params, body, content_type, secret) == expected


names = st.text(min_size=1, max_size=12)


@given(st.dictionaries(names, names, max_size=6), st.binary(max_size=60), st.data())
def test_a_signature_depends_on_every_parameter_and_byte_but_not_on_their_order(
    params: dict[str, str], body: bytes, data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(params.items()))))
    expected = sign("/p", params, body, JSON, SECRET)
    assert sign("/p", shuffled | {"sign": "x", "access_token": "y"}, body, JSON, SECRET) == sign(
        "/p", {name: params[name] for name in params if name not in ("sign", "access_token")}, body, JSON, SECRET
    )
    assert sign("/p", params, body + b" ", JSON, SECRET) != expected
    assert sign("/p", params | {"one more": "1"}, body, JSON, SECRET) != expected
    assert sign("/q", params, body, JSON, SECRET) != expected


def test_names_are_sorted_by_their_bytes() -> None:
    params = {"a": "1", "B": "2", "é": "3", "\U0001f600": "4", "\uffee": "5"}
    signed = "S/pB2a1é3\uffee5\U0001f6004S"
    assert sign("/p", params, b"", "", "S") == hmac.new(b"S", signed.encode(), sha256).hexdigest()


def test_the_official_push_is_genuine() -> None:
    assert is_webhook(PUSH, PUSHED, "abcdef", "123")


@pytest.mark.parametrize(
    ("body", "signature", "key", "secret"),
    [
        (PUSH + b" ", PUSHED, "abcdef", "123"),
        (json.dumps(json.loads(PUSH)).encode(), PUSHED, "abcdef", "123"),
        (PUSH, PUSHED.upper(), "abcdef", "123"),
        (PUSH, f"Bearer {PUSHED}", "abcdef", "123"),
        (PUSH, "", "abcdef", "123"),
        (PUSH, "é\udcff", "abcdef", "123"),
        (PUSH, PUSHED, "abcdeg", "123"),
        (PUSH, PUSHED, "abcdef", "124"),
        (b"", PUSHED, "abcdef", "123"),
    ],
)
def test_whatever_was_not_signed_so_is_not(body: bytes, signature: str, key: str, secret: str) -> None:
    assert not is_webhook(body, signature, key, secret)


@given(st.binary(max_size=80), st.text(max_size=80))
def test_no_signature_makes_the_check_stumble(body: bytes, signature: str) -> None:
    assert not is_webhook(body, signature, "abcdef", "123")
