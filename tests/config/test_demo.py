"""The demo as a person starts it: a process of its own, an empty database, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from config.bootstrap import content

ROOT = Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A database and a state directory of its own."""
    yield os.environ | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'demo.sqlite3'}",
        "VAR_DIR": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }


def demo(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--sandbox-port", str(free_port()), *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ask(environment: dict[str, str], code: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout.strip()


def test_once_ends_with_a_summary_and_leaves_nothing_running(environment: dict[str, str], tmp_path: Path) -> None:
    process = demo(environment, "--once")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    for heading in (
        "Account hours synced",
        "Orders",
        "Spend",
        "Revenue",
        "Profit",
        "Proposals",
        "Verdicts",
        "Actions by state",
        "Writes verified",
    ):
        assert heading in out
    assert not any(str(tmp_path) in " ".join(other.info["cmdline"] or ()) for other in psutil.process_iter(["cmdline"]))
    journal = (tmp_path / "demo" / "sandbox.jsonl").read_text().splitlines()
    assert journal and all(json.loads(line) for line in journal)


def test_a_second_start_goes_on_and_writes_nothing_twice(environment: dict[str, str]) -> None:
    for _ in range(2):
        process = demo(environment, "--once")
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    counted = "from automation.models import PolicyRun; print(PolicyRun._base_manager.count())"
    assert ask(environment, counted) == "2"


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The address of an empty database on the server that TEST_DATABASE_URL names."""
    server, _, _ = os.environ["TEST_DATABASE_URL"].rpartition("/")
    name = f"demo_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgres
def test_sqlite_and_postgresql_give_the_same_results(
    environment: dict[str, str], postgresql: str, tmp_path: Path
) -> None:
    summaries = []
    for number, database in enumerate((environment["DATABASE_URL"], postgresql)):
        own = environment | {"DATABASE_URL": database, "VAR_DIR": str(tmp_path / str(number))}
        out, err = demo(own, "--once", "--start", "2026-11-18T18:00Z").communicate(timeout=120)
        assert "Writes verified" in out, err
        summaries.append([line for line in out.splitlines() if line.startswith("│")])
    assert summaries[0] == summaries[1]


def test_a_lost_sandbox_gets_one_clear_line(environment: dict[str, str], tmp_path: Path) -> None:
    for start in ("2026-11-18T18:00Z", "2026-11-18T12:00Z"):
        (tmp_path / "demo" / "sandbox.jsonl").unlink(missing_ok=True)
        process = demo(environment, "--once", "--start", start)
        _, err = process.communicate(timeout=120)
    assert process.returncode != 0 and "start over with --fresh" in err


def test_a_port_in_use_gets_one_clear_line(environment: dict[str, str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        taken.listen()
        process = demo(environment, "--once", "--sandbox-port", str(taken.getsockname()[1]))
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert [line for line in err.splitlines() if line.startswith("CommandError: ")]


def test_hours_arrive_and_ctrl_c_stops_everything(environment: dict[str, str]) -> None:
    port = free_port()
    process = demo(environment, "--port", str(port), "--seconds", "1")
    try:
        runs = "from automation.models import PolicyRun; print(PolicyRun._base_manager.filter(status='done').count())"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if _serves(port) and int(ask(environment, runs)) >= 6:
                break
            assert process.poll() is None, process.communicate()
            time.sleep(1)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 3
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert "Ctrl-C stops everything" in out, err
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == [] and not _serves(port)


def _serves(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/admin/login/", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_first_env_file_has_fresh_keys_each_time() -> None:
    assert content(is_demo=False) != content(is_demo=False)
    assert "META_BASE_URL=http://127.0.0.1:9400" in content(is_demo=True)
