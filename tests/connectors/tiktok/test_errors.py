"""TikTok's codes by what to do next, as the callers of the connector meet them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.contracts import DeliveryStatus
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
from tests.connectors.tiktok.answers import AD_SET, ad_group, client, data, error, listing, tiktok, writes
from tests.connectors.wire import Script, hangs_up, says, wire

STATUS = "adgroup/status/update/"

THROTTLED = (40100, 40132, 61000)
DEAD_TOKEN = (40102, 40103, 40104, 40105, 40110, 40114)
FORBIDDEN = (40001, 40113, 40118, 40130, 40300, 40301, 41000)
WRONG = (40000, 40002, 40009, 40010, 40011, 40012, 40013, 40061, 40400, 40502, 41001, 41002)
REFUSED_FILES = (40903, 40904, 40907, 40911, 40912, 40914, 40916)
UNCLEAR = (40050, 40200, 40201, 40202, 40700, 40901, 40902, 40913, 50000, 50002, 51010, 51038, 60001, 77777)

READS = [
    *[(code, RateLimitedError) for code in (*THROTTLED, 40016)],
    *[(code, AuthenticationError) for code in DEAD_TOKEN],
    *[(code, PermissionDeniedError) for code in FORBIDDEN],
    (40007, NotFoundError),
    *[(code, ConfigurationError) for code in (*WRONG, *REFUSED_FILES)],
    *[(code, TransientError) for code in UNCLEAR],
]
WRITES = [
    *[(code, RateLimitedError) for code in THROTTLED],
    *[(code, AuthenticationError) for code in DEAD_TOKEN],
    *[(code, RefusedError) for code in (*FORBIDDEN, 40007, 40067, *WRONG, *REFUSED_FILES)],
    *[(code, OutcomeUnknownError) for code in (40016, *UNCLEAR)],
]

pytestmark = pytest.mark.usefixtures("quick_retries")


def pausing(answer: Script) -> tuple[ConnectorError | None, int]:
    """What a pause ends in when the write is answered so, and how often it was sent."""
    with tiktok({STATUS: answer, "adgroup/get/": listing(ad_group(operation_status="DISABLE"))}) as served:
        try:
            client(served).set_status(AD_SET, DeliveryStatus.PAUSED)
        except ConnectorError as caught:
            return caught, len(writes(served))
        return None, len(writes(served))


@pytest.mark.parametrize(("code", "kind"), READS)
def test_a_read_fails_as_its_code_says(code: int, kind: type[ConnectorError]) -> None:
    with wire(error(code)) as served:
        with pytest.raises(ConnectorError) as caught:
            client(served).account()
        is_tried_again = len(served.requests) > 1
    assert type(caught.value) is kind
    assert (caught.value.platform, caught.value.code) == ("tiktok", str(code))
    assert is_tried_again == (kind in (TransientError, RateLimitedError))


def test_a_query_that_is_too_large_is_not_asked_again_as_it_is() -> None:
    with wire(error(40067)) as served:
        with pytest.raises(ConfigurationError):
            client(served).account()
        assert len(served.requests) == 1


def test_a_read_gets_over_a_code_that_passes() -> None:
    with tiktok({"adgroup/get/": [error(50002), error(40700), listing(ad_group())]}) as served:
        assert [a.external_id for a in client(served).ad_sets()] == ["5"]


@pytest.mark.parametrize(("code", "kind"), WRITES)
def test_a_write_fails_as_its_code_says_and_is_sent_once(code: int, kind: type[ConnectorError]) -> None:
    caught, sent = pausing(error(code))
    assert (type(caught), sent) == (kind, 1)


@pytest.mark.parametrize(
    "answer",
    [
        hangs_up,
        says(b""),
        says(b"<html>504</html>", 504),
        says(b"<html>"),
        says(b"[]"),
        says({"message": "OK"}),
        says({"code": None}),
        says({"code": "0"}),
        says({"code": False}),
        says({"code": 0}, 502),
        says({"code": 40002}, 500),
    ],
)
def test_a_write_whose_answer_says_nothing_is_of_unknown_outcome_and_sent_once(answer: Script) -> None:
    caught, sent = pausing(answer)
    assert (type(caught), sent) == (OutcomeUnknownError, 1)


def failed(**entry: Any) -> Script:
    return error(20001, adgroup_ids=[], error_list=[{"adgroup_id": "5", "error_message": "no"} | entry])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (data(adgroup_ids=["5"], status="DISABLE"), type(None)),
        (data(adgroup_ids=["5"], error_list=[]), type(None)),
        (failed(error_code=40002), RefusedError),
        (failed(error_code=40301), RefusedError),
        (failed(error_code=50002), OutcomeUnknownError),
        (failed(), OutcomeUnknownError),
        (failed(error_code="40002"), OutcomeUnknownError),
        (data(error_list=[{"adgroup_id": "5", "error_code": 40002}]), RefusedError),
        (failed(adgroup_id=5, error_code=40002), RefusedError),
        (failed(adgroup_id="6", error_code=40002), OutcomeUnknownError),
        (data(error_list="broken"), OutcomeUnknownError),
        (error(20001), OutcomeUnknownError),
        (error(20001, error_list="broken"), OutcomeUnknownError),
        (error(20001, error_list=["broken"]), OutcomeUnknownError),
    ],
)
def test_partial_success_is_judged_by_what_is_said_of_the_object(answer: Script, kind: type[Exception]) -> None:
    caught, sent = pausing(answer)
    assert (type(caught), sent) == (kind, 1)


@pytest.mark.parametrize(("seconds", "expected"), [("7", 7.0), ("soon", None), ("-1", None)])
def test_a_throttle_tells_when_to_come_back_if_it_says_so(seconds: str, expected: float | None) -> None:
    told = {"code": 40100, "message": "slow down", "data": {}}
    caught, _ = pausing(says(told, headers=f"Retry-After: {seconds}\r\n"))
    assert isinstance(caught, RateLimitedError)
    assert caught.retry_after == expected


def test_a_message_from_outside_is_one_short_printable_line() -> None:
    caught, _ = pausing(error(40002, "\x1b[31m bud\r\nget \u202e" + "x" * 9999))
    assert str(caught).startswith("tiktok error 40002: [31m bud get x")
    assert len(str(caught)) < 400
    assert str(caught).isprintable()
