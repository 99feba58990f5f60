"""The cache is shared by all processes: Redis where it is named, else the database."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def in_a_process_of_its_own(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", f"from django.core.cache import cache; {code}"],
        cwd=ROOT,
        env=os.environ | environment,
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.redis
def test_what_one_process_keeps_in_redis_another_reads() -> None:
    key, url = f"test-{uuid.uuid4()}", os.environ["TEST_REDIS_URL"]
    in_a_process_of_its_own(f"cache.set({key!r}, 7, 30)", REDIS_URL=url)
    assert in_a_process_of_its_own(f"print(cache.get({key!r}), type(cache._cache).__module__)", REDIS_URL=url) == (
        "7 django.core.cache.backends.redis"
    )


@pytest.mark.redis
def test_the_heartbeat_of_the_queue_is_seen_across_processes_through_redis() -> None:
    url = os.environ["TEST_REDIS_URL"]
    in_a_process_of_its_own("from config.tasks import heartbeat; heartbeat()", REDIS_URL=url)
    assert "T" in in_a_process_of_its_own("print(cache.get('queue-heartbeat'))", REDIS_URL=url)


def test_without_redis_the_database_keeps_the_cache(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'cache.sqlite3'}"
    create = "from django.core.management import call_command; call_command('createcachetable')"
    in_a_process_of_its_own(f"{create}; cache.set('a', 1)", DATABASE_URL=database)
    assert in_a_process_of_its_own("print(cache.get('a'))", DATABASE_URL=database) == "1"
