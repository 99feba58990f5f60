"""Nothing that opens a door comes out of the transport: not in an answer, a log, or an error with its chain."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from connectors.errors import ConfigurationError, ConnectorError
from connectors.http import Transport
from connectors.redaction import BLOT, SECRET_FIELDS, blotter
from connectors.replies import Reply, status_error
from tests.connectors.leaks import listen, texts_of
from tests.connectors.wire import Wire, hangs_up, says, sends, wire

pytestmark = pytest.mark.usefixtures("quick_retries")

TOKEN = "EAAB-3f9c.never~to_be-seen"
AWKWARD = 'a/b+c=d|e "f"\\g&<h>é😀'
SPELLINGS = {
    "as it is": AWKWARD,
    "percent": quote(AWKWARD, safe=""),
    "percent, slashes kept": quote(AWKWARD),
    "percent, small": quote(AWKWARD, safe="").replace("%2F", "%2f").replace("%C3%A9", "%c3%a9"),
    "form": quote_plus(AWKWARD),
    "percent twice": quote(quote(AWKWARD, safe=""), safe=""),
    "JSON": json.dumps(AWKWARD)[1:-1],
    "JSON in UTF-8": json.dumps(AWKWARD, ensure_ascii=False)[1:-1],
    "JSON, slashes escaped": json.dumps(AWKWARD)[1:-1].replace("/", "\\/"),
    "JSON for HTML": json.dumps(AWKWARD)[1:-1].replace("&", "\\u0026").replace("<", "\\u003C").replace("=", "\\u003d"),
    "JSON in JSON": json.dumps(json.dumps(AWKWARD))[3:-3],
    "a query in JSON": json.dumps("?t=" + quote(AWKWARD, safe=""))[4:-1],
    "HTML": html.escape(AWKWARD),
}


@pytest.mark.parametrize("spelling", sorted(SPELLINGS))
def test_a_secret_is_blotted_out_however_it_is_spelled(spelling: str) -> None:
    body = f'{{"error": "bad token ({SPELLINGS[spelling]})."}}'.encode()
    assert blotter([AWKWARD])(body) == b'{"error": "bad token ([secret])."}'


def test_a_longer_secret_goes_before_a_shorter_one_within_it() -> None:
    blot = blotter(["12345678", "12345678|and-more"])
    assert blot(b"12345678|and-more, 12345678%7Cand-more, 12345678") == b"[secret], [secret], [secret]"


def test_what_could_be_a_word_of_the_answer_stays() -> None:
    assert blotter(["", "ACTIVE"])(b'{"status": "ACTIVE"}') == b'{"status": "ACTIVE"}'


@pytest.fixture
def loud(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    listen(caplog)
    return caplog


def judge(reply: Reply) -> Any:
    try:
        document = reply.document()
    except ValueError:
        raise status_error("meta", reply) from None
    if "error" in document:
        raise ConfigurationError(f"meta: {document['error']}")
    return document


def transport(served: Wire) -> Transport:
    return Transport(
        served.url, platform="meta", headers={"Authorization": f"Bearer {TOKEN}"}, secrets=(TOKEN, AWKWARD)
    )


def asked(served: Wire, secret: str) -> list[Exception]:
    """Every way to ask, with the secret in the query, the form or the JSON; and what went wrong."""
    fields = {"access_token": secret}
    mine = transport(served)
    calls: list[Callable[[], Any]] = [
        lambda: mine.read("GET", "/x", judge=judge, params=fields),
        lambda: mine.read("POST", "/x", judge=judge, data=fields),
        lambda: mine.read("POST", "/x", judge=judge, json=fields),
        lambda: mine.write("/x", judge=judge, data=fields),
        lambda: mine.write("/x", judge=judge, json=fields),
        lambda: mine.write("/x", judge=judge, params=fields, method="DELETE"),
    ]
    found: list[Exception] = []
    for call in calls:
        with pytest.raises(ConnectorError) as caught:
            call()
        found.append(caught.value)
    return found


def echoes(secret: str) -> list[Any]:
    raw = secret.encode()
    return [
        hangs_up,
        says({"error": f"no such token: {secret}"}),
        says(json.dumps({"error": f"https://x/?access_token={quote(secret, safe='')}"}).encode(), 400),
        says(b"<html>" + raw, 502),
        says(b"", 429, f"Retry-After: 999\r\nX-Echo: {quote(secret)}\r\n"),
        says(b"", 302, f"Location: /x?access_token={quote(secret)}\r\n"),
        sends(b"HTTP/1.1 200 " + raw + b"\r\nbroken " + raw + b"\r\n\r\n"),
        sends(raw + b"\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + raw),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: " + raw + b"\r\n\r\n"),
        says(raw, 200, "Content-Encoding: gzip\r\n"),
        says(json.dumps({"error": secret}).encode("utf-16"), 200),
    ]


@pytest.mark.parametrize("number", range(len(echoes(""))))
@pytest.mark.parametrize("secret", [TOKEN, AWKWARD], ids=["plain", "awkward"])
def test_no_answer_brings_a_secret_into_a_log_or_an_error(
    secret: str, number: int, loud: pytest.LogCaptureFixture
) -> None:
    spelled = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    with wire(echoes(secret)[number]) as served:
        told = "\n".join(text for error in asked(served, secret) for text in texts_of(error))
    assert not [text for text in spelled if text in told]
    assert not [text for text in spelled if text in loud.text]


@pytest.mark.parametrize("name", sorted(SECRET_FIELDS))
def test_what_is_sent_under_the_name_of_a_secret_is_one(name: str) -> None:
    value = "one-time|value/of today"
    with wire(says({"error": value, "at": quote(value)})) as served:
        mine = transport(served)
        for part in ("params", "data", "json"):
            sent: dict[str, Any] = {part: {name: value}}
            found: list[Reply] = []
            mine.read("POST", "/x", judge=found.append, **sent)
            mine.write("/x", judge=found.append, **sent)
            assert {reply.body for reply in found} == {b'{"error": "[secret]", "at": "[secret]"}'}


def test_headers_are_blotted_too() -> None:
    found: list[Reply] = []
    with wire(says(b"{}", 200, f"X-Echo: {TOKEN}\r\n")) as served:
        transport(served).read("GET", "/x", judge=found.append)
    assert found[0].headers["x-echo"] == BLOT
    assert TOKEN not in repr(found[0])


def test_a_request_that_cannot_be_written_down_is_refused_without_being_shown() -> None:
    with wire(says({})) as served:
        mine = transport(served)
        calls: list[Callable[[], Any]] = [
            lambda: mine.read("GET", "/x", judge=judge, params={"code": f"{TOKEN}\ud800"}),
            lambda: mine.write("/x", judge=judge, json={"code": object(), "token": TOKEN}),
        ]
        for call in calls:
            with pytest.raises(ConfigurationError) as caught:
                call()
            assert TOKEN not in "".join(texts_of(caught.value))
        assert served.requests == []
