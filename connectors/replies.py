"""What a platform answered, made safe to look at: strict JSON, bounded texts, and errors by HTTP status."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)

MESSAGE_LENGTH = 300
LONGEST_WAIT = 86_400.0

ErrorTable = Iterable[tuple[Container[int], type[ConnectorError]]]

STATUS_ERRORS: ErrorTable = (
    ({401}, AuthenticationError),
    ({402, 403, 423}, PermissionDeniedError),
    ({404}, NotFoundError),
    ({408, 425}, TransientError),
    ({429}, RateLimitedError),
    (range(500, 600), TransientError),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole; our own secrets are already blotted out of `headers` and `body`."""

    status: int
    headers: httpx.Headers
    body: bytes

    def document(self) -> dict[str, Any]:
        """The body as a JSON object, numbers with a point as `Decimal`; `ValueError` when it is not one."""
        try:
            # Other encodings than UTF-8 are refused: secrets are blotted out in UTF-8 only.
            value = json.loads(self.body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse_constant)
        except (ArithmeticError, RecursionError) as error:
            raise ValueError("not a sane JSON document") from error
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        return value

    def retry_after(self) -> float | None:
        """Seconds asked for by the Retry-After header (a number or an HTTP date), if it is there and sane."""
        text = self.headers.get("Retry-After", "")
        try:
            seconds = float(text)
        except ValueError:
            seconds = _seconds_until(text)
        return seconds if 0 <= seconds <= LONGEST_WAIT else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _seconds_until(http_date: str) -> float:
    try:
        moment = parsedate_to_datetime(http_date)
    except ValueError:
        return -1.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()


def plain(text: object, limit: int = MESSAGE_LENGTH) -> str:
    """A text from outside as one short printable line (no control, bidi or surrogate characters)."""
    line = "".join(c if c.isprintable() else " " for c in str(text)[: 4 * limit])
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def kind_of(code: int, table: ErrorTable, otherwise: type[ConnectorError]) -> type[ConnectorError]:
    """The class of the first row of `table` that holds `code`."""
    return next((kind for codes, kind in table if code in codes), otherwise)


def build(
    kind: type[ConnectorError], message: str, *, platform: str, code: str, retry_after: float | None = None
) -> ConnectorError:
    """An error of `kind`; `retry_after` is kept only by the kind that knows it."""
    if issubclass(kind, RateLimitedError):
        return kind(message, platform=platform, code=code, retry_after=retry_after)
    return kind(message, platform=platform, code=code)


def status_error(platform: str, reply: Reply) -> ConnectorError:
    """The error of a read whose body says nothing more than its HTTP status."""
    kind = TransientError if reply.status == 200 else kind_of(reply.status, STATUS_ERRORS, ConfigurationError)
    message = f"{platform}: unreadable answer, HTTP status {reply.status}"
    return build(kind, message, platform=platform, code=str(reply.status), retry_after=reply.retry_after())
