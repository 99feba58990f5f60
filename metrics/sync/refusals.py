"""Figures that no table can hold: an answer of the platform that is malformed, not a crash of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DataError, IntegrityError

from connectors.errors import MalformedReplyError


@contextmanager
def storable(what: object) -> Iterator[None]:
    """Around a transaction that stores an answer: what the database refuses is a `MalformedReplyError`."""
    try:
        yield
    except (DataError, IntegrityError, OverflowError) as error:
        raise MalformedReplyError(f"{what}: the platform's answer cannot be stored ({type(error).__name__})") from error
