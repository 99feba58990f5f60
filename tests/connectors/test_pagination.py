"""Listings come whole or not at all."""

from __future__ import annotations

import pytest

from connectors import pagination
from connectors.errors import MalformedReplyError, TransientError
from connectors.pagination import by_cursor, by_number


def test_follows_cursors_to_the_end_over_empty_pages_too() -> None:
    pages = {None: ([1], "a"), "a": ([], "b"), "b": ([2, 3], None)}
    assert list(by_cursor(pages.__getitem__)) == [1, 2, 3]


def test_a_repeated_cursor_is_an_error_and_not_an_endless_loop() -> None:
    with pytest.raises(MalformedReplyError):
        list(by_cursor(lambda cursor: ([1], "a")))


def test_too_many_pages_are_an_error_and_never_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "MOST_PAGES", 3)
    with pytest.raises(MalformedReplyError):
        list(by_cursor(lambda cursor: ([1], str(int(cursor or 0) + 1))))
    with pytest.raises(MalformedReplyError):
        by_number(lambda number: ([number], 4, 4), key=int)


def test_reads_numbered_pages_to_the_last() -> None:
    assert by_number(lambda number: ([number], 3, 3), key=int) == [1, 2, 3]
    assert by_number(lambda number: ([], 0, 0), key=int) == []


def test_reads_again_when_a_row_moved_between_pages() -> None:
    passes = iter([[1, 2], [2, 3], [1, 2], [3, 4]])
    assert by_number(lambda number: (next(passes), 2, 4), key=int) == [1, 2, 3, 4]


def test_a_listing_that_never_holds_still_is_an_error() -> None:
    with pytest.raises(TransientError):
        by_number(lambda number: ([1], 2, 2), key=int)
