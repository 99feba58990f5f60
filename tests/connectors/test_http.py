"""The transport, over real sockets."""

from __future__ import annotations

import gzip
import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from connectors import http
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    TransientError,
)
from connectors.http import Transport
from connectors.replies import Reply, plain, status_error
from tests.connectors.wire import Wire, hangs_up, says, sends, wire

TOKEN = "tok-3f9c-never-to-be-seen"


@pytest.fixture(autouse=True)
def quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def transport(served: Wire | str, **options: Any) -> Transport:
    url = served if isinstance(served, str) else served.url
    return Transport(url, platform="meta", headers={"Authorization": f"Bearer {TOKEN}"}, secrets=(TOKEN,), **options)


def judge(reply: Reply) -> Any:
    if reply.status != 200:
        raise status_error("meta", reply)
    try:
        return reply.document()
    except ValueError:
        raise status_error("meta", reply) from None


def read(served: Wire | str, **options: Any) -> Any:
    return transport(served, **options).read("GET", "/x", judge=judge, params={"proof": TOKEN})


def write(served: Wire | str, **options: Any) -> Any:
    return transport(served, **options).write("/x", judge=judge, data={"budget": "1"})


def test_reads_a_document_with_exact_numbers() -> None:
    with wire(says(b'{"budget": 20.10}')) as served:
        assert str(read(served)["budget"]) == "20.10"
        assert served.requests[0].startswith("GET /x?proof=")


@pytest.mark.parametrize("body", [b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"[]", b'{"a":', b"\xff\xfe", b""])
def test_a_body_that_is_no_sane_object_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        Reply(200, httpx.Headers(), body).document()


def test_reads_again_after_a_failure_and_returns_the_good_answer() -> None:
    with wire(hangs_up, says(b"<html>bad gateway</html>", 502), says({"ok": 1})) as served:
        assert read(served) == {"ok": 1}
        assert len(served.requests) == 3


def test_gives_up_reading_after_a_bounded_number_of_attempts() -> None:
    with wire(says(b"oops", 500)) as served:
        with pytest.raises(TransientError):
            read(served)
        assert len(served.requests) == 3


def test_does_not_read_again_what_cannot_become_better() -> None:
    with wire(says(b"{}", 403)) as served:
        with pytest.raises(ConnectorError):
            read(served)
        assert len(served.requests) == 1


def test_waits_as_long_as_the_platform_asks_and_no_longer_than_our_patience() -> None:
    with wire(says(b"{}", 429, "Retry-After: 0.0\r\n"), says({"ok": 1})) as served:
        assert read(served) == {"ok": 1}
    with wire(says(b"{}", 429, "Retry-After: 3600\r\n")) as served:
        with pytest.raises(RateLimitedError) as caught:
            read(served)
        assert caught.value.retry_after == 3600
        assert len(served.requests) == 1


def test_the_wait_asked_for_is_really_waited() -> None:
    with stamina.set_testing(False), wire(says(b"{}", 429, "Retry-After: 0.4\r\n"), says({"ok": 1})) as served:
        started = time.monotonic()
        assert read(served) == {"ok": 1}
        assert 0.4 <= time.monotonic() - started < 3


@pytest.mark.parametrize("text", ["", "soon", "-5", "nan", "1e400", "999999999", "Tue, 99 Foo 2026"])
def test_a_senseless_wait_counts_as_unsaid(text: str) -> None:
    assert Reply(429, httpx.Headers({"Retry-After": text}), b"").retry_after() is None


def test_a_wait_can_be_a_date() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    wait = Reply(429, httpx.Headers({"Retry-After": until}), b"").retry_after()
    assert wait is not None
    assert 80 < wait <= 90


def test_a_write_is_sent_once_and_its_answer_judged() -> None:
    with wire(says({"success": True})) as served:
        assert write(served) == {"success": True}
        assert len(served.requests) == 1
        assert served.requests[0].startswith("POST /x ")


def test_a_refused_connection_means_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    with pytest.raises(NotSentError):
        write(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "script",
    [
        hangs_up,
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        sends(b"SSH-2.0-OpenSSH\r\n"),
        says(b"not gzip at all", 200, "Content-Encoding: gzip\r\n"),
    ],
    ids=["hangs up", "truncated", "not HTTP", "bad gzip"],
)
def test_a_write_whose_answer_is_lost_has_an_unknown_outcome_and_is_not_sent_again(script: Any) -> None:
    with wire(script) as served:
        with pytest.raises(OutcomeUnknownError):
            write(served)
        assert len(served.requests) == 1


def test_a_write_that_never_gets_an_answer_ends_at_its_deadline() -> None:
    with wire(lambda connection: time.sleep(1.5)) as served:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknownError):
            write(served, write_deadline=0.3)
        assert time.monotonic() - started < 1.2
        assert len(served.requests) == 1


def drip(connection: socket.socket) -> None:
    for _ in range(40):
        connection.sendall(b"H")
        time.sleep(0.05)


def test_an_answer_that_drips_cannot_outlast_the_deadline() -> None:
    with wire(drip) as served:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknownError):
            write(served, write_deadline=0.3)
        assert time.monotonic() - started < 1.2


def test_nothing_is_sent_once_the_deadline_has_passed() -> None:
    with wire(says({"success": True})) as served, pytest.raises(NotSentError):
        write(served, write_deadline=-1.0)
    assert not any("POST" in request for request in served.requests)


def keeps_open_and_falls_silent(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    time.sleep(0.3)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_write_never_rides_on_an_old_connection(method: str) -> None:
    with wire(keeps_open_and_falls_silent) as served:
        sender = transport(served)
        sender.read("GET", "/x", judge=judge)
        assert [sender.write("/x", judge=judge, method=method) for _ in range(2)] == [{}, {}]
        assert [request.split()[0] for request in served.requests] == ["GET", method, method]


def test_a_write_can_delete_and_is_sent_once_too() -> None:
    with wire(hangs_up) as served:
        with pytest.raises(OutcomeUnknownError, match="DELETE /x failed"):
            transport(served).write("/x", judge=judge, params={"proof": TOKEN}, method="DELETE")
        assert len(served.requests) == 1
        assert served.requests[0].startswith("DELETE /x?proof=")


def test_a_read_can_send_a_form_and_is_tried_again() -> None:
    with wire(hangs_up, says({"ok": 1})) as served:
        assert transport(served).read("POST", "/x", judge=judge, data={"level": "ad"}) == {"ok": 1}
        assert [request.rpartition("\r\n")[2] for request in served.requests] == ["level=ad"] * 2


def test_a_write_does_not_follow_a_redirect() -> None:
    with wire(says(b"", 307, "Location: /elsewhere\r\n")) as served:
        with pytest.raises(ConnectorError):
            write(served)
        assert len(served.requests) == 1


def test_a_stop_file_keeps_every_write_at_home(tmp_path: Path) -> None:
    flag = tmp_path / "stop"
    with wire(says({"success": True})) as served:
        sender = transport(served, stop_file=flag)
        flag.touch()
        with pytest.raises(NotSentError, match="stopped by file"):
            sender.write("/x", judge=judge, data={})
        assert served.requests == []
        assert sender.read("GET", "/x", judge=judge) == {"success": True}
        flag.unlink()
        assert sender.write("/x", judge=judge, data={}) == {"success": True}


def test_a_stop_file_that_cannot_be_looked_at_counts_as_standing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with wire(says({"success": True})) as served:
        with pytest.raises(NotSentError):
            write(served, stop_file=tmp_path / "file" / "stop")
        assert served.requests == []


def test_a_dangling_link_as_stop_file_stops_too(tmp_path: Path) -> None:
    (tmp_path / "stop").symlink_to(tmp_path / "nowhere")
    with wire(says({})) as served, pytest.raises(NotSentError):
        write(served, stop_file=tmp_path / "stop")


def test_an_answer_larger_than_any_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_BODY", 10_000)
    bomb = gzip.compress(b'{"a": "' + b" " * 200_000 + b'"}')
    with wire(says(bomb, 200, "Content-Encoding: gzip\r\n")) as served:
        with pytest.raises(TransientError):
            read(served)
        with pytest.raises(OutcomeUnknownError):
            write(served)


def test_no_secret_reaches_a_log_or_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in http.LOGGERS:
        caplog.set_level(logging.DEBUG, logger=name)
    with wire(says(f'{{"error": "bad token {TOKEN}"}}'.encode())) as served:
        assert read(served) == {"error": "bad token [secret]"}
        assert write(served) == {"error": "bad token [secret]"}
        assert TOKEN in served.requests[0]
    with wire(hangs_up) as served:
        for call in (read, write):
            with pytest.raises(ConnectorError) as caught:
                call(served)
            assert TOKEN not in repr(caught.getrepr(showlocals=False))
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["", "line\r\nX-Evil: 1", "naïve-token", "tab\there", " padded "])
def test_a_malformed_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Transport("http://127.0.0.1:1", platform="meta", headers={"Access-Token": token})
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "ftp://a", "http://", "http://user:pw@host", "http://host/path", "http://host?x=1", "host:80"]
)
def test_a_base_url_must_be_scheme_host_and_port(url: str) -> None:
    with pytest.raises(ConfigurationError):
        transport(url)


def test_sends_the_host_that_it_is_told() -> None:
    with wire(says({})) as served:
        read(served, host_header="demo.myshopify.com")
        assert "host: demo.myshopify.com" in served.requests[0].lower()


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with wire(says({"ok": 1})) as served:
        assert read(served) == {"ok": 1}


def test_texts_from_outside_become_one_short_printable_line() -> None:
    assert plain("a\r\nb\x1b[31m\u202ec\ud800 d") == "a b [31m c d"
    assert len(plain("x" * 10_000)) == 300
