"""How fast one may ask a platform: what `connectors.http` needs to know of it, without a database.

The shared implementation is `connectors.rate_budget`; a transport without a pace asks as fast as it can.
"""

from __future__ import annotations

import time
from typing import Protocol


class Pace(Protocol):
    """A budget of points that everybody who asks the same platform for the same thing draws from."""

    @property
    def read_cost(self) -> int: ...

    @property
    def write_cost(self) -> int: ...

    def reserve(self, cost: int, patience: float) -> float:
        """Seconds to wait before sending (0: at once). Longer than `patience`: nothing was booked, do not send."""
        ...

    def reserve_urgent(self, cost: int, patience: float) -> float:
        """The same for what may use the part that all else has to leave over."""
        ...

    def held(self) -> float:
        """Seconds that everybody has to stay away (0: nobody said so)."""
        ...

    def hold(self, seconds: float) -> None:
        """The platform said to stay away for so long: nobody who shares this budget asks before."""
        ...


class Unpaced:
    """The pace of who need not care: everything at once."""

    read_cost = write_cost = 1

    def reserve(self, cost: int, patience: float) -> float:
        return 0.0

    reserve_urgent = reserve

    def held(self) -> float:
        return 0.0

    def hold(self, seconds: float) -> None:
        pass


def take(pace: Pace, cost: int, patience: float, *, urgent: bool) -> float:
    """Book `cost` points and wait for them. More than 0: so many seconds too short was `patience`; do not send.

    Whoever has waited looks again: somebody may have been told to stay away meanwhile.
    """
    until = time.monotonic() + patience
    wait = (pace.reserve_urgent if urgent else pace.reserve)(cost, patience)
    while wait > 0:
        if time.monotonic() + wait > until:
            return wait
        time.sleep(wait)
        wait = pace.held()
    return 0.0
