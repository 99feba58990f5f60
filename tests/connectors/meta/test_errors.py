"""Meta's rarer answers to a read, by what to do next."""

from __future__ import annotations

import pytest

from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)
from connectors.meta.errors import PageTooLargeError
from tests.connectors.meta.answers import Notes, account, client
from tests.connectors.wire import Script, says, wire

pytestmark = pytest.mark.usefixtures("quick_retries")


def error(code: int, subcode: int = 0, status: int = 400, message: str = "no", headers: str = "") -> Script:
    return says({"error": {"code": code, "error_subcode": subcode, "message": message}}, status, headers)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(4, 1504022), RateLimitedError),
        (error(4, 1504039), RateLimitedError),
        (error(17, 2446079), RateLimitedError),
        (error(17, 1885172), RateLimitedError),
        (error(613, 1487742), RateLimitedError),
        (error(613, 5044001), RateLimitedError),
        (error(613, 1996), RateLimitedError),
        (error(100, 1504022), RateLimitedError),
        *[(error(code), RateLimitedError) for code in range(80000, 80015)],
        (error(368), PermissionDeniedError),
        (error(341), PermissionDeniedError),
        (error(2635), ConfigurationError),
        (error(3018), ConfigurationError),
        (error(960), TransientError),
        (error(100, 99), TransientError),
        (error(1, 99, status=500), TransientError),
        (error(190, 99), AuthenticationError),
        (error(100, message="(#100) Cannot include spend in summary param"), TransientError),
        (error(1, status=500, message="Please reduce the amount of data you're asking for"), PageTooLargeError),
        (error(1, status=500), TransientError),
    ],
)
def test_a_read_fails_as_its_code_says(answer: Script, kind: type[ConnectorError]) -> None:
    with wire(answer) as served, pytest.raises(ConnectorError) as caught:
        client(served).account()
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ('X-Business-Use-Case-Usage: {"7": [{"estimated_time_to_regain_access": 9}]}', 540),
        ('X-Ad-Account-Usage: {"acc_id_util_pct": 100.0, "reset_time_duration": 300}', 300),
        ("Retry-After: 120", 120),
        ("X-Business-Use-Case-Usage: nonsense", None),
    ],
)
def test_a_throttle_says_how_long_to_stay_away(header: str, seconds: float | None) -> None:
    with wire(error(80004, headers=header + "\r\n")) as served, pytest.raises(RateLimitedError) as caught:
        client(served).account()
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("header", "is_held"),
    [
        ('X-Ad-Account-Usage: {"acc_id_util_pct": 99.5}\r\n', True),
        ('X-Business-Use-Case-Usage: {"7": [{"call_count": 1}, {"total_time": 97}]}\r\n', True),
        ('X-Ad-Account-Usage: {"acc_id_util_pct": 40}\r\n', False),
        ("", False),
    ],
)
def test_an_account_that_is_nearly_used_up_is_left_alone_by_everybody(header: str, is_held: bool) -> None:
    pace = Notes()
    told = {"id": "act_7", "account_status": 1, "currency": "USD"}
    with wire(says(told, headers=header)) as served:
        client(served, pace=pace).account()
    assert (bool(pace.holds), pace.booked) == (is_held, [1])


def test_a_throttle_that_names_a_wait_is_told_to_everybody() -> None:
    pace = Notes()
    busy = error(17, headers='X-Business-Use-Case-Usage: {"7": [{"estimated_time_to_regain_access": 2}]}\r\n')
    with wire(account(), busy) as served:
        meta = client(served, pace=pace)
        meta.account()
        with pytest.raises(RateLimitedError):
            meta.account()
    assert pace.holds == [120.0]


def test_one_ad_set_that_was_changed_too_often_holds_nobody_else() -> None:
    pace = Notes()
    with wire(error(613, 1487632)) as served, pytest.raises(RateLimitedError) as caught:
        client(served, pace=pace).account()
    assert caught.value.retry_after == 3_600
    assert pace.holds == []
