"""Faults on order: which request is to go wrong, and how. They follow wall time and are not kept on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

KINDS = {
    "rate_limit": "refused for too many requests; nothing is applied",
    "server_error": "the platform's own 500; nothing is applied",
    "expired_token": "the token counts as dead; nothing is applied",
    "drop_before_apply": "the connection is cut before anything is applied",
    "drop_after_apply": "applied, then the connection is cut without an answer",
    "late_apply": "the connection is cut at once, and the request takes effect `seconds` later",
    "slow": "answered `seconds` late",
    "truncated_body": "handled, but only half of the answer arrives",
    "html_body": "handled, but a gateway answers 504 with a page of HTML",
    "too_many_requests": "Shopify's HTTP 429 with Retry-After, as a gateway answers; nothing is applied",
    "webhook_duplicate": "the delivery is made twice, with the same id",
    "webhook_late": "the delivery is made `seconds` later, after younger ones",
}
REFUSALS = ("rate_limit", "server_error", "expired_token", "too_many_requests")  # answered by the face, not handled
PLATFORMS = ("meta", "tiktok", "shopify", "tiktok_shop")
MAX_SECONDS = 600


@dataclass(frozen=True)
class Fault:
    """`platform`, `method` and `path` (a substring) narrow down which requests it hits; "" means any. A fault of
    deliveries looks at the platform and at the address that is pushed to."""

    fault: str
    platform: str = ""
    path: str = ""
    method: str = ""
    count: int = 1
    seconds: float = 2.0


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, body: Any) -> Fault:
        fault = read(body)
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._waiting]

    def take(self, platform: str, method: str, path: str) -> Fault | None:
        """The oldest fault that hits this request, used up by one."""
        return self._take(lambda fault: not _is_of_deliveries(fault) and _hits(fault, platform, method, path))

    def take_delivery(self, platform: str, address: str) -> Fault | None:
        """The oldest fault that hits this delivery, used up by one."""
        return self._take(lambda fault: _is_of_deliveries(fault) and _hits(fault, platform, "POST", address))

    def _take(self, hits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for place, fault in enumerate(self._waiting):
                if hits(fault):
                    left = replace(fault, count=fault.count - 1)
                    self._waiting[place : place + 1] = [left] if left.count else []
                    return fault
        return None


def _is_of_deliveries(fault: Fault) -> bool:
    return fault.fault.startswith("webhook_")


def _hits(fault: Fault, platform: str, method: str, path: str) -> bool:
    return fault.platform in ("", platform) and fault.method in ("", method) and (not fault.path or fault.path in path)


def read(body: Any) -> Fault:
    """A fault from its JSON. Raises ValueError with one clear line."""
    if not isinstance(body, dict) or str(body.get("fault")) not in KINDS:
        raise ValueError(f"fault must be one of {', '.join(KINDS)}")
    if unknown := sorted(set(body) - {"fault", "platform", "path", "method", "count", "seconds"}):
        raise ValueError(f"unknown field {unknown[0]}")
    texts = {name: body.get(name) or "" for name in ("platform", "path", "method")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("platform, path and method must be text")
    if texts["platform"] not in ("", *PLATFORMS):
        raise ValueError(f"platform must be one of {', '.join(PLATFORMS)}")
    if body["fault"] == "too_many_requests" and texts["platform"] != "shopify":
        raise ValueError("too_many_requests is Shopify's own")
    count, seconds = body.get("count", 1), body.get("seconds", 2.0)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 100_000:
        raise ValueError("count must be an integer from 1 to 100000")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_SECONDS:
        raise ValueError(f"seconds must be a number from 0 to {MAX_SECONDS}")
    return Fault(str(body["fault"]), texts["platform"], texts["path"], texts["method"].upper(), count, float(seconds))
