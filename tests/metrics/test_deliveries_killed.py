"""Thousands of deliveries over HTTP, some twice, late or forged, to workers that are killed now and then."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any

import httpx
import pytest

from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors import pushing
from tests.connectors.pushing import Push
from tests.connectors.sandbox.visitor import Visitor
from tests.factories import AS_OF
from tests.metrics.test_sync_killed import ROOT, databases

WORKERS = 2
SENDERS = 6
PATIENCE = 600.0  # seconds


@dataclass
class Installation:
    """A web server and the workers of its inbox, on a database of their own."""

    url: str
    environment: dict[str, str]
    workers: list[int] = field(default_factory=list)
    killed: int = 0
    killing: threading.Lock = field(default_factory=threading.Lock)

    def run(self, *command: str) -> Any:
        inbox = [sys.executable, "-m", "tests.metrics.inbox", *command]
        out = subprocess.run(inbox, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(out.stdout or "null")

    def digest(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run("digest")
        return found

    def kill_a_worker(self, luck: Random) -> None:
        """One of those that live by now: their successors take a moment to come."""
        with self.killing:
            _wait_for(lambda: self.workers)
            os.kill(self.workers.pop(luck.randrange(len(self.workers))), signal.SIGKILL)
            self.killed += 1


@contextmanager
def child(environment: dict[str, str], *command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process, stopped in the end with everything it has started."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, start_new_session=True, text=True, **options
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def installed(sandbox: Sandbox, folder: Path) -> Iterator[Installation]:
    with socket.socket() as free, databases(folder) as (place, _):
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        environment = os.environ | {
            "DATABASE_URL": place,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PUBLIC_URL": f"http://{address}",
            "SHOPIFY_BASE_URL": sandbox.url,
            "TIKTOK_SHOP_BASE_URL": sandbox.url,
            "SHOPIFY_API_KEY": "key",
            "SHOPIFY_API_SECRET": pushing.SECRET,
            "SHOPIFY_API_SECRET_OLD": sandbox.application.world.shops[0].client_secret,
        }
        inbox = ("-m", "tests.metrics.inbox")
        found = Installation(f"http://{address}", environment)
        found.run("connect", sandbox.url)
        web = ("-m", "gunicorn", "config.wsgi", "--bind", address, "--workers", "2", "--threads", "4")
        quiet = ("--log-level", "error")
        with (
            child(environment, *web, *quiet) as server,
            child(environment, *inbox, "work", str(WORKERS), stdout=subprocess.PIPE) as supervisor,
        ):
            follower = threading.Thread(target=_follow, args=(supervisor, found.workers))
            follower.start()
            _wait_for(lambda: len(found.workers) == WORKERS or supervisor.poll() is not None)
            _wait_for(lambda: _answers(found.url) or server.poll() is not None)
            assert server.poll() is None and supervisor.poll() is None
            yield found
        follower.join()


def _follow(supervisor: subprocess.Popen[str], workers: list[int]) -> None:
    assert supervisor.stdout is not None
    with supervisor.stdout as lines:
        workers.extend(map(int, lines))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url + pushing.SHOPIFY_PATH, trust_env=False).status_code == 405
    except httpx.HTTPError:
        return False


def _wait_for(is_so: Any, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.2)


# --- What is sent ------------------------------------------------------------------------------------


@dataclass
class Traffic:
    """Deliveries in the order in which they are sent, and the orders that the genuine ones name, by shop."""

    pushes: list[tuple[Push, int]]  # with the status that each must get
    genuine: set[tuple[str, str]]
    forged: set[tuple[str, str]]


def traffic(sandbox: Sandbox, count: int, luck: Random) -> Traffic:
    """`count` deliveries: a hundredth forged, a tenth duplicates; of the genuine a tenth arrives late."""
    world, now = sandbox.application.world, AS_OF.timestamp()
    named = [
        (shop.domain, order.number)
        for shop, orders in zip(world.shops, world.orders, strict=True)
        for order in orders
        if order.created < now
    ]
    luck.shuffle(named)
    n_forged, n_twice = max(count // 100, 1), count // 10
    n_genuine = count - n_forged - n_twice
    assert len(named) >= n_genuine + n_forged, f"only {len(named)} orders to tell of"
    genuine, forged = named[:n_genuine], named[n_genuine : n_genuine + n_forged]
    sent = [(pushing.order(number=number, shop=shop), 200) for shop, number in genuine]
    late = sent[: count // 10]
    sent = sent[count // 10 :]
    for twice in luck.sample(sent, n_twice):
        sent.insert(luck.randrange(len(sent) + 1), twice)
    for shop, number in forged:
        push = pushing.order(number=number, shop=shop, secret="guessed")
        sent.insert(luck.randrange(len(sent) + 1), (push, 401))
    luck.shuffle(late)
    ids = [{(shop, f"gid://shopify/Order/{number}") for shop, number in part} for part in (genuine, forged)]
    return Traffic(sent + late, *ids)


def push_all(place: Installation, pushes: list[tuple[Push, int]], kills: int, luck: Random) -> list[float]:
    """Send everything from several threads, with workers killed on the way; returns the seconds of each answer."""

    def send(numbered: tuple[int, tuple[Push, int]]) -> float:
        number, (push, status) = numbered
        if number in deaths:
            place.kill_a_worker(luck)
        started = time.monotonic()
        answer = client.post(push.path, content=push.body, headers=push.headers)
        assert answer.status_code == status, answer.text
        return time.monotonic() - started

    deaths = set(luck.sample(range(len(pushes)), kills))
    with (
        httpx.Client(base_url=place.url, trust_env=False, timeout=30) as client,
        ThreadPoolExecutor(SENDERS) as pool,
    ):
        return list(pool.map(send, enumerate(pushes)))


def delivered(sandbox: Sandbox, folder: Path, *, count: int, kills: int, seed: int) -> None:
    luck = Random(seed)
    news = traffic(sandbox, count, luck)
    with installed(sandbox, folder) as place:
        started = time.monotonic()
        seconds = push_all(place, news.pushes, kills, luck)
        sent = time.monotonic() - started
        for _ in range(WORKERS):
            place.kill_a_worker(luck)
        _wait_for(lambda: set(place.digest()["deliveries"]) == {"done"})
        found = place.digest()
    p99 = quantiles(seconds, n=100)[98]
    print(
        f"\n{count} deliveries in {sent:.1f} s, all worked off after {time.monotonic() - started:.1f} s; "
        f"answers: median {sorted(seconds)[count // 2] * 1000:.0f} ms, 99 % within {p99 * 1000:.0f} ms; "
        f"{place.killed} workers killed; {len(found['orders'])} orders of {len(news.genuine)}, "
        f"{len(news.forged)} forged; notes: {found['problems']}"
    )
    stored = Counter((shop, order) for shop, order, _ in found["orders"])
    assert set(stored) == news.genuine and set(stored.values()) == {1}
    assert found["deliveries"] == {"done": len(news.genuine)}
    totals = {
        f"gid://shopify/Order/{each.number}": each for orders in sandbox.application.world.orders for each in orders
    }
    assert all(totals[order].total == total for _, order, total in found["orders"])


# --- What servers and clients do to each other -------------------------------------------------------


def raw(place: Installation, head: dict[str, str], body: bytes) -> int:
    """The status that a request gets whose headers say what they like of its body."""
    host, port = place.url.removeprefix("http://").split(":")
    lines = [f"POST {pushing.SHOPIFY_PATH} HTTP/1.1", f"Host: {host}", *(f"{k}: {v}" for k, v in head.items())]
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # an answer may come before all is read
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(200)
    return int(answer.split()[1])


def chunked(body: bytes, size: int = 10_000) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])


def test_lengths_that_lie_and_bodies_without_a_length(tmp_path: Path) -> None:
    with running_sandbox(start=AS_OF, days=2, ad_sets=5, tenants=1) as sandbox, installed(sandbox, tmp_path) as place:
        world = sandbox.application.world
        shop, known = world.shops[0].domain, world.orders[0][0].number
        push, large = pushing.order(number=known, shop=shop), b" " * (256 * 1024 + 1)
        size, no_length = len(push.body), push.headers | {"Transfer-Encoding": "chunked"}
        assert raw(place, no_length, chunked(large)) == 413
        assert raw(place, push.headers | {"Content-Length": str(10**9)}, b"{") == 413
        assert raw(place, push.headers | {"Content-Length": str(size - 1)}, push.body) == 401
        assert raw(place, push.headers | {"Content-Length": str(size)}, push.body[:-1]) in (400, 401)
        assert raw(place, push.headers | {"Content-Length": "-1"}, push.body) == 400
        assert raw(place, no_length | {"Content-Length": str(size)}, chunked(push.body)) in (400, 401)
        assert raw(place, no_length, b"zzz\r\n" + push.body) == 400
        assert raw(place, push.headers, push.body) == 400
        assert place.digest()["deliveries"] == {}
        assert raw(place, no_length, chunked(push.body)) == 200
        _wait_for(lambda: place.digest()["deliveries"] == {"done": 1})


def test_what_both_platforms_push_is_taken_and_worked_off(tmp_path: Path) -> None:
    """From the subscription to the rows, and to the end of both connections."""
    with running_sandbox(start=AS_OF, days=3, ad_sets=5, tenants=1) as sandbox, installed(sandbox, tmp_path) as place:
        assert place.run("subscribe") == 2
        control = Visitor(sandbox.url)
        control.advance(6)
        _wait_for(lambda: {"1", "orders/create"} <= set(place.digest()["topics"]), 120)
        _wait_for(lambda: set(place.digest()["deliveries"]) == {"done"}, 120)
        shop, seller = control.who["shopify"]["shop"], control.who["tiktok_shop"]["shop_id"]
        found = place.digest()
        assert found["problems"] == []
        assert {store for store, _, _ in found["orders"]} == {shop, seller}
        control.control("uninstall", shop=shop)
        control.control("deauthorize", shop_id=seller)
        _wait_for(lambda: {platform for platform, _ in place.digest()["ended"]} == {"shopify", "tiktok_shop"}, 120)
        control.control("comply", shop=shop, topic="shop/redact")
        _wait_for(lambda: ["shopify", "Erased shop"] in place.digest()["ended"], 120)
        assert {store for store, _, _ in place.digest()["orders"]} == {seller}


def test_every_genuine_order_is_stored_once_and_no_forged_one(tmp_path: Path) -> None:
    with running_sandbox(start=AS_OF, days=8, ad_sets=10, tenants=2) as sandbox:
        delivered(sandbox, tmp_path, count=400, kills=6, seed=7)


@pytest.mark.long
def test_ten_thousand_deliveries_with_workers_killed_now_and_then(tmp_path: Path) -> None:
    with running_sandbox(start=AS_OF, days=30, ad_sets=30, tenants=5) as sandbox:
        delivered(sandbox, tmp_path, count=10_000, kills=100, seed=7)
