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
TRUNCATED = "X-Tt-Ads-Throttle"

THROTTLED = frozenset({40100, 40132, 61000})
DEAD_TOKEN = frozenset({40102, 40103, 40104, 40105, 40110, 40114})
FORBIDDEN = frozenset({40001, 40113, 40118, 40130, 40300, 40301, 41000})
MISSING = frozenset({40007})
TOO_LARGE = frozenset({40067})
NO_SUCH_CALL = frozenset({40009, 40010, 40013, 40400, 41001, 41002})  # here, in this version, or for this sandbox
WRONG_REQUEST = frozenset({40000, 40002, 40011, 40012, 40061, 40502}) | NO_SUCH_CALL
REFUSED_FILES = frozenset({*range(40903, 40917)}) - {40913}  # 40901, 40902 and 40913 are still at work


class TooMuchDataError(ConfigurationError):
    """A report that TikTok refuses or truncates for its size: fewer ad groups at a time are answered whole."""


READ: ErrorTable = (
    (THROTTLED | {40016}, RateLimitedError),
    (DEAD_TOKEN, AuthenticationError),
    (FORBIDDEN, PermissionDeniedError),
    (MISSING, NotFoundError),
    (TOO_LARGE, TooMuchDataError),
    (WRONG_REQUEST | REFUSED_FILES, ConfigurationError),
)
WRITE: ErrorTable = (
    (THROTTLED, RateLimitedError),
    (DEAD_TOKEN, AuthenticationError),
    (FORBIDDEN | MISSING | TOO_LARGE | WRONG_REQUEST | REFUSED_FILES, RefusedError),
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


def judge_report(reply: Reply) -> dict[str, Any]:
    """As `judge_read`. A report on more than 20,000 ads comes without the older ones and says so in a header."""
    data = judge_read(reply)
    if reply.headers.get(TRUNCATED, "").lower() not in ("", "0", "false"):
        raise TooMuchDataError("tiktok: the report was truncated", platform=Platform.TIKTOK)
    return data


def judge_write(reply: Reply, external_id: str = "") -> None:
    """Return when TikTok says that the write of the object succeeded; only listed codes say that it was refused."""
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
    _judge_parts(reply, code, document.get("data"), external_id)


def _judge_parts(reply: Reply, code: int, data: Any, external_id: str) -> None:
    """The entry of `error_list` about the object, or one that names none; an entry about another decides nothing."""
    entries = data.get("error_list") if isinstance(data, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and (not external_id or _ids(entry) <= {external_id}):
            inner = _code({"code": entry.get("error_code", entry.get("code"))}) or code
            message = entry.get("error_message", entry.get("message"))
            raise _error(reply, inner, message, kind_of(inner, WRITE, OutcomeUnknownError))
    if code != OK or entries:
        raise _error(reply, code, "partly done, without saying what", OutcomeUnknownError)


def _ids(entry: dict[str, Any]) -> set[str]:
    return {str(value) for name, value in entry.items() if name.endswith("_id")}


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
