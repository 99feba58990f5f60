from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django_q.conf import Conf
from django_q.models import Schedule

from config import schedules

ROOT = Path(__file__).resolve().parent.parent.parent


def test_every_variable_that_settings_read_is_documented() -> None:
    source = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source)) | set(settings.SINGLE_TENANT)
    documented = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read - documented - {"BURSAR_TIME_ZONE"} == set()


def test_the_queue_runs_with_the_settings_found_safe() -> None:
    queue = settings.Q_CLUSTER
    assert (queue["timeout"], queue["retry"], queue["queue_limit"], queue["bulk"]) == (120, 600, 1, 1)
    assert Conf.ACK_FAILURES and Conf.MAX_ATTEMPTS == 1 and not Conf.CATCH_UP and Conf.ORM == "default"
    assert (queue["timeout"] + 3) % queue["guard_cycle"] == 0
    rounds = 1 + -(-(queue["queue_limit"] + 1) // queue["workers"])
    assert queue["retry"] > (queue["timeout"] + 3) * rounds


def test_deadlines_nest() -> None:
    assert (
        settings.DISPATCH_SEND_DEADLINE + settings.DISPATCH_REQUEST_DEADLINE
        < settings.DISPATCH_LEASE
        < settings.Q_CLUSTER["timeout"]
        < settings.Q_CLUSTER["retry"]
    )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite")
def test_sqlite_begins_immediate_and_waits() -> None:
    options = settings.DATABASES["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE" and options["timeout"] >= 10
    assert "journal_mode=WAL" in options["init_command"] and sqlite3.sqlite_version_info >= (3, 31)


@pytest.mark.django_db
def test_schedules_are_upserted_by_name_and_a_change_is_taken_over() -> None:
    schedules.apply()
    Schedule.objects.filter(name="sweep").update(cron="5 5 * * *")
    schedules.apply()
    assert Schedule.objects.get(name="sweep").cron == "* * * * *"
    assert Schedule.objects.count() == len(schedules.SCHEDULES)


def test_every_scheduled_function_can_be_imported() -> None:
    from django.utils.module_loading import import_string

    assert all(callable(import_string(entry.func)) for entry in schedules.SCHEDULES)


def test_tz_is_the_zone_of_new_accounts_while_django_stays_on_utc(monkeypatch: Any) -> None:
    import os
    import subprocess
    import sys

    code = "from django.conf import settings as s; print(s.TIME_ZONE, s.DEFAULT_TIME_ZONE)"
    environment = {key: value for key, value in os.environ.items() if key != "BURSAR_TIME_ZONE"}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
        cwd=ROOT,
        env=environment | {"TZ": "Europe/Berlin"},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == ["UTC", "Europe/Berlin"]
