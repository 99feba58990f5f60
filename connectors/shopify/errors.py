"""Shopify's errors by what to do next. Errors of GraphQL come with HTTP 200 and a code in `extensions`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RefusedError,
    TransientError,
)
from connectors.fields import Row
from connectors.replies import STATUS_ERRORS, ErrorTable, Reply, build, kind_of, plain, status_error


class TooCostlyError(ConfigurationError):
    """One query costs more than Shopify allows: ask for a smaller page."""


Codes = dict[str, type[ConnectorError]]

# Found before anything is executed.
REFUSED: Codes = {
    "THROTTLED": RateLimitedError,
    "MAX_COST_EXCEEDED": TooCostlyError,
    "ACCESS_DENIED": PermissionDeniedError,
}
READ: Codes = REFUSED | {"INTERNAL_SERVER_ERROR": TransientError, "TIMEOUT": TransientError}
# Of mutations, in `userErrors`: as many bulk operations run as Shopify will run at once.
BUSY: Codes = {"LIMIT_REACHED": RateLimitedError, "OPERATION_IN_PROGRESS": RateLimitedError}

# Our own app is set up wrongly; whatever else the token endpoint refuses is a code or token that is dead.
APP_ERRORS = frozenset({"invalid_client", "unauthorized_client", "application_cannot_be_found", "invalid_scope"})
LOGIN_STATUS: ErrorTable = (({400}, AuthenticationError), *STATUS_ERRORS)


def judge_read(reply: Reply) -> dict[str, Any]:
    """The `data` of a query that succeeded as a whole: data beside errors is an error."""
    document = _document(reply)
    if reply.status != 200:
        raise _refusal(reply, document)
    if document.get("errors"):
        raise _error(reply, document, READ, ConfigurationError)
    data = document.get("data")
    if not isinstance(data, dict):
        raise status_error(Platform.SHOPIFY, reply)
    return data


def judge_write(reply: Reply) -> Row:
    """The payload of the one mutation that was sent.

    Only what Shopify says in `userErrors`, by a code of `REFUSED` or by a status below 500 says that nothing was
    applied; anything else leaves the outcome unknown.
    """
    if 400 <= reply.status < 500 and reply.status not in (408, 425):
        raise status_error(Platform.SHOPIFY, reply)
    try:
        document = reply.document() if reply.status == 200 else {}
    except ValueError:
        document = {}
    if document.get("errors"):
        raise _error(reply, document, REFUSED, OutcomeUnknownError)
    payload = next(iter(_dict(document.get("data")).values()), None)
    if not isinstance(payload, dict) or not isinstance(payload.get("userErrors"), list):
        message = f"shopify: the answer to a mutation says neither yes nor no, HTTP status {reply.status}"
        raise OutcomeUnknownError(message, platform=Platform.SHOPIFY, code=str(reply.status))
    if payload["userErrors"]:
        raise _error(reply, {"errors": payload["userErrors"]}, BUSY, RefusedError)
    return payload


def judge_login(reply: Reply) -> Row:
    """The document of the token endpoint: OAuth's own errors, or a page for people."""
    try:
        document = reply.document()
    except ValueError:
        document = {}
    if reply.status == 200 and document and "error" not in document:
        return document
    code = plain(document.get("error", ""), 40)
    otherwise = TransientError if reply.status == 200 else ConfigurationError
    kind = ConfigurationError if code in APP_ERRORS else kind_of(reply.status, LOGIN_STATUS, otherwise)
    message = f"shopify: the login was not accepted, HTTP status {reply.status} {code}".strip()
    raise build(kind, message, platform=Platform.SHOPIFY, code=code, retry_after=reply.retry_after())


def _refusal(reply: Reply, document: dict[str, Any]) -> ConnectorError:
    """By its HTTP status, in Shopify's words where it says any."""
    error, told = status_error(Platform.SHOPIFY, reply), document.get("errors")
    if not isinstance(told, str) or not told:
        return error
    message = f"shopify: HTTP status {reply.status}: {plain(told)}"
    return build(type(error), message, platform=Platform.SHOPIFY, code=error.code, retry_after=reply.retry_after())


def _document(reply: Reply) -> dict[str, Any]:
    try:
        return reply.document()
    except ValueError:
        raise status_error(Platform.SHOPIFY, reply) from None


def _error(reply: Reply, document: dict[str, Any], codes: Codes, otherwise: type[ConnectorError]) -> ConnectorError:
    """The first error; a code stands in `extensions`, in `userErrors` beside the message."""
    errors = document["errors"]
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {"message": errors}
    code = str(_dict(first.get("extensions")).get("code") or first.get("code") or "")
    wait = reply.retry_after()
    return build(
        codes.get(code, otherwise),
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
