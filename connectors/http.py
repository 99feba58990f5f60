"""The one door to the platforms: reads are tried again with patience, a write is sent at most once.

`httpx` bounds each single wait only, so every exchange also has a deadline as a whole. Addresses, bodies and
headers never reach a log or an error: messages name the method and the path, the libraries' own errors (which
may quote what came back) are dropped, and their own logs are muted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import cache, partial
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
from connectors.pace import Pace, Unpaced, take
from connectors.redaction import Blotter, blotter, secrets_in
from connectors.replies import Reply

TIMEOUT = httpx.Timeout(connect=5.0, read=25.0, write=10.0, pool=5.0)
READ_DEADLINE = 60.0
WRITE_DEADLINE = 30.0  # safety.md 3.2: the request deadline that lease and quarantine are built on
WRITE_PATIENCE = 3.0  # what a write waits for the rate budget, out of its deadline
LARGEST_BODY = 64 * 1024 * 1024
NEARLY_USED_UP = 95.0  # percent of the platform's own limit, by its own account
REST = 30.0  # seconds of quiet for everybody then: a tenth of the 300 in which Meta's score decays
SPREAD = 0.5  # seconds over which those who were sent away together come back
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))

Judge = Callable[[Reply], Any]
Gauge = Callable[[Reply], float | None]
Fields = Mapping[str, str]
# Told of a request that is about to leave (method and path); what it returns is told how that ended.
Witness = Callable[[str, str], Callable[[str], None]]


def _no_witness(method: str, path: str) -> Callable[[str], None]:
    return lambda outcome: None


def _only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


for _name in LOGGERS:  # a filter, unlike a level, survives a later configuration of logging
    logging.getLogger(_name).addFilter(_only_warnings)


class Transport:
    """HTTP to one platform with one credential.

    `base_url` is scheme, host and port; `headers` go with every request; `secrets`, and what a request carries
    under the name of a secret, are blotted out of whatever comes back; `host_header` replaces the Host. While a
    file stands at `stop_file`, or when `may_write`, asked at the last moment, says no, nothing is written.
    The `witness` hears of every request before it leaves, and then of its HTTP status or the error's name.
    `patience` (seconds) bounds the tries of one read, its turn at the `pace` and the longest wait asked for that
    it grants. A *judge* turns a `Reply` into its payload or raises one of `connectors.errors`. Of a reply, `usage`
    tells the percentage of the platform's limit that is used up, and `wait` how many seconds *everybody* has to
    stay away after a throttle; both may say `None`.
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
        pace: Pace | None = None,
        usage: Gauge | None = None,
        wait: Gauge = Reply.retry_after,
        stop_file: Path | None = None,
        witness: Witness = _no_witness,
        read_attempts: int = 4,
        patience: float = 60.0,
        write_deadline: float = WRITE_DEADLINE,
    ) -> None:
        self.platform = platform
        self._blot = blotter(secrets)
        self._stop_file = stop_file
        self.may_write: Callable[[], bool] = lambda: True
        self._pace: Pace = pace or Unpaced()
        self._usage, self._wait = usage, wait
        self._attempts = read_attempts
        self._witness = witness
        self._patience = patience
        self._write_deadline = write_deadline
        sent = {"User-Agent": "bursar", "Accept": "application/json", "Accept-Encoding": "gzip", **headers}
        _check(platform, base_url, sent)
        if host_header:
            sent["Host"] = host_header
        self._reads = _client(base_url, sent, timeout, keepalive=5)
        # A kept connection may be dead without our knowing, and a write lost on it would be of unknown fate.
        self._writes = _client(base_url, sent, timeout, keepalive=0)
        self.close = weakref.finalize(self, _close, self._reads, self._writes)

    def read(
        self,
        method: str,
        path: str,
        *,
        judge: Judge,
        params: Fields | None = None,
        json: Any = None,
        data: Fields | None = None,
        content: bytes | None = None,
        headers: Fields | None = None,
        calls: int = 1,
        urgent: bool = False,
    ) -> Any:
        """What `judge` makes of the answer; tried again on `TransientError` and after a short wait asked for.

        `content` is sent as it is: for a request of which the very bytes are signed.
        A request that bundles several counts as so many `calls`; `urgent` is what a write waits for. Raises
        `RateLimitedError` without sending when the rate budget would have to be waited for longer than patience.
        """
        blot = self._blotter(params, json, data)
        until = time.monotonic() + self._patience
        for attempt in stamina.retry_context(
            on=partial(self._worth_another_try, until), attempts=self._attempts, timeout=self._patience, wait_max=10.0
        ):
            with attempt:
                self._take_turn(calls * self._pace.read_cost, until - time.monotonic(), urgent=urgent)
                request = self._request(
                    self._reads, method, path, params=params, json=json, data=data, content=content, headers=headers
                )
                answer = self._exchange(self._reads, request, time.monotonic() + READ_DEADLINE, blot)
                if isinstance(answer, Reply):
                    return self._judged(answer, judge)
                raise TransientError(self._line(request, answer), platform=self.platform)
        raise AssertionError("the retry loop ends by returning or raising")

    def write(
        self,
        path: str,
        *,
        judge: Judge,
        json: Any = None,
        data: Fields | None = None,
        content: bytes | None = None,
        headers: Fields | None = None,
        params: Fields | None = None,
        method: str = "POST",
    ) -> Any:
        """Send one request, once, and return what `judge` makes of the answer.

        Raises `NotSentError` when certainly nothing left this machine, `RateLimitedError` also when the rate
        budget is short (nothing was sent either), `OutcomeUnknownError` when something may have left, and what
        `judge` raises when an answer came.
        """
        blot = self._blotter(params, json, data)
        with _Deadline(self._write_deadline, self.platform) as deadline:
            self._take_turn(self._pace.write_cost, WRITE_PATIENCE, urgent=True)
            if _stands(self._stop_file):
                raise NotSentError(f"{self.platform}: stopped by file, nothing was sent", platform=self.platform)
            if not self.may_write():
                raise NotSentError(
                    f"{self.platform}: stopped, or too late, just before sending", platform=self.platform
                )
            trace = {"trace": deadline.trace}
            parts = {"params": params, "json": json, "data": data, "content": content, "headers": headers}
            request = self._request(self._writes, method, path, **parts, extensions=trace)
            answer = self._exchange(self._writes, request, deadline.moment, blot)
        if isinstance(answer, Reply):
            return self._judged(answer, judge)
        kind = NotSentError if isinstance(answer, NEVER_LEFT) else OutcomeUnknownError
        raise kind(self._line(request, answer), platform=self.platform)

    def _request(self, client: httpx.Client, method: str, path: str, **parts: Any) -> httpx.Request:
        with contextlib.suppress(httpx.InvalidURL, ValueError, TypeError):
            return client.build_request(method, path, **parts)
        raise ConfigurationError(f"{self.platform}: {method} cannot be put into a request", platform=self.platform)

    def _exchange(
        self, client: httpx.Client, request: httpx.Request, deadline: float, blot: Blotter
    ) -> Reply | httpx.HTTPError:
        """The answer, or the library's error: as a value, so that it stands in the context of none of ours."""
        ended = self._witness(request.method, request.url.path)
        try:
            reply = _reply(client.send(request, stream=True), deadline, blot)
        except httpx.HTTPError as error:
            ended(type(error).__name__)
            return error
        ended(str(reply.status))
        return reply

    def _blotter(self, *sent: Any) -> Blotter:
        """For one exchange: what the transport knows to be secret, and what this request carries as such."""
        carried = blotter(secrets_in(*sent))
        return lambda body: carried(self._blot(body))

    def _take_turn(self, cost: int, patience: float, *, urgent: bool) -> None:
        """Wait for the shared rate budget; nothing is sent when it takes longer than `patience` seconds."""
        missing = take(self._pace, cost, patience, urgent=urgent)
        if missing:
            message = f"{self.platform}: the rate budget is used up for {missing:.1f} s, nothing was sent"
            raise RateLimitedError(message, platform=self.platform, retry_after=missing)

    def _judged(self, reply: Reply, judge: Judge) -> Any:
        """The verdict; what the answer says about the rate limit goes to everybody who shares it."""
        used = self._usage(reply) if self._usage else None
        if used is not None and used >= NEARLY_USED_UP:
            self._pace.hold(REST)
        try:
            return judge(reply)
        except RateLimitedError as error:
            told = self._wait(reply)
            # A verdict that names another wait speaks of one object, such as an ad set that was changed too often.
            if told and (error.retry_after is None or abs(error.retry_after - told) < 1):
                self._pace.hold(told)
            raise

    def _worth_another_try(self, until: float, error: Exception) -> bool | float:
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            wait = error.retry_after + random.uniform(0, SPREAD)
            return wait if time.monotonic() + wait < until else False
        return isinstance(error, TransientError | RateLimitedError)

    def _line(self, request: httpx.Request, error: httpx.HTTPError) -> str:
        return f"{self.platform}: {request.method} {request.url.path} failed: {type(error).__name__}"


def _reply(response: httpx.Response, deadline: float, blot: Blotter) -> Reply:
    with contextlib.closing(response):
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise httpx.DecodingError("the answer is larger than any we expect", request=response.request)
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the exchange outlasted its deadline", request=response.request)
    headers = httpx.Headers([(blot(name), blot(value)) for name, value in response.headers.raw])
    return Reply(response.status_code, headers, blot(bytes(body)))


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


@cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes longer than most requests: once is enough."""
    return httpx.create_ssl_context(trust_env=False)


def _client(base_url: str, headers: Mapping[str, str], timeout: httpx.Timeout, keepalive: int) -> httpx.Client:
    return httpx.Client(
        base_url=base_url,
        headers=dict(headers),
        timeout=timeout,
        verify=_tls(),
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
