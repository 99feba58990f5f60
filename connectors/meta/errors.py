"""Meta's error codes by what to do next (marketing-api error reference; see NOTES.md).

Meta answers errors as `{"error": {...}}`, mostly with HTTP 400. A write is refused only by a code listed
here; whatever else comes back leaves its outcome unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from connectors.meta.usage import wait
from connectors.replies import STATUS_ERRORS, ErrorTable, Reply, build, kind_of, plain, status_error


class TooMuchDataError(ConfigurationError):
    """The report asked for is too large: ask for fewer days."""


class PageTooLargeError(TooMuchDataError):
    """The page asked for is too large: ask for fewer rows."""


THROTTLED = frozenset({4, 17, 32, 613, *range(80000, 80015)})
THROTTLED_SUBCODES = frozenset({1504022, 1504039, 2446079, 1885172, 1487742, 1487632, 1487225, 5044001})
DEAD_TOKEN = frozenset({102, 190})
TEMPORARY = frozenset({1, 2, 960})
FORBIDDEN = frozenset({10, *range(200, 300)})
POLICY = frozenset({341, 368})
PARAMETER = frozenset({100})
OLD_VERSION = frozenset({2635})

TOO_MUCH_DATA = (100, 1487534)
NO_SUCH_OBJECT = (100, 33)
UNKNOWN_SUBCODE = 99  # "an unknown error occurred", whatever the code
LARGE_PAGE = "reduce the amount of data"
PASSING = "in summary param"  # a refusal of fields under (#100) that is gone at the next try
HOUR, DAY = 3600.0, 86_400.0
WAITS = {1487632: HOUR, 1885172: DAY}  # a fifth budget change in an hour; an eleventh spend limit in a day

READ: ErrorTable = (
    (THROTTLED, RateLimitedError),
    (DEAD_TOKEN, AuthenticationError),
    (TEMPORARY, TransientError),
    (FORBIDDEN | POLICY, PermissionDeniedError),
    ({33, 803}, NotFoundError),
    (PARAMETER | OLD_VERSION, ConfigurationError),
)
WRITE: ErrorTable = (
    (THROTTLED, RateLimitedError),
    (DEAD_TOKEN, AuthenticationError),
    (FORBIDDEN | POLICY | PARAMETER | OLD_VERSION, RefusedError),
)


@dataclass(frozen=True, slots=True)
class _Problem:
    """Meta's `error` object beside the HTTP status it came with."""

    status: int
    code: int
    subcode: int
    is_transient: bool
    message: str

    @property
    def is_throttle(self) -> bool:
        return self.code in THROTTLED or self.subcode in THROTTLED_SUBCODES


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


def _error(reply: Reply, error: Any, kind_for: Callable[[_Problem], type[ConnectorError]]) -> ConnectorError:
    details = error if isinstance(error, dict) else {}
    problem = _Problem(
        reply.status,
        code=_number(details.get("code")),
        subcode=_number(details.get("error_subcode")),
        is_transient=details.get("is_transient") is True,
        message=plain(f"{details.get('message', '')} {details.get('error_user_msg') or ''}"),
    )
    shown = f"{problem.code}/{problem.subcode}" if problem.subcode else str(problem.code)
    return build(
        kind_for(problem),
        f"meta error {shown}: {problem.message}",
        platform=Platform.META,
        code=shown,
        retry_after=WAITS.get(problem.subcode) or wait(reply),
    )


def _read_kind(problem: _Problem) -> type[ConnectorError]:
    if (problem.code, problem.subcode) == TOO_MUCH_DATA:
        return TooMuchDataError
    if (problem.code, problem.subcode) == NO_SUCH_OBJECT:
        return NotFoundError
    if problem.is_throttle:
        return RateLimitedError
    if problem.status == 500 and LARGE_PAGE in problem.message:
        return PageTooLargeError
    passing = problem.is_transient or problem.subcode == UNKNOWN_SUBCODE or PASSING in problem.message
    if passing and problem.code not in DEAD_TOKEN:
        return TransientError
    return kind_of(problem.code, READ, kind_of(problem.status, STATUS_ERRORS, ConfigurationError))


def _write_kind(problem: _Problem) -> type[ConnectorError]:
    if problem.status >= 500:
        return OutcomeUnknownError
    if problem.is_throttle:
        return RateLimitedError
    if problem.is_transient or problem.subcode == UNKNOWN_SUBCODE:
        return OutcomeUnknownError
    return kind_of(problem.code, WRITE, OutcomeUnknownError)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1 if value is not None else 0
