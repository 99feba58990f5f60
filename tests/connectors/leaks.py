"""Where a secret could come out: every log there is, and what errors say of themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from connectors import http


def listen(caplog: pytest.LogCaptureFixture) -> None:
    """Every logger, those of the HTTP libraries too, tells all that it has to tell."""
    caplog.set_level(logging.DEBUG)
    for name in {*logging.root.manager.loggerDict, *http.LOGGERS, "stamina", "werkzeug"}:
        caplog.set_level(logging.DEBUG, logger=name)


def texts_of(error: BaseException | None) -> Iterator[str]:
    """What an error and everything that it hangs on say of themselves."""
    while error is not None:
        yield from (str(error), repr(error), repr(error.args), *map(str, getattr(error, "__notes__", ())))
        error = error.__cause__ or error.__context__
