"""How much of its budget Meta says is used, and when access returns (marketing-api/overview/rate-limiting).

Four headers tell it, each as JSON: percentages per app, ad account and business use case. An answer can speak
of several businesses, and of several use cases of each; the fullest counts. Waits are in minutes in the
business header and in seconds in the account header.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from connectors.replies import LONGEST_WAIT, Reply

APP = "X-App-Usage"
ACCOUNT = "X-Ad-Account-Usage"
BUSINESS = "X-Business-Use-Case-Usage"
INSIGHTS = "X-FB-Ads-Insights-Throttle"
PERCENTAGES = ("call_count", "total_time", "total_cputime", "acc_id_util_pct", "app_id_util_pct")
MOST = 1_000_000.0  # a larger number is none


def usage(reply: Reply) -> float | None:
    """The highest percentage that the answer names, above 100 where a limit is passed; `None` without one."""
    found = [_number(entry.get(name)) for entry in _entries(reply) for name in PERCENTAGES]
    return max((percent for percent in found if percent is not None), default=None)


def wait(reply: Reply) -> float | None:
    """Seconds until access returns: Retry-After, else the longest wait that a usage header names."""
    seconds = reply.retry_after()
    if seconds is not None:
        return seconds
    minutes = (_number(entry.get("estimated_time_to_regain_access")) for entry in _entries(reply))
    resets = (_number(entry.get("reset_time_duration")) for entry in _entries(reply))
    longest = max([60 * (m or 0) for m in minutes] + [s or 0 for s in resets], default=0)
    return longest if 0 < longest <= LONGEST_WAIT else None


def _entries(reply: Reply) -> Iterator[dict[str, Any]]:
    """Every flat object of the headers; what is no such object is passed over."""
    for name in (APP, ACCOUNT, INSIGHTS):
        yield from _objects([_header(reply, name)])
    business = _header(reply, BUSINESS)
    for cases in business.values() if isinstance(business, dict) else ():
        yield from _objects(cases if isinstance(cases, list) else ())


def _header(reply: Reply, name: str) -> Any:
    try:
        return json.loads(reply.headers.get(name) or "null")
    except (ValueError, RecursionError):
        return None


def _objects(values: Any) -> Iterator[dict[str, Any]]:
    return (value for value in values if isinstance(value, dict))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        return None
    return float(value)
