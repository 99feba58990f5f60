from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from config import health
from config.tasks import HEARTBEAT_KEY, heartbeat


def ready() -> Any:
    return Client(raise_request_exception=False).get("/api/v1/ready")


def test_health_needs_no_key_and_no_database() -> None:
    answer = Client().get("/api/v1/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_ready_when_everything_stands(db: None) -> None:
    heartbeat()
    answer = ready()
    assert answer.status_code == 200
    assert answer.json() == {
        "is_ready": True,
        "problems": {"database": "", "cache": "", "migrations": "", "queue": ""},
    }


def test_not_ready_without_a_heartbeat_of_the_queue(db: None) -> None:
    cache.delete(HEARTBEAT_KEY)
    answer = ready()
    assert (answer.status_code, answer.json()["problems"]["queue"]) == (503, "no heartbeat yet")
    cache.set(HEARTBEAT_KEY, (timezone.now() - timedelta(minutes=6)).isoformat())
    assert "360 s old" in ready().json()["problems"]["queue"]


def test_not_ready_while_a_migration_waits(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'automation'")
    assert "not applied" in ready().json()["problems"]["migrations"]


def test_an_absent_database_is_told_without_its_address(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> str:
        raise OperationalError("could not connect to 10.0.0.7 as bursar")

    monkeypatch.setitem(health.CHECKS, "database", away)
    answer = ready()
    assert (answer.status_code, answer.json()["problems"]["database"]) == (503, "not reachable (OperationalError)")
    assert b"10.0.0.7" not in answer.content
