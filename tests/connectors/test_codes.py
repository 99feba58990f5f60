"""What each platform's answers mean: by code, for reads and for writes."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RefusedError,
    TransientError,
)
from connectors.meta import errors as meta
from connectors.replies import Reply
from connectors.shopify import errors as shopify
from connectors.tiktok import errors as tiktok


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, httpx.Headers({k.replace("_", "-"): v for k, v in headers.items()}), raw)


def raised(judge: Any, answer: Reply) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        judge(answer)
    return caught.value


def meta_error(code: int, subcode: int | None = None, status: int = 400, **more: Any) -> Reply:
    error = {"message": f"(#{code}) no", "code": code, "fbtrace_id": "A", **more}
    return reply({"error": error | ({"error_subcode": subcode} if subcode else {})}, status)


META_READS = [
    (meta_error(190, 463), AuthenticationError),
    (meta_error(190, 463, is_transient=True), AuthenticationError),
    (meta_error(102), AuthenticationError),
    (meta_error(17, 2446079), RateLimitedError),
    (meta_error(4, is_transient=True), RateLimitedError),
    (meta_error(80004, status=200), RateLimitedError),
    (meta_error(10), PermissionDeniedError),
    (meta_error(294), PermissionDeniedError),
    (meta_error(368), PermissionDeniedError),
    (meta_error(100, 33), NotFoundError),
    (meta_error(100, 1487534), meta.TooMuchDataError),
    (meta_error(100), ConfigurationError),
    (meta_error(100, is_transient=True), TransientError),
    (meta_error(1), TransientError),
    (meta_error(2, status=500), TransientError),
    (meta_error(987654), ConfigurationError),
    (meta_error(987654, status=503), TransientError),
    (reply(b"<html>", 502), TransientError),
    (reply(b"<html>"), TransientError),
    (reply({"data": []}, 404), NotFoundError),
    (reply({"error": "text"}, 400), ConfigurationError),
    (reply(b"", 301), ConfigurationError),
    (reply(b"", 429), RateLimitedError),
]


@pytest.mark.parametrize(("answer", "kind"), META_READS)
def test_a_read_from_meta_fails_as_its_code_says(answer: Reply, kind: type[ConnectorError]) -> None:
    assert type(raised(meta.judge_read, answer)) is kind


META_WRITES = [
    (meta_error(100, 1885272), RefusedError),
    (meta_error(100, 33), RefusedError),
    (meta_error(200), RefusedError),
    (meta_error(10, status=403), RefusedError),
    (meta_error(368), RefusedError),
    (meta_error(190), AuthenticationError),
    (meta_error(17), RateLimitedError),
    (meta_error(4, is_transient=True), RateLimitedError),
    (meta_error(613, 1487632), RateLimitedError),
    (meta_error(80014, status=403), RateLimitedError),
    (meta_error(1), OutcomeUnknownError),
    (meta_error(2), OutcomeUnknownError),
    (meta_error(100, is_transient=True), OutcomeUnknownError),
    (meta_error(190, is_transient=True), OutcomeUnknownError),
    (meta_error(100, status=500), OutcomeUnknownError),
    (meta_error(17, status=503), OutcomeUnknownError),
    (meta_error(987654), OutcomeUnknownError),
    (reply({"error": {"message": "no code"}}, 400), OutcomeUnknownError),
    (reply({"error": {"code": "100"}}, 400), OutcomeUnknownError),
    (reply({"error": None}, 400), OutcomeUnknownError),
    (reply({"success": False}), OutcomeUnknownError),
    (reply({"success": "true"}), OutcomeUnknownError),
    (reply({"success": True}, 201), OutcomeUnknownError),
    (reply({"id": "1"}), OutcomeUnknownError),
    (reply([]), OutcomeUnknownError),
    (reply(b""), OutcomeUnknownError),
    (reply(b'{"success": tr'), OutcomeUnknownError),
    (reply(b"<html>", 429), OutcomeUnknownError),
    (reply(b"", 302), OutcomeUnknownError),
    (reply(b"Bad Gateway", 502), OutcomeUnknownError),
]


@pytest.mark.parametrize(("answer", "kind"), META_WRITES)
def test_a_write_to_meta_fails_as_its_code_says(answer: Reply, kind: type[ConnectorError]) -> None:
    assert type(raised(meta.judge_write, answer)) is kind


def test_a_write_to_meta_succeeds_only_when_meta_says_so() -> None:
    meta.judge_write(reply({"success": True}))


def test_metas_codes_and_waits_are_handed_on() -> None:
    too_often = raised(meta.judge_write, meta_error(613, 1487632))
    assert isinstance(too_often, RateLimitedError)
    assert (too_often.code, too_often.platform, too_often.retry_after) == ("613/1487632", "meta", 3600)
    usage = {"1": [{"estimated_time_to_regain_access": 2}], "2": [{"estimated_time_to_regain_access": 7}]}
    busy = reply({"error": {"code": 17}}, 400, X_Business_Use_Case_Usage=json.dumps(usage))
    error = raised(meta.judge_read, busy)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 420


@pytest.mark.parametrize("header", ["", "[]", "{", '{"1": 5}', '{"1": [{}]}', '{"1": [{"x": 1}]}', "[" * 9999])
def test_a_senseless_usage_header_is_ignored(header: str) -> None:
    busy = reply({"error": {"code": 17}}, 400, X_Business_Use_Case_Usage=header)
    error = raised(meta.judge_read, busy)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after is None


def tiktok_answer(code: Any, data: Any = None, status: int = 200) -> Reply:
    return reply({"code": code, "message": "no", "request_id": "r", "data": data or {}}, status)


TIKTOK_READS = [
    (40100, RateLimitedError),
    (40016, RateLimitedError),
    (61000, RateLimitedError),
    (40105, AuthenticationError),
    (40104, AuthenticationError),
    (40001, PermissionDeniedError),
    (40002, ConfigurationError),
    (40007, NotFoundError),
    (41001, ConfigurationError),
    (50000, TransientError),
    (40700, TransientError),
    (51010, TransientError),
    (77777, TransientError),
]


@pytest.mark.parametrize(("code", "kind"), TIKTOK_READS)
def test_a_read_from_tiktok_fails_as_its_code_says(code: int, kind: type[ConnectorError]) -> None:
    error = raised(tiktok.judge_read, tiktok_answer(code))
    assert type(error) is kind
    assert error.code == str(code)


TIKTOK_WRITES = [
    (tiktok_answer(40002), RefusedError),
    (tiktok_answer(40012), RefusedError),
    (tiktok_answer(40301), RefusedError),
    (tiktok_answer(40105), AuthenticationError),
    (tiktok_answer(40100), RateLimitedError),
    (tiktok_answer(40016), OutcomeUnknownError),
    (tiktok_answer(40202), OutcomeUnknownError),
    (tiktok_answer(50000), OutcomeUnknownError),
    (tiktok_answer(77777), OutcomeUnknownError),
    (tiktok_answer(20001), OutcomeUnknownError),
    (tiktok_answer(20001, {"error_list": [{"adgroup_id": "1", "error_code": 40002}]}), RefusedError),
    (tiktok_answer(0, {"error_list": [{"adgroup_id": "1", "error_code": 50002}]}), OutcomeUnknownError),
    (tiktok_answer(0, {"error_list": [{"adgroup_id": "1"}]}), OutcomeUnknownError),
    (tiktok_answer(0, {"error_list": "broken"}), OutcomeUnknownError),
    (tiktok_answer("0"), OutcomeUnknownError),
    (tiktok_answer(None), OutcomeUnknownError),
    (tiktok_answer(False), OutcomeUnknownError),
    (tiktok_answer(0, status=502), OutcomeUnknownError),
    (tiktok_answer(40002, status=500), OutcomeUnknownError),
    (reply(b"<html>", 504), OutcomeUnknownError),
    (reply(b'{"code": 0'), OutcomeUnknownError),
    (reply([]), OutcomeUnknownError),
]


@pytest.mark.parametrize(("answer", "kind"), TIKTOK_WRITES)
def test_a_write_to_tiktok_fails_as_its_code_says(answer: Reply, kind: type[ConnectorError]) -> None:
    assert type(raised(tiktok.judge_write, answer)) is kind


def test_a_write_to_tiktok_succeeds_when_no_part_of_it_failed() -> None:
    tiktok.judge_write(tiktok_answer(0, {"adgroup_id": "1"}))
    tiktok.judge_write(tiktok_answer(0, {"adgroup_ids": ["1"], "error_list": []}))


def graphql_error(code: str | None, cost: Any = None) -> Reply:
    extensions = {"extensions": {"code": code}} if code else {}
    return reply({"errors": [{"message": "no", **extensions}], "extensions": {"cost": cost}})


SHOPIFY = [
    (graphql_error("THROTTLED"), RateLimitedError),
    (graphql_error("MAX_COST_EXCEEDED"), shopify.TooCostlyError),
    (graphql_error("ACCESS_DENIED"), PermissionDeniedError),
    (graphql_error("INTERNAL_SERVER_ERROR"), TransientError),
    (graphql_error(None), ConfigurationError),
    (reply({"errors": "[API] Invalid API key or access token"}, 401), AuthenticationError),
    (reply({"errors": "frozen"}, 402), PermissionDeniedError),
    (reply({"errors": "Not Found"}, 404), NotFoundError),
    (reply({}, 423), PermissionDeniedError),
    (reply({}, 429, Retry_After="2.0"), RateLimitedError),
    (reply(b"<html>", 503), TransientError),
    (reply({"errors": "text"}), ConfigurationError),
    (reply({"errors": [None]}), ConfigurationError),
    (reply({"data": None}), TransientError),
    (reply({"data": {"shop": {}}, "errors": [{"message": "partly"}]}), ConfigurationError),
]


@pytest.mark.parametrize(("answer", "kind"), SHOPIFY)
def test_a_query_to_shopify_fails_as_its_answer_says(answer: Reply, kind: type[ConnectorError]) -> None:
    assert type(raised(shopify.judge_read, answer)) is kind


def test_shopifys_bucket_says_how_long_to_wait() -> None:
    cost = {"requestedQueryCost": 752, "throttleStatus": {"currentlyAvailable": 102.0, "restoreRate": 100}}
    error = raised(shopify.judge_read, graphql_error("THROTTLED", cost))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 6.5


@pytest.mark.parametrize("cost", [None, [], {"throttleStatus": 5}, {"requestedQueryCost": 1, "throttleStatus": {}}])
def test_a_senseless_bucket_says_nothing(cost: Any) -> None:
    error = raised(shopify.judge_read, graphql_error("THROTTLED", cost))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("judge", "answer"),
    [
        (meta.judge_read, reply({"error": {"code": 100, "message": "\x1b[31m\r\n" + "x" * 9999}}, 400)),
        (tiktok.judge_read, reply({"code": 40002, "message": "\x1b[31m\r\n" + "x" * 9999})),
        (shopify.judge_read, reply({"errors": [{"message": "\x1b[31m\r\n" + "x" * 9999}]})),
    ],
)
def test_a_hostile_message_is_cut_and_cleaned(judge: Any, answer: Reply) -> None:
    message = str(raised(judge, answer))
    assert len(message) < 400
    assert message.isprintable()
