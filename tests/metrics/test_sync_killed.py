"""A sync that is killed at any moment is completed by the same command: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from connectors.sandbox.server import Sandbox, running_sandbox
from tests.factories import AS_OF, SLOT

ROOT = Path(__file__).resolve().parents[2]
SERVER = os.environ.get("TEST_DATABASE_URL", "").rpartition("/")[0]


@dataclass
class Merchants:
    """A database of connected merchants; commands run on it as processes of their own."""

    sandbox: Sandbox
    database: str

    def start(self, *command: str) -> subprocess.Popen[str]:
        places = {f"{name}_BASE_URL": self.sandbox.url for name in ("META", "TIKTOK")}
        rates = {"META_RATE_SCORE": "9000", "TIKTOK_QPS": "50"}
        env = os.environ | places | rates | {"DATABASE_URL": self.database, "DJANGO_SETTINGS_MODULE": "config.settings"}
        return subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)

    def run(self, *command: str) -> str:
        child = self.start(*command)
        out, _ = child.communicate(timeout=3600)
        assert child.returncode == 0, out
        return out

    def sync(self, days: int) -> list[str]:
        return ["manage.py", "sync", "--days", str(days), "--slot", SLOT.isoformat()]

    def stored(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("-m", "tests.metrics.merchants", "digest", ""))
        return found


class Requests:
    """How many requests the sandbox has answered."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.count = 0
        self._lock = threading.Lock()
        answer = sandbox.application.__call__

        def counted(environ: Any, start_response: Any) -> Any:
            with self._lock:
                self.count += 1
            return answer(environ, start_response)

        sandbox.server.app = counted

    def wait_for(self, count: int, child: subprocess.Popen[str]) -> None:
        while self.count < count and child.poll() is None:
            time.sleep(0.005)


@contextmanager
def databases(folder: Path) -> Iterator[list[str]]:
    """Two empty databases of the kind that the tests run on."""
    names = [f"bursar_{name}_{os.getpid()}" for name in ("killed", "whole")]
    if not SERVER:
        yield [f"sqlite:///{folder / name}.sqlite3" for name in names]
        return
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield [f"{SERVER}/{name}" for name in names]
        finally:
            for name in names:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def killed_and_completed(sandbox: Sandbox, folder: Path, *, days: int, kills: int, seed: int) -> None:
    with databases(folder) as places:
        killed, whole = (Merchants(sandbox, place) for place in places)
        for each in (killed, whole):
            each.run("-m", "tests.metrics.merchants", "connect", sandbox.url)
        _kill_and_complete(killed, whole, days=days, kills=kills, seed=seed)


def _kill_and_complete(killed: Merchants, whole: Merchants, *, days: int, kills: int, seed: int) -> None:
    requests = Requests(whole.sandbox)
    whole.run(*whole.sync(days))
    needed, random = requests.count, Random(seed)
    for _ in range(kills):
        child = killed.start(*killed.sync(days))
        requests.wait_for(requests.count + random.randint(1, max(needed // kills, 2)), child)
        time.sleep(random.random() * 0.05)
        child.send_signal(signal.SIGKILL)
        child.communicate()
    before = requests.count
    killed.run(*killed.sync(days))
    assert requests.count - before < needed, "it began again from nothing"
    assert killed.stored() == whole.stored()


def test_a_killed_sync_is_completed_by_the_same_command(tmp_path: Path) -> None:
    with running_sandbox(start=AS_OF, days=5, ad_sets=4, tenants=2) as sandbox:
        killed_and_completed(sandbox, tmp_path, days=4, kills=3, seed=7)


@pytest.mark.long
def test_twenty_accounts_of_500_ad_sets_killed_many_times_over_28_days(tmp_path: Path) -> None:
    with running_sandbox(start=AS_OF, days=30, ad_sets=500, tenants=10) as sandbox:
        killed_and_completed(sandbox, tmp_path, days=28, kills=20, seed=7)
