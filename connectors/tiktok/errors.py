"""TikTok's codes by what to do next (tiktok_code.py of the official SDK; see NOTES.md).

Every answer is HTTP 200 with `{"code", "message", "request_id", "data"}`. A write is refused only by a code
listed here; whatever else comes back leaves its outcome unknown.
"""

from __future__ import annotations

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
from connectors.replies import ErrorTable, Reply, build, kind_of, plain, status_error

OK, PARTLY = 0, 20001

THROTTLED = frozenset({40100, 40132, 61000})
DEAD_TOKEN = frozenset({40102, 40103, 40104, 40105, 40110, 40114})
FORBIDDEN = frozenset({40001, 40113, 40118, 40130, 40300, 40301, 41000})
MISSING = frozenset({40007})
WRONG_REQUEST = frozenset({40000, 40002, 40009, 40010, 40011, 40012, 40013, 40061, 40067, 40400, 40502, 41001, 41002})

READ: ErrorTable = (
    (THROTTLED | {40016}, RateLimitedError),
    (DEAD_TOKEN, AuthenticationError),
    (FORBIDDEN, PermissionDeniedError),
    (MISSING, NotFoundError),
    (WRONG_REQUEST, ConfigurationError),
)
WRITE: ErrorTable = (
    (THROTTLED, RateLimitedError),
    (DEAD_TOKEN, AuthenticationError),
    (FORBIDDEN | MISSING | WRONG_REQUEST, RefusedError),
)


def judge_read(reply: Reply) -> dict[str, Any]:
    """The `data` of a read. A code that we do not know is worth another try."""
    try:
        document = reply.document()
    except ValueError:
        raise status_error(Platform.TIKTOK, reply) from None
    code = _code(document)
    if reply.status != 200 or code is None:
        raise status_error(Platform.TIKTOK, reply)
    if code != OK:
        raise _error(reply, code, document.get("message"), kind_of(code, READ, TransientError))
    data = document.get("data")
    return data if isinstance(data, dict) else {}


def judge_write(reply: Reply) -> None:
    """Return when TikTok says that the write succeeded; only listed codes say that nothing was applied."""
    try:
        document = reply.document()
    except ValueError:
        document = {}
    code = _code(document)
    if reply.status != 200 or code is None:
        message = f"tiktok: unreadable answer to a write, HTTP status {reply.status}"
        raise OutcomeUnknownError(message, platform=Platform.TIKTOK, code=str(reply.status))
    if code not in (OK, PARTLY):
        raise _error(reply, code, document.get("message"), kind_of(code, WRITE, OutcomeUnknownError))
    _judge_single(reply, code, document.get("data"))


def _judge_single(reply: Reply, code: int, data: Any) -> None:
    """A write names one object, so an entry in `error_list` is about that one."""
    entries = data.get("error_list") if isinstance(data, dict) else None
    if entries and isinstance(entries, list) and isinstance(entries[0], dict):
        inner = _code({"code": entries[0].get("error_code", entries[0].get("code"))}) or code
        message = entries[0].get("error_message", entries[0].get("message"))
        raise _error(reply, inner, message, kind_of(inner, WRITE, OutcomeUnknownError))
    if code != OK or entries:
        raise _error(reply, code, "partly done, without saying what", OutcomeUnknownError)


def _error(reply: Reply, code: int, message: object, kind: type[ConnectorError]) -> ConnectorError:
    return build(
        kind,
        f"tiktok error {code}: {plain(message or '')}",
        platform=Platform.TIKTOK,
        code=str(code),
        retry_after=reply.retry_after(),
    )


def _code(document: dict[str, Any]) -> int | None:
    code = document.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else None
