from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from config.api_parsing import parse_object
from tests.api.partner import Partner, assert_problem
from tests.factories import House

MALFORMED = {
    "nothing": b"",
    "half an object": b"{",
    "not UTF-8": b'{"reason": "\xff"}',
    "byte order mark": b'\xef\xbb\xbf{"reason": "x"}',
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "a name twice": b'{"reason": "a", "reason": "b"}',
    "a name twice, deeper": b'{"daily_budget": {"currency": "USD", "currency": "EUR"}}',
    "NaN": b'{"reason": NaN}',
    "Infinity": b'{"reason": -Infinity}',
    "infinite by exponent": b'{"reason": 1e999}',
    "a fraction": b'{"daily_budget": {"amount_micros": 44000000.0}}',
    "NUL": b'{"reason": "a\\u0000"}',
    "NUL in a name": b'{"\\u0000": 1}',
    "lone surrogate": b'{"reason": "\\ud800"}',
    "5 000 digits": b'{"reason": ' + b"9" * 5000 + b"}",
    "33 deep": b'{"a":' * 33 + b"1" + b"}" * 33,
    "100 000 brackets": b"[" * 100_000,
    "100 000 objects": b'{"a":' * 40_000,
    "brackets closed again": b"[" * 100_000 + b"]" * 100_000,
    "trailing text": b"{} {}",
}


@pytest.mark.parametrize("name", [name for name in MALFORMED if name != "nothing"])
def test_refuses_a_malformed_body_in_one_clear_line(name: str, house: House, partner: Partner) -> None:
    body = assert_problem(partner.post("actions", MALFORMED[name]), 400, "malformed_request")
    assert 0 < len(body["detail"]) < 200


def test_an_empty_body_lacks_its_fields(partner: Partner) -> None:
    body = assert_problem(partner.post("actions", b""), 422, "invalid_request")
    assert "#/ad_set" in [error["pointer"] for error in body["errors"]]


def test_refuses_a_body_over_256_kib(partner: Partner) -> None:
    assert_problem(partner.post("actions", b" " * (256 * 1024 + 1)), 413, "request_too_large")
    assert_problem(partner.post("actions", b" " * (256 * 1024 + 1), key="k"), 413, "request_too_large")


def test_refuses_other_media_types(partner: Partner) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"):
        answer = partner.client.post("/api/v1/actions", b"{}", content_type=kind)
        assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("text", ['"\\"' * 60_000, '{"a":"' + '\\"' * 120_000, '"' + "\\" * 200_001, '["' * 60_000])
def test_hostile_quoting_is_scanned_once(text: str) -> None:
    start = time.monotonic()
    with pytest.raises(ParseError):
        parse_object(text.encode())
    assert time.monotonic() - start < 1


def test_32_deep_is_taken_and_brackets_in_texts_do_not_count() -> None:
    deep = '{"a":' * 32 + '"' + "[" * 100 + '"' + "}" * 32
    assert parse_object(deep.encode()) == json.loads(deep)


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_parse_error(body: bytes) -> None:
    with contextlib.suppress(ParseError):
        assert isinstance(parse_object(body), dict)


names = st.text('ab[{"\\', max_size=3)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(names, inner),
    max_leaves=8,
)


@given(st.dictionaries(names, values))
def test_what_is_sound_is_read_as_json_reads_it(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode()) == value
