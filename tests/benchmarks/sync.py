"""What a sync costs beside what it cannot do without: `make bench-sync ARGS="--accounts 20 --ad-sets 500 --days 28"`.

Every answer of the sandbox is recorded once. Then, in one run and on one machine, three things are timed over
the same answers from a static server: the sync; a bare loop of httpx calls for the same bodies; a bare COPY of
the rows that the sync stored into the same, empty tables. The sync should take at most twice their sum.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START = "2026-11-20T16:00:00Z"
AS_OF_SLOT = "2026-11-20T15:00:00Z"
DATABASE = os.environ.get("BENCH_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/bursar_bench")


@dataclass(frozen=True)
class Size:
    accounts: int
    ad_sets: int
    days: int


@contextmanager
def process(*command: str, **env: str) -> Iterator[str]:
    """A child that prints its address; ended with the block."""
    child = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        line = next(line for line in child.stdout if "http://" in line)
        yield "http://" + line.strip().rpartition("http://")[2]
    finally:
        child.kill()
        child.wait()


def prepare(url: str) -> None:
    """Settings for this process: the benchmark's own database, every platform at `url`."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": DATABASE,
        "META_BASE_URL": url,
        "TIKTOK_BASE_URL": url,
        "META_RATE_SCORE": "100000000",
        "TIKTOK_QPS": "1000000",
        "LOG_LEVEL": "ERROR",
        "DEBUG": "false",
    }


def fresh_database() -> None:
    """An empty database of the name; dropped and made by the server's own."""
    import psycopg

    server, _, name = DATABASE.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}"'.encode())


def connect_tenants(credentials: dict[str, Any]) -> None:
    """A tenant per merchant of the sandbox, with its ad accounts and no store."""
    from accounts.models import AdAccount, Credential, Tenant
    from accounts.scoping import all_tenants

    with all_tenants():
        for number, who in enumerate(credentials["tenants"]):
            tenant = Tenant.objects.create(name=who["name"], slug=f"bench-{number}", currency=who["currency"])
            for platform, own in (("meta", "account_id"), ("tiktok", "advertiser_id")):
                access = who[platform]
                credential = Credential.objects.create(
                    tenant=tenant,
                    platform=platform,
                    label=access[own],
                    access_token=access["access_token"],
                    app_id=access["app_id"],
                    app_secret=access["app_secret"],
                )
                AdAccount.objects.create(
                    tenant=tenant,
                    platform=platform,
                    external_id=access[own],
                    name=access[own],
                    currency=who["currency"],
                    timezone=who["timezone"],
                    credential=credential,
                )


def pull_all(days: int) -> None:
    """What `manage.py sync --days N` reads and stores, without the accounting that follows."""
    from datetime import timedelta

    from accounts.hours import HOUR, parse_slot
    from accounts.models import Tenant
    from accounts.scoping import all_tenants
    from metrics.pull import pull

    with all_tenants():
        for tenant in Tenant.objects.all():
            pulled = pull(tenant, as_of=parse_slot(AS_OF_SLOT) + HOUR, history=timedelta(days=days))
            if pulled.problems:
                sys.exit("; ".join(pulled.problems))


def account_all(days: int) -> None:
    from datetime import timedelta

    from accounts.hours import HOUR, parse_slot
    from accounts.models import Tenant
    from accounts.scoping import all_tenants
    from metrics.accounting import account_slot

    with all_tenants():
        for tenant in Tenant.objects.all():
            account_slot(tenant, as_of=parse_slot(AS_OF_SLOT) + HOUR, lookback=timedelta(days=days))


def facts() -> list[Any]:
    from metrics.models import AdDay, AdDayPurchases, HourlyMetric

    return [HourlyMetric, AdDay, AdDayPurchases]


def empty() -> None:
    """No facts, no memory of having read them; the ad tree stays."""
    from django.db import connection

    from metrics.models import Backfill, Reward, SyncedHour

    with connection.cursor() as cursor:
        for model in (*facts(), Reward, SyncedHour, Backfill):
            cursor.execute(f"TRUNCATE {model._meta.db_table}")


def timed_copy() -> tuple[int, float]:
    """COPY of all stored facts into the same tables, emptied: rows and seconds."""
    from django.db import connection

    count, seconds = 0, 0.0
    with connection.cursor() as cursor:
        for model in facts():
            columns = [field.column for field in model._meta.concrete_fields if not field.primary_key]
            types = [
                {"timestamp with time zone": "timestamptz", "bigint": "int8"}.get(kind.partition("(")[0], kind)
                for kind in (
                    str(field.db_type(connection)) for field in model._meta.concrete_fields if not field.primary_key
                )
            ]
            types = ["varchar" if kind.startswith("varchar") else kind for kind in types]
            table, names = model._meta.db_table, ", ".join(f'"{column}"' for column in columns)
            cursor.execute(f"SELECT {names} FROM {table}")
            rows = cursor.fetchall()
            cursor.execute(f"TRUNCATE {table}")
            start = time.perf_counter()
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(types)
                for row in rows:
                    copy.write_row(row)
            seconds += time.perf_counter() - start
            count += len(rows)
    return count, seconds


def timed_calls(url: str, folder: Path) -> tuple[int, int, float]:
    """The same requests, one after the other, bodies read and thrown away: calls, bytes and seconds."""
    import httpx

    from tests.benchmarks.recorded import entries

    requests = entries(folder)
    size = 0
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        start = time.perf_counter()
        for entry in requests:
            body = entry["body"]
            headers = {"Content-Type": entry["type"]} if entry["type"] else {}
            size += len(client.request(entry["method"], entry["path"], content=body or None, headers=headers).content)
        return len(requests), size, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=4, help="ad accounts, half of them on each platform")
    parser.add_argument("--ad-sets", type=int, default=100, help="per ad account")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many")
    options = parser.parse_args()
    size = Size(options.accounts, options.ad_sets, options.days)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        run(size, Path(name), options.rounds, stack)


def run(size: Size, folder: Path, rounds: int, stack: ExitStack) -> None:
    import httpx

    flags = ["--tenants", str(size.accounts // 2), "--ad-sets", str(size.ad_sets), "--days", str(size.days + 2)]
    box = process("manage.py", "sandbox", "--port", "0", "--seed", "7", "--start", START, *flags)
    with ExitStack() as recording:
        upstream = recording.enter_context(box)
        proxy = recording.enter_context(process("-m", "tests.benchmarks.recorded", "record", str(folder), upstream))
        prepare(proxy)
        fresh_database()
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        connect_tenants(httpx.get(f"{upstream}/_control/credentials", trust_env=False).json())
        pull_all(size.days)
    url = stack.enter_context(process("-m", "tests.benchmarks.recorded", "serve", str(folder)))
    from django.conf import settings

    settings.META_BASE_URL = settings.TIKTOK_BASE_URL = url
    report(size, folder, url, rounds)


def report(size: Size, folder: Path, url: str, rounds: int) -> None:
    best: dict[str, float] = {}
    calls = received = rows = 0
    for _ in range(rounds):
        calls, received, http = timed_calls(url, folder)
        empty()
        start = time.perf_counter()
        pull_all(size.days)
        sync = time.perf_counter() - start
        start = time.perf_counter()
        account_all(size.days)
        accounting = time.perf_counter() - start
        rows, copied = timed_copy()
        for name, seconds in (("sync", sync), ("http", http), ("copy", copied), ("accounting", accounting)):
            best[name] = min(seconds, best.get(name, seconds))
    thousand = rows / 1000
    print(f"{size.accounts} accounts × {size.ad_sets} ad sets × {size.days} days: {rows} rows, {calls} calls, ", end="")
    print(f"{received / 1e6:.0f} MB")
    for name, what in (("sync", "sync"), ("http", "bare httpx calls"), ("copy", "bare COPY")):
        print(f"{what:18}{best[name]:9.1f} s{1000 * best[name] / thousand:9.1f} ms per thousand rows")
    print(f"{'accounting after':18}{best['accounting']:9.1f} s")
    print(f"ratio: {best['sync'] / (best['http'] + best['copy']):.2f} (at most 2)")


if __name__ == "__main__":
    main()
