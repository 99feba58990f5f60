"""TikTok Shop's codes by what to do next (Partner Center, "Common errors"; see NOTES.md).

Every answer is `{"code", "message", "request_id", "data"}`, 0 is success, and the HTTP status is not always telling.
One code, 36009004, stands for many causes that only its message tells apart.
"""

from __future__ import annotations

from typing import Any

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)
from connectors.replies import STATUS_ERRORS, ErrorTable, Reply, build, kind_of, plain, status_error

OK = 0
MANY_CAUSES = 36009004
DEEPEST = 30

THROTTLED = frozenset({36009002, 36009037})  # the second is the hourly limit of a development shop
DEAD_TOKEN = frozenset({105001, 105002})  # not one for this, and expired
DEAD_LOGIN = frozenset({36004001, 36004004, 36004005})  # of the token endpoints: expired, used or unknown
INACTIVE = frozenset({36009043, 36009044})  # the shop, and its seller
FORBIDDEN = frozenset({105005, 36009033}) | INACTIVE
PASSING = frozenset({36009003, 36009007})
WRONG_REQUEST = frozenset(
    {40006, 101000, 106001, 106013, MANY_CAUSES, 36009009, 36009010, 36009014, 36009022, 36009023}
)

CODES: ErrorTable = (
    (THROTTLED, RateLimitedError),
    (DEAD_TOKEN | DEAD_LOGIN, AuthenticationError),
    (FORBIDDEN, PermissionDeniedError),
    (PASSING, TransientError),
    (WRONG_REQUEST, ConfigurationError),
)


class UnsupportedRegionError(ConfigurationError):
    """A shop or creator of a market that this connector does not serve."""


def judge(reply: Reply) -> dict[str, Any]:
    """The `data` of an answer, without what TikTok leaves blank. A code that we do not know is judged by its status."""
    otherwise = TransientError if reply.status == 200 else ConfigurationError
    return _judged(reply, kind_of(reply.status, STATUS_ERRORS, otherwise))


def judge_login(reply: Reply) -> dict[str, Any]:
    """As `judge`, for the token endpoints: a refusal that we do not know means that there is no living login."""
    told = kind_of(reply.status, STATUS_ERRORS, AuthenticationError)
    return _judged(reply, told if issubclass(told, TransientError | RateLimitedError) else AuthenticationError)


def _judged(reply: Reply, unknown: type[ConnectorError]) -> dict[str, Any]:
    try:
        document = reply.document()
    except ValueError:
        raise status_error(Platform.TIKTOK_SHOP, reply) from None
    code = document.get("code")
    if not isinstance(code, int) or isinstance(code, bool) or (code == OK and reply.status != 200):
        raise status_error(Platform.TIKTOK_SHOP, reply)
    if code != OK:
        raise _error(reply, code, plain(document.get("message") or ""), unknown)
    data = document.get("data")
    found: dict[str, Any] = _filled(data, DEEPEST) if isinstance(data, dict) else {}
    return found


def _error(reply: Reply, code: int, message: str, unknown: type[ConnectorError]) -> ConnectorError:
    kind = kind_of(code, CODES, unknown)
    if code == MANY_CAUSES and ("access_token" in message or "access-token" in message):
        kind = AuthenticationError
    return build(
        kind,
        f"tiktok shop error {code}: {message}",
        platform=Platform.TIKTOK_SHOP,
        code=str(code),
        retry_after=reply.retry_after(),
    )


def _filled(value: Any, deep: int) -> Any:
    """The value without the fields that are null or an empty text: TikTok writes both for "unknown"."""
    if deep == 0:
        raise MalformedReplyError("tiktok shop: the answer is nested too deeply", platform=Platform.TIKTOK_SHOP)
    if isinstance(value, dict):
        return {name: _filled(inner, deep - 1) for name, inner in value.items() if inner is not None and inner != ""}
    if isinstance(value, list):
        return [_filled(inner, deep - 1) for inner in value]
    return value
