"""The state file: one JSON object per line, appended before its effect, replayed at the next start.

Lines are `config` (what the world is built from), `clock` (how far it got), `write` (a ledger row with its
effect: one field set, or one object created), `token` (a token as it now is), `token_end`, and the webhooks that the
stores' faces keep (`shop_webhook` is TikTok Shop's). A last line cut off by a crash never took effect and is removed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

Entry = dict[str, Any]


class StateError(Exception):
    """The state file cannot be used; the message says why in one line."""


class Journal:
    """Append-only, one process at a time. Without a path it remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file = _open(path) if path is not None else None
        try:
            self._entries = list(_load(path)) if path is not None else []
        except StateError:
            self.close()
            raise

    def entries(self) -> list[Entry]:
        return self._entries

    def append(self, entry: Entry) -> None:
        if self._file is not None:
            self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _open(path: Path) -> TextIO:
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot use the state file: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StateError("the state file is in use by another sandbox") from error
    return file


def _load(path: Path) -> Iterator[Entry]:
    """Yield the entries of a state file; a new file has none."""
    raw = path.read_bytes()
    complete = raw[: raw.rfind(b"\n") + 1]
    if complete != raw:
        os.truncate(path, len(complete))
    for number, line in enumerate(complete.splitlines(), 1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise StateError(f"the state file is damaged at line {number}") from error
        if not isinstance(entry, dict) or "kind" not in entry:
            raise StateError(f"the state file is damaged at line {number}")
        yield entry
