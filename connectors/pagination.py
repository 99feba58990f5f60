"""Listings read whole or not at all: one that does not end, turns in circles or loses rows is an error."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

from connectors.errors import MalformedReplyError, TransientError

MOST_PAGES = 5_000
LISTING_ATTEMPTS = 3

T = TypeVar("T")


def by_cursor(fetch: Callable[[str | None], tuple[list[T], str | None]]) -> Iterator[T]:
    """All rows of a listing whose pages each name the next (`None`: the end)."""
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        rows, cursor = fetch(cursor)
        yield from rows
        if cursor is None:
            return
        if cursor in seen:
            raise MalformedReplyError("the listing repeats a cursor")
        seen.add(cursor)
    raise MalformedReplyError(f"the listing has more than {MOST_PAGES} pages")


def by_number(fetch: Callable[[int], tuple[list[T], int, int]], key: Callable[[T], Hashable]) -> list[T]:
    """All rows of a listing with numbered pages; `fetch` gives rows, number of pages, number of rows.

    Rows can move between pages while one reads, so the distinct rows are counted against the platform's own
    total, and the listing is read again when they differ.
    """
    for _ in range(LISTING_ATTEMPTS):
        found, total = _one_pass(fetch, key)
        if len(found) == total:
            return list(found.values())
    raise TransientError(f"the listing moved while it was read: {len(found)} rows of {total}")


def _one_pass(
    fetch: Callable[[int], tuple[list[T], int, int]], key: Callable[[T], Hashable]
) -> tuple[dict[Hashable, T], int]:
    found: dict[Hashable, T] = {}
    for number in range(1, MOST_PAGES + 1):
        rows, pages, total = fetch(number)
        found |= {key(row): row for row in rows}
        if number >= pages:
            return found, total
    raise MalformedReplyError(f"the listing has more than {MOST_PAGES} pages")
