"""The one door to the platforms: reads are tried again with patience, a write is sent at most once.

`httpx` bounds each single wait only, so every exchange also has a deadline as a whole. Addresses and headers
never reach a log or an error: messages name the method and the path, and both libraries' own logs are muted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import stamina

from connectors.errors import (
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    TransientError,
)
from connectors.replies import Reply

TIMEOUT = httpx.Timeout(connect=5.0, read=25.0, write=10.0, pool=5.0)
READ_DEADLINE = 60.0
WRITE_DEADLINE = 30.0  # safety.md 3.2: the request deadline that lease and quarantine are built on
LARGEST_BODY = 64 * 1024 * 1024
SHORTEST_SECRET = 8  # anything shorter could be a word of the answer itself
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")

Judge = Callable[[Reply], Any]


def _only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


for _name in LOGGERS:  # a filter, unlike a level, survives a later configuration of logging
    logging.getLogger(_name).addFilter(_only_warnings)


class Transport:
    """HTTP to one platform with one credential.

    `base_url` is scheme, host and port; `headers` go with every request; `secrets` are blotted out of
    whatever comes back; `host_header` replaces the Host; while a file stands at `stop_file`, nothing is
    written. `patience` (seconds) bounds the tries of one read and the longest wait asked for that it grants.
    A *judge* turns a `Reply` into its payload or raises one of `connectors.errors`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        platform: str,
        headers: Mapping[str, str],
        secrets: tuple[str, ...] = (),
        timeout: httpx.Timeout = TIMEOUT,
        host_header: str | None = None,
        stop_file: Path | None = None,
        read_attempts: int = 4,
        patience: float = 60.0,
        write_deadline: float = WRITE_DEADLINE,
    ) -> None:
        self.platform = platform
        self._secrets = tuple(s.encode() for s in secrets if len(s) >= SHORTEST_SECRET)
        self._stop_file = stop_file
        self._attempts = read_attempts
        self._patience = patience
        self._write_deadline = write_deadline
        sent = {"User-Agent": "bursar", "Accept": "application/json", "Accept-Encoding": "gzip", **headers}
        _check(platform, base_url, sent)
        if host_header:
            sent["Host"] = host_header
        tls = httpx.create_ssl_context(trust_env=False)
        self._reads = _client(base_url, sent, timeout, tls, keepalive=5)
        # A kept connection may be dead without our knowing, and a write lost on it would be of unknown fate.
        self._writes = _client(base_url, sent, timeout, tls, keepalive=0)
        self.close = weakref.finalize(self, _close, self._reads, self._writes)

    def read(
        self,
        method: str,
        path: str,
        *,
        judge: Judge,
        params: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Any:
        """What `judge` makes of the answer; tried again on `TransientError` and after a short wait asked for."""
        for attempt in stamina.retry_context(
            on=self._worth_another_try, attempts=self._attempts, timeout=self._patience, wait_max=10.0
        ):
            with attempt:
                return judge(self._read_once(method, path, params, json))
        raise AssertionError("the retry loop ends by returning or raising")

    def write(self, path: str, *, judge: Judge, json: Any = None, data: Mapping[str, str] | None = None) -> Any:
        """Send one POST, once, and return what `judge` makes of the answer.

        Raises `NotSentError` when certainly nothing left this machine, `OutcomeUnknownError` when something
        may have, and what `judge` raises when an answer came.
        """
        if _stands(self._stop_file):
            raise NotSentError(f"{self.platform}: stopped by file, nothing was sent", platform=self.platform)
        with _Deadline(self._write_deadline, self.platform) as deadline:
            try:
                request = self._writes.build_request(
                    "POST", path, json=json, data=data, extensions={"trace": deadline.trace}
                )
                reply = self._exchange(self._writes, request, deadline.moment)
            except NEVER_LEFT as error:
                raise NotSentError(self._line("POST", path, error), platform=self.platform) from error
            except httpx.HTTPError as error:
                raise OutcomeUnknownError(self._line("POST", path, error), platform=self.platform) from error
        return judge(reply)

    def _read_once(self, method: str, path: str, params: Mapping[str, str] | None, json: Any) -> Reply:
        request = self._reads.build_request(method, path, params=params, json=json)
        try:
            return self._exchange(self._reads, request, time.monotonic() + READ_DEADLINE)
        except httpx.HTTPError as error:
            raise TransientError(self._line(method, path, error), platform=self.platform) from error

    def _exchange(self, client: httpx.Client, request: httpx.Request, deadline: float) -> Reply:
        response = client.send(request, stream=True)
        with contextlib.closing(response):
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise httpx.DecodingError("the answer is larger than any we expect", request=request)
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the exchange outlasted its deadline", request=request)
        return Reply(response.status_code, response.headers, self._blotted(bytes(body)))

    def _blotted(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret, b"[secret]")
        return body

    def _worth_another_try(self, error: Exception) -> bool | float:
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            return error.retry_after if error.retry_after < self._patience else False
        return isinstance(error, TransientError | RateLimitedError)

    def _line(self, method: str, path: str, error: Exception) -> str:
        return f"{self.platform}: {method} {path} failed: {type(error).__name__}"


class _Deadline:
    """Cuts the connection of a write when the whole exchange outlasts its time, and sends nothing late."""

    def __init__(self, seconds: float, platform: str) -> None:
        self.moment = time.monotonic() + seconds
        self._platform = platform
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpcore at each step (its `trace` extension)."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
        if event == "http11.send_request_headers.started" and time.monotonic() > self.moment:
            raise NotSentError(f"{self._platform}: too late to send", platform=self._platform)

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _client(
    base_url: str, headers: Mapping[str, str], timeout: httpx.Timeout, tls: Any, keepalive: int
) -> httpx.Client:
    return httpx.Client(
        base_url=base_url,
        headers=dict(headers),
        timeout=timeout,
        verify=tls,
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=keepalive),
        follow_redirects=False,
        trust_env=False,
    )


def _close(*clients: httpx.Client) -> None:
    for client in clients:
        client.close()


def _check(platform: str, base_url: str, headers: Mapping[str, str]) -> None:
    """Refuse what the HTTP library would refuse later with the secret in its message."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?", base_url):
        raise ConfigurationError(f"{platform}: the base URL must be like https://host:port", platform=platform)
    for name, value in headers.items():
        if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", value):
            raise ConfigurationError(f"{platform}: the credential in {name} is malformed", platform=platform)


def _stands(stop_file: Path | None) -> bool:
    """Whether the stop file is there; a place that cannot be looked at counts as stopped."""
    if stop_file is None:
        return False
    try:
        os.lstat(stop_file)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
