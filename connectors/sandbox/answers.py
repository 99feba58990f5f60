"""What the faces share: the request as they see it, JSON answers, and how an answer can be cut short."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status=status, mimetype="application/json", headers=headers)


def loads(text: str, otherwise: Any = None) -> Any:
    """The JSON value of `text`, or `otherwise` when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return otherwise


@dataclass
class Bucket:
    """A leaky allowance in wall time: `size` at most, `rate` per second back."""

    size: float
    rate: float
    level: float = field(init=False)
    touched: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.level = self.size

    def available(self, now: float) -> float:
        if self.touched:
            self.level = min(self.size, self.level + (now - self.touched) * self.rate)
        self.touched = now
        return self.level

    def take(self, amount: float, now: float) -> bool:
        if self.available(now) < amount:
            return False
        self.level -= amount
        return True


__all__ = ["Bucket", "Request", "Response", "answer", "loads"]
