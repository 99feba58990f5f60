"""A bound on a whole conversation with a platform, for requests behind which a browser or a queue waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from connectors.errors import TransientError

# Seconds. A web worker that is silent for 30 is killed (gunicorn's default). A page asks for a list twice at most;
# a code works only once, so its exchange is given all there is.
LISTING = 12.0
EXCHANGE = 25.0

T = TypeVar("T")


def within(seconds: float, ask: Callable[[], T], *, platform: str) -> T:
    """What `ask` returns or raises, or `TransientError` after so many seconds, however slowly the answers drip.

    It runs in a thread that is then left to the transport's own deadlines, so it must not touch the database.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, name=f"asking {platform}", daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except TimeoutError:
        raise TransientError(f"no answer within {seconds:.0f} seconds", platform=platform) from None
