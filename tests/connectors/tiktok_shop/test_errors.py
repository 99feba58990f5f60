"""TikTok Shop's codes by what to do next, as the callers of the connector meet them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)
from tests.connectors.leaks import listen, texts_of
from tests.connectors.tiktok_shop.answers import SECRET, SHOPS, TOKEN, client, data, error, shop, tiktok_shop
from tests.connectors.wire import Script, hangs_up, says, wire

pytestmark = pytest.mark.usefixtures("quick_retries")

WRONG = (40006, 101000, 106001, 106013, 36009004, 36009009, 36009010, 36009014, 36009022, 36009023)
CODES: list[tuple[int, int, type[ConnectorError]]] = [
    (105002, 401, AuthenticationError),
    (105001, 403, AuthenticationError),
    (36004004, 200, AuthenticationError),
    (36004001, 200, AuthenticationError),
    (36004005, 200, AuthenticationError),
    (105005, 403, PermissionDeniedError),
    (105005, 401, PermissionDeniedError),
    (36009033, 400, PermissionDeniedError),
    (36009043, 401, PermissionDeniedError),
    (36009044, 401, PermissionDeniedError),
    (36009002, 429, RateLimitedError),
    (36009002, 200, RateLimitedError),
    (36009037, 429, RateLimitedError),
    (36009003, 500, TransientError),
    (36009007, 400, TransientError),
    *((code, 400, ConfigurationError) for code in WRONG),
    (106001, 401, ConfigurationError),
    (77777, 200, TransientError),
    (77777, 400, ConfigurationError),
    (77777, 401, AuthenticationError),
    (77777, 403, PermissionDeniedError),
    (77777, 404, NotFoundError),
    (77777, 429, RateLimitedError),
    (77777, 503, TransientError),
]


def failing(answer: Script, **options: Any) -> tuple[ConnectorError, int]:
    """What reading the shop ends in, and how often it was tried."""
    with wire(answer) as served:
        with pytest.raises(ConnectorError) as caught:
            client(served, **options).shop()
        return caught.value, len(served.requests)


@pytest.mark.parametrize(("code", "status", "kind"), CODES)
def test_a_request_fails_as_its_code_says(code: int, status: int, kind: type[ConnectorError]) -> None:
    caught, tries = failing(error(code, status=status))
    assert type(caught) is kind
    assert (caught.platform, caught.code) == ("tiktok_shop", str(code))
    assert (tries > 1) == (kind in (TransientError, RateLimitedError))


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("The access_token is invalid", AuthenticationError),
        ("Invalid header 'x-tts-access-token'", AuthenticationError),
        ("Invalid 'timestamp'", ConfigurationError),
        ("shop_cipher is not expected here", ConfigurationError),
    ],
)
def test_the_code_of_many_causes_is_told_apart_by_its_message(message: str, kind: type[ConnectorError]) -> None:
    caught, _ = failing(error(36009004, message, 400))
    assert (type(caught), caught.code) == (kind, "36009004")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (hangs_up, TransientError),
        (says(b""), TransientError),
        (says(b"<html>502</html>", 502), TransientError),
        (says(b"[]"), TransientError),
        (says({"message": "Success"}), TransientError),
        (says({"code": "0", "data": {}}), TransientError),
        (says({"code": False, "data": {}}), TransientError),
        (says({"code": 0, "data": {}}, 500), TransientError),
        (says({"code": 0, "data": {}}, 401), AuthenticationError),
        (says(b"no", 403), PermissionDeniedError),
        (says(b"slow down", 429), RateLimitedError),
        (says({"code": 0}), NotFoundError),
        (says({"code": 0, "data": [1]}), NotFoundError),
        (data(shops=[1]), MalformedReplyError),
        (data(shops="none"), MalformedReplyError),
        (says(b'{"code": 0, "data": ' + b'{"a": ' * 90 + b"1" + b"}" * 91), MalformedReplyError),
    ],
)
def test_an_answer_that_is_none_is_an_error_and_not_an_empty_answer(answer: Script, kind: type[Exception]) -> None:
    assert type(failing(answer)[0]) is kind


def test_a_throttle_is_waited_for_as_it_asks() -> None:
    told = error(36009002, status=429, headers="Retry-After: 3600\r\n")
    caught, tries = failing(told)
    assert isinstance(caught, RateLimitedError)
    assert (caught.retry_after, tries) == (3600.0, 1)


def test_a_read_gets_over_what_passes() -> None:
    told = [error(36009003, status=500), hangs_up, data(shops=[shop()])]
    with tiktok_shop({SHOPS: told}) as served:
        assert client(served).shop().name == "Tea"


def test_a_message_from_outside_is_one_short_printable_line() -> None:
    caught, _ = failing(error(106001, "\x1b[31m bad\r\nsign \u202e" + "x" * 9999))
    assert str(caught).startswith("tiktok shop error 106001: [31m bad sign x")
    assert len(str(caught)) < 400
    assert str(caught).isprintable()


def test_no_secret_is_told_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    for answer in (error(106001, f"{TOKEN} {SECRET}"), hangs_up, says(f"{TOKEN} {SECRET}".encode())):
        caught, _ = failing(answer)
        told = " ".join([*texts_of(caught), caplog.text])
        assert not [secret for secret in (TOKEN, SECRET) if secret in told]


@pytest.mark.parametrize("token", ["", "two\nlines", "é"])
def test_a_token_that_is_none_is_not_sent(token: str) -> None:
    with wire(data()) as served:
        with pytest.raises(ConfigurationError) as caught:
            client(served, access_token=token)
        assert served.requests == []
    assert token == "" or token not in str(caught.value)
