"""Webhooks that the platforms push: real HTTP requests to the addresses that were subscribed.

One thread sends them, one after the other, and again when an address does not answer 2xx within five seconds: eight
more times, each wait twice as long as the one before. The body stays as it was when the event happened.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from connectors.sandbox.faults import Faults

TIMEOUT = httpx.Timeout(5.0, connect=1.0)
RETRIES = 8


@dataclass(order=True)
class _Delivery:
    due: float  # monotonic seconds
    number: int
    address: str = field(compare=False)
    body: bytes = field(compare=False)
    headers: dict[str, str] = field(compare=False)
    gave_up: Callable[[], None] | None = field(compare=False, default=None)
    failures: int = field(compare=False, default=0)


class Pushes:
    """`retry_seconds` is the first wait after a failure, in wall time; a test makes it short."""

    def __init__(self, faults: Faults) -> None:
        self.retry_seconds = 30.0
        self._faults = faults
        self._due: list[_Delivery] = []
        self._changed = threading.Condition()
        self._sent = 0
        self._is_busy = self._is_closed = False
        self._thread: threading.Thread | None = None

    def send(
        self,
        platform: str,
        address: str,
        body: bytes,
        headers: Mapping[str, str],
        gave_up: Callable[[], None] | None = None,
    ) -> None:
        """Queue one delivery; returns at once. Faults `webhook_duplicate` and `webhook_late` apply to it. `gave_up`
        is called, from the sending thread, when the last try has failed. Raises ValueError for an address that is
        no http(s) URL."""
        if not is_address(address):
            raise ValueError("deliveries go to http and https addresses only")
        fault = self._faults.take_delivery(platform, address)
        wait = fault.seconds if fault is not None and fault.fault == "webhook_late" else 0.0
        times = 2 if fault is not None and fault.fault == "webhook_duplicate" else 1
        for _ in range(times):
            self._queue(_Delivery(time.monotonic() + wait, 0, address, body, dict(headers), gave_up))

    def drain(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is left to send, late and failed deliveries included; whether that was so in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._is_busy, timeout)

    def close(self) -> None:
        """What has not been sent by now never is."""
        with self._changed:
            self._is_closed = True
            self._due.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(TIMEOUT.read)

    def _queue(self, delivery: _Delivery) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._sent += 1
            delivery.number = self._sent
            heapq.heappush(self._due, delivery)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        with httpx.Client(trust_env=False, timeout=TIMEOUT) as client:
            while (delivery := self._next()) is not None:
                if not _is_taken(client, delivery):
                    self._failed(delivery)
                with self._changed:
                    self._is_busy = False
                    self._changed.notify_all()

    def _next(self) -> _Delivery | None:
        with self._changed:
            while not self._is_closed:
                wait = self._due[0].due - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._is_busy = True
                    return heapq.heappop(self._due)
                self._changed.wait(wait)
        return None

    def _failed(self, delivery: _Delivery) -> None:
        delivery.failures += 1
        if delivery.failures <= RETRIES:
            delivery.due = time.monotonic() + self.retry_seconds * 2 ** (delivery.failures - 1)
            self._queue(delivery)
        elif delivery.gave_up is not None:
            delivery.gave_up()


def is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text
    except ValueError:
        return False


def _is_taken(client: httpx.Client, delivery: _Delivery) -> bool:
    try:
        return client.post(delivery.address, content=delivery.body, headers=delivery.headers).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
