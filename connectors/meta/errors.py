"""Meta's error codes by what to do next (marketing-api error reference; see NOTES.md).

Meta answers errors as `{"error": {...}}`, mostly with HTTP 400. A write is refused only by a code listed
here; whatever else comes back leaves its outcome unknown.
"""

from __future__ import annotations

import json
from typing import Any

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RefusedError,
    TransientError,
)
from connectors.replies import STATUS_ERRORS, ErrorTable, Reply, build, kind_of, plain, status_error


class TooMuchDataError(ConfigurationError):
    """The report asked for is too large: ask for fewer days."""


THROTTLED = frozenset({4, 17, 32, 613, *range(80000, 80015)})
DEAD_TOKEN = frozenset({102, 190})
TEMPORARY = frozenset({1, 2, 960})
FORBIDDEN = frozenset({10, *range(200, 300)})
POLICY = frozenset({341, 368})
PARAMETER = frozenset({100})

TOO_MUCH_DATA = (100, 1487534)
NO_SUCH_OBJECT = (100, 33)
BUDGET_CHANGED_TOO_OFTEN = (613, 1487632)
HOUR = 3600.0

READ: ErrorTable = (
    (THROTTLED, RateLimitedError),
    (DEAD_TOKEN, AuthenticationError),
    (TEMPORARY, TransientError),
    (FORBIDDEN | POLICY, PermissionDeniedError),
    ({33, 803}, NotFoundError),
    (PARAMETER, ConfigurationError),
)
WRITE: ErrorTable = (
    (THROTTLED, RateLimitedError),
    (DEAD_TOKEN, AuthenticationError),
    (FORBIDDEN | POLICY | PARAMETER, RefusedError),
)


def judge_read(reply: Reply) -> dict[str, Any]:
    """The document of a read, or the error that Meta reports in it."""
    try:
        document = reply.document()
    except ValueError:
        raise status_error(Platform.META, reply) from None
    if "error" in document:
        raise _error(reply, document["error"], _read_kind)
    if reply.status != 200:
        raise status_error(Platform.META, reply)
    return document


def judge_write(reply: Reply) -> None:
    """Return when Meta says that the write succeeded; only listed codes say that nothing was applied."""
    try:
        document = reply.document()
    except ValueError:
        document = {}
    if "error" in document:
        raise _error(reply, document["error"], _write_kind)
    if reply.status != 200 or document.get("success") is not True:
        message = f"meta: the answer to a write says neither yes nor no, HTTP status {reply.status}"
        raise OutcomeUnknownError(message, platform=Platform.META, code=str(reply.status))


def _error(reply: Reply, error: Any, kind_for: Any) -> ConnectorError:
    details = error if isinstance(error, dict) else {}
    code, subcode = _number(details.get("code")), _number(details.get("error_subcode"))
    shown = f"{code}/{subcode}" if subcode else str(code)
    return build(
        kind_for(reply.status, code, subcode, details.get("is_transient") is True),
        f"meta error {shown}: {plain(details.get('message', ''))}",
        platform=Platform.META,
        code=shown,
        retry_after=HOUR if (code, subcode) == BUDGET_CHANGED_TOO_OFTEN else _wait(reply),
    )


def _read_kind(status: int, code: int, subcode: int, is_transient: bool) -> type[ConnectorError]:
    if (code, subcode) == TOO_MUCH_DATA:
        return TooMuchDataError
    if (code, subcode) == NO_SUCH_OBJECT:
        return NotFoundError
    if is_transient and code not in THROTTLED | DEAD_TOKEN:
        return TransientError
    return kind_of(code, READ, kind_of(status, STATUS_ERRORS, ConfigurationError))


def _write_kind(status: int, code: int, subcode: int, is_transient: bool) -> type[ConnectorError]:
    if status >= 500 or (is_transient and code not in THROTTLED):
        return OutcomeUnknownError
    return kind_of(code, WRITE, OutcomeUnknownError)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1 if value is not None else 0


def _wait(reply: Reply) -> float | None:
    """Seconds until access returns: Retry-After, else the longest wait of the usage header (in minutes)."""
    seconds = reply.retry_after()
    if seconds is not None:
        return seconds
    try:
        usage = json.loads(reply.headers.get("X-Business-Use-Case-Usage", ""))
        minutes = [entry["estimated_time_to_regain_access"] for one in usage.values() for entry in one]
        longest = max((m for m in minutes if isinstance(m, int)), default=0)
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return None
    return 60.0 * longest if 0 < longest <= 24 * 60 else None
