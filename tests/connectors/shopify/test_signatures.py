"""Signatures: the platform's vectors, both encodings of its own libraries, and everything forged refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.shopify.signatures import is_callback, is_webhook

SECRET = "hush"
BODY = '{"id":820982911946154508,"test":false,"total_price":"403.00","note":"café"}'.encode()
SIGNATURE = "OAOuESw2L1DoqjhnNmRnSa9x5vSWw8GwUAL2TPe4e2I="

PLAIN = (
    "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com&state=0.6784241404160823&timestamp=1337178173"
)
PLAIN_HMAC = "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf"
HOSTED = (
    "code=0907a61c0c8d55e99db179b68161bc00&host=YWRtaW4uc2hvcGlmeS5jb20vc3RvcmUvc29tZS1zaG9w"
    "&shop=some-shop.myshopify.com&state=a1b2c3d4e5f6&timestamp=1763683200"
)
HOSTED_HMAC = "8df2926e3b65ccacae8794ecad2ab4260b312449e9da351a7695211838050e8c"
PADDED = (
    "code=c&host=c29tZS1zaG9wLm15c2hvcGlmeS5jb20vYWRtaW4%3D&shop=some-shop.myshopify.com&state=x&timestamp=1763683200"
)
VECTORS = [
    (PLAIN, PLAIN_HMAC),
    (HOSTED, HOSTED_HMAC),
    (PADDED, "e40e80280ed2ea2b9997ad45d14dac723c7d54b1110f9983499880a661a9e111"),
    (PADDED, "822bab71e93217d7c3ab7ca84b7e74d787542dc960b4873dd0bcafe96ddbe5d4"),
]


def signed(message: str) -> str:
    return hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()


def test_the_vector_of_a_webhook_holds() -> None:
    assert is_webhook(BODY, SIGNATURE, [SECRET])


def test_the_old_secret_is_good_beside_the_new_one() -> None:
    assert is_webhook(BODY, SIGNATURE, ["a-new-secret", SECRET])
    assert not is_webhook(BODY, SIGNATURE, ["a-new-secret"])


@pytest.mark.parametrize(
    "signature", ["", "é", SIGNATURE[:-1], SIGNATURE.lower(), SIGNATURE + "=", " " + SIGNATURE, "\udc80"]
)
def test_a_signature_that_is_not_exactly_right_is_none(signature: str) -> None:
    assert not is_webhook(BODY, signature, [SECRET])


def test_a_body_is_signed_as_bytes() -> None:
    assert not is_webhook(BODY + b" ", SIGNATURE, [SECRET])
    assert not is_webhook(BODY.decode().encode("latin-1"), SIGNATURE, [SECRET])


def test_a_secret_that_is_not_set_signs_nothing() -> None:
    empty = base64.b64encode(hmac.new(b"", BODY, hashlib.sha256).digest()).decode()
    assert not is_webhook(BODY, empty, ["", ""])
    assert not is_webhook(BODY, empty, [])


@pytest.mark.parametrize(("query", "told"), VECTORS)
def test_the_vectors_of_callbacks_hold(query: str, told: str) -> None:
    assert is_callback(f"{query}&hmac={told}", SECRET)
    assert is_callback(f"hmac={told}&signature=old&{query}", SECRET)
    assert is_callback("&".join(reversed(f"{query}&hmac={told}".split("&"))), SECRET)


@pytest.mark.parametrize(("query", "told"), VECTORS)
def test_a_changed_callback_is_refused(query: str, told: str) -> None:
    whole = f"{query}&hmac={told}"
    assert not is_callback(whole, "another-secret")
    assert not is_callback(whole, "")
    assert not is_callback(whole.replace("some-shop", "other-shop"), SECRET)
    assert not is_callback(f"{whole}&more=1", SECRET)
    assert not is_callback(whole.upper(), SECRET)
    assert not is_callback(query, SECRET)


def test_a_parameter_that_comes_twice_is_refused_whichever_was_signed() -> None:
    twice = f"{PLAIN}&shop=other.myshopify.com"
    for message in (twice, "&".join(sorted(twice.split("&")))):
        assert not is_callback(f"{twice}&hmac={signed(message)}", SECRET)
    assert not is_callback(f"{PLAIN}&hmac={PLAIN_HMAC}&hmac={PLAIN_HMAC}", SECRET)


def test_two_parameters_are_not_told_as_the_name_of_one() -> None:
    query, told = VECTORS[0]
    assert is_callback(f"{query}&hmac={told}", SECRET)
    assert not is_callback(f"{query.replace('=', '%3D', 1).replace('&', '%26', 1)}&hmac={told}", SECRET)


@pytest.mark.parametrize("message", ['ids=["1", "2"]&shop=a', "ids[]=1&ids[]=2&shop=a"])
def test_an_array_is_joined_as_either_library_does(message: str) -> None:
    assert is_callback(f"shop=a&ids%5B%5D=1&ids[]=2&hmac={signed(message)}", SECRET)


@pytest.mark.parametrize(
    "query", ["", "&", "=", "hmac=", "hmac=é", "%ff=%fe&hmac=a", "\udc80=1&hmac=\udc80", "&a=1" * 200]
)
def test_a_hostile_query_is_only_not_signed(query: str) -> None:
    assert is_callback(query, SECRET) is False


parameters = st.dictionaries(st.text("abcde_", min_size=1), st.text(max_size=20), max_size=6)


@given(pairs=parameters)
def test_what_either_encoding_signs_is_accepted_and_nothing_that_differs(pairs: dict[str, str]) -> None:
    ordered = sorted(pairs.items())
    encoded = urlencode(ordered, safe="!*'()", quote_via=quote, errors="replace")
    raw = "&".join(sorted(f"{k}={v.replace('%', '%25').replace('&', '%26')}" for k, v in ordered))
    query = urlencode(pairs, errors="replace")
    for message in (encoded, raw):
        told = hmac.new(SECRET.encode(), message.encode(errors="replace"), hashlib.sha256).hexdigest()
        assert is_callback(f"{query}&hmac={told}", SECRET)
        assert not is_callback(f"{query}&x=1&hmac={told}", SECRET)


@given(query=st.text(max_size=60), secret=st.text(max_size=5))
def test_any_text_has_an_answer(query: str, secret: str) -> None:
    assert is_callback(query, secret) is False
