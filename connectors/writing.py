"""What every connector's write does around the one request: reads before and after it, and what their failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.errors import (
    ConnectorError,
    MalformedReplyError,
    NotSentError,
    RateLimitedError,
    TransientError,
    UnverifiedError,
)


@contextmanager
def nothing_sent(platform: str) -> Iterator[None]:
    """Around a read that a write needs first: when it fails in passing, the write did not happen."""
    try:
        yield
    except (TransientError, RateLimitedError, MalformedReplyError) as error:
        raise NotSentError(f"{platform}: nothing was sent: {error}", platform=platform) from error


@contextmanager
def reading_back(platform: str) -> Iterator[None]:
    """Around the read that follows an accepted write: however it fails, the write may stand."""
    try:
        yield
    except ConnectorError as error:
        raise UnverifiedError(f"{platform}: accepted, but not read back: {error}", platform=platform) from error
