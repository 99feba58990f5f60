"""How the transport shares a rate budget: it books before it asks, and passes on what the platform says."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
import stamina

from connectors import http, pace
from connectors.errors import NotSentError, RateLimitedError, TransientError
from connectors.http import Transport
from connectors.rate_budget import SharedBudget
from connectors.replies import Reply, status_error
from tests.connectors.wire import Wire, says, wire

pytestmark = pytest.mark.usefixtures("quick_retries")

FINE = says({"ok": 1})


@dataclass
class Told:
    """A pace that answers as it was told to; the last answer stands."""

    waits: list[float] = field(default_factory=lambda: [0.0])
    helds: list[float] = field(default_factory=lambda: [0.0])
    booked: list[int] = field(default_factory=list)
    urgent: list[int] = field(default_factory=list)
    holds: list[float] = field(default_factory=list)
    read_cost: int = 1
    write_cost: int = 3

    def reserve_urgent(self, cost: int, patience: float) -> float:
        self.urgent.append(cost)
        return self.reserve(cost, patience)

    def reserve(self, cost: int, patience: float) -> float:
        self.booked.append(cost)
        return self.waits.pop(0) if len(self.waits) > 1 else self.waits[0]

    def held(self) -> float:
        return self.helds.pop(0) if len(self.helds) > 1 else self.helds[0]

    def hold(self, seconds: float) -> None:
        self.holds.append(seconds)


def transport(served: Wire, told: pace.Pace, **options: Any) -> Transport:
    return Transport(served.url, platform="meta", headers={"Authorization": "Bearer t"}, pace=told, **options)


def judge(reply: Reply) -> Any:
    if reply.status != 200:
        raise status_error("meta", reply)
    return reply.document()


def read(served: Wire, told: pace.Pace, calls: int = 1, **options: Any) -> Any:
    return transport(served, told, **options).read("GET", "/x", judge=judge, calls=calls)


def write(served: Wire, told: pace.Pace, **options: Any) -> Any:
    return transport(served, told, **options).write("/x", judge=judge, data={"budget": "1"})


def test_each_request_is_booked_at_its_cost() -> None:
    told = Told(read_cost=2, write_cost=7)
    with wire(FINE) as served:
        read(served, told)
        read(served, told, calls=50)
        write(served, told)
    assert told.booked == [2, 100, 7]


def test_a_write_is_urgent_and_so_is_a_read_that_says_so() -> None:
    told = Told()
    with wire(FINE) as served:
        read(served, told)
        write(served, told)
        transport(served, told).read("GET", "/x", judge=judge, urgent=True)
    assert told.booked == [1, 3, 1]
    assert told.urgent == [3, 1]


def test_every_try_of_a_read_is_booked() -> None:
    told = Told()
    with wire(says(b"", 500)) as served, pytest.raises(TransientError):
        read(served, told)
    assert told.booked == [1] * 3


def test_a_read_waits_its_turn() -> None:
    started = time.monotonic()
    with wire(FINE) as served:
        assert read(served, Told(waits=[0.2])) == {"ok": 1}
    assert time.monotonic() - started >= 0.2


def test_a_read_whose_turn_is_too_far_away_is_not_sent_and_not_tried_again() -> None:
    told = Told(waits=[61.0])
    with wire(FINE) as served:
        with pytest.raises(RateLimitedError, match="nothing was sent") as caught:
            read(served, told)
        assert served.requests == []
    assert caught.value.retry_after == 61
    assert told.booked == [1]
    assert told.holds == []


def test_a_write_waits_for_a_moment_only() -> None:
    with wire(FINE) as served:
        assert write(served, Told(waits=[0.1])) == {"ok": 1}
        with pytest.raises(RateLimitedError, match="nothing was sent") as caught:
            write(served, Told(waits=[http.WRITE_PATIENCE + 1]))
        assert len(served.requests) == 1
    assert caught.value.retry_after == http.WRITE_PATIENCE + 1


def test_who_has_waited_looks_whether_all_were_told_to_stay_away_meanwhile() -> None:
    with wire(FINE) as served:
        assert read(served, Told(waits=[0.01], helds=[0.01, 0.02, 0.0])) == {"ok": 1}
        with pytest.raises(RateLimitedError) as caught:
            write(served, Told(waits=[0.01], helds=[0.01, 300.0]))
        assert len(served.requests) == 1
    assert caught.value.retry_after == 300


def test_waiting_its_turn_counts_against_the_deadline_of_a_write() -> None:
    with wire(FINE) as served, pytest.raises(NotSentError):
        write(served, Told(waits=[0.3]), write_deadline=0.2)
    assert not any("POST" in request for request in served.requests)


@pytest.mark.parametrize("call", [read, write])
def test_a_throttle_that_says_how_long_holds_everybody(call: Any) -> None:
    told = Told()
    with wire(says(b"", 429, "Retry-After: 120\r\n")) as served, pytest.raises(RateLimitedError):
        call(served, told)
    assert told.holds == [120]


def test_the_platforms_own_way_to_say_how_long_is_understood() -> None:
    told = Told()
    with wire(says(b"", 429)) as served, pytest.raises(RateLimitedError):
        write(served, told, wait=lambda reply: 77.0)
    assert told.holds == [77]


def test_a_throttle_that_says_nothing_for_everybody_holds_nobody() -> None:
    """Such as the limit of one ad set on its own changes: the others go on."""

    def one_object(reply: Reply) -> Any:
        raise RateLimitedError("changed too often", platform="meta", retry_after=3600)

    told = Told()
    with wire(FINE, says({}, 200, "Retry-After: 60\r\n")) as served:
        for _ in range(2):
            with pytest.raises(RateLimitedError):
                transport(served, told).write("/x", judge=one_object, data={})
    assert told.holds == []


@pytest.mark.parametrize(("used", "holds"), [(None, []), (94.9, []), (95.0, [http.REST]), (140.0, [http.REST])])
def test_a_limit_that_is_nearly_used_up_gives_everybody_a_rest(used: float | None, holds: list[float]) -> None:
    for call in (read, write):
        told = Told()
        with wire(FINE) as served:
            assert call(served, told, usage=lambda reply: used) == {"ok": 1}
        assert told.holds == holds


def test_a_read_that_was_throttled_comes_back_after_the_wait_and_is_booked_again() -> None:
    told = Told()
    with stamina.set_testing(False), wire(says(b"", 429, "Retry-After: 0.1\r\n"), FINE) as served:
        assert read(served, told) == {"ok": 1}
    assert told.holds == [0.1]
    assert told.booked == [1, 1]


def test_those_who_were_sent_away_together_do_not_come_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RateLimitedError("busy", retry_after=5.0)
    until = time.monotonic() + 60
    with wire(FINE) as served:
        mine = transport(served, Told())
    waits = {mine._worth_another_try(until, error) for _ in range(20)}
    assert len(waits) > 10
    assert 5 <= min(waits) <= max(waits) <= 5 + http.SPREAD


@pytest.mark.django_db
def test_two_clients_of_one_account_share_its_budget() -> None:
    def mine() -> SharedBudget:
        return SharedBudget("meta 1", size=5, seconds=100_000, write_cost=3)

    with wire(FINE) as served:
        write(served, mine())
        read(served, mine())
        with pytest.raises(RateLimitedError):
            write(served, mine())
        read(served, mine())
        with pytest.raises(RateLimitedError) as caught:
            read(served, mine())
        assert len(served.requests) == 3
    assert caught.value.retry_after == pytest.approx(20_000, abs=60)


@pytest.mark.django_db
def test_what_one_client_is_told_holds_the_others() -> None:
    def mine() -> SharedBudget:
        return SharedBudget("tiktok 7", size=50, seconds=1.0)

    with wire(says(b"", 429, "Retry-After: 300\r\n"), FINE) as served:
        with pytest.raises(RateLimitedError):
            read(served, mine())
        for call in (read, write):
            with pytest.raises(RateLimitedError, match="nothing was sent"):
                call(served, mine())
        assert len(served.requests) == 1
