"""Shopify's errors by what to do next. Errors of GraphQL come with HTTP 200 and a code in `extensions`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.contracts import Platform
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)
from connectors.replies import Reply, build, plain, status_error


class TooCostlyError(ConfigurationError):
    """One query costs more than Shopify allows: ask for a smaller page."""


CODES: Mapping[str, type[ConnectorError]] = {
    "THROTTLED": RateLimitedError,
    "MAX_COST_EXCEEDED": TooCostlyError,
    "ACCESS_DENIED": PermissionDeniedError,
    "INTERNAL_SERVER_ERROR": TransientError,
    "TIMEOUT": TransientError,
}


def judge_read(reply: Reply) -> dict[str, Any]:
    """The `data` of a query that succeeded as a whole: data beside errors is an error."""
    try:
        document = reply.document()
    except ValueError:
        raise status_error(Platform.SHOPIFY, reply) from None
    if reply.status != 200:
        raise status_error(Platform.SHOPIFY, reply)
    if document.get("errors"):
        raise _error(reply, document)
    data = document.get("data")
    if not isinstance(data, dict):
        raise status_error(Platform.SHOPIFY, reply)
    return data


def _error(reply: Reply, document: dict[str, Any]) -> ConnectorError:
    errors = document["errors"]
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {"message": errors}
    code = str(_dict(first.get("extensions")).get("code", ""))
    wait = reply.retry_after()
    return build(
        CODES.get(code, ConfigurationError),
        f"shopify error {plain(code, 40)}: {plain(first.get('message', ''))}",
        platform=Platform.SHOPIFY,
        code=plain(code, 40),
        retry_after=_refill(document) if wait is None else wait,
    )


def _refill(document: dict[str, Any]) -> float | None:
    """Seconds until the bucket holds what the query asks for, as Shopify's own cost figures say."""
    cost = _dict(_dict(document.get("extensions")).get("cost"))
    status = _dict(cost.get("throttleStatus"))
    asked, left, rate = (
        _number(cost.get("requestedQueryCost")),
        _number(status.get("currentlyAvailable")),
        _number(status.get("restoreRate")),
    )
    if asked is None or left is None or not rate:
        return None
    return min(max((asked - left) / rate, 0.1), 60.0)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | Decimal) and 0 <= value < 10**9 else None
