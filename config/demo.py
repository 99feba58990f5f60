"""The demo: a sandbox, a connected merchant, 30 days of history, and the hour as it really runs.

Nothing is faked: connectors talk HTTP to the sandbox process, a worker dispatches, the web server serves.
The state lives in `var/demo`, so a second start goes on where the first one stopped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management import call_command
from django_q.tasks import async_task

from accounts.hours import HOUR, hour_of
from accounts.models import AdAccount, AdSet, Campaign, Membership, Role, Status, Tenant, User
from accounts.money import MICROS, PPM
from accounts.scoping import tenant_scope
from automation.models import Limits, PolicyRun
from automation.onboarding import Access, onboard
from config import schedules
from config.bootstrap import PLACES
from connectors.contracts import Platform
from metrics.accounting import account_slot
from metrics.backfill import finish
from metrics.models import Backfill
from metrics.progress import progress_bar
from metrics.pull import days_to_pull, plan_history, pull, sources
from rules.models import AutomationMode, Rule

STATE = settings.VAR_DIR / "demo"
SANDBOX_STATE = STATE / "sandbox.jsonl"
HISTORY = timedelta(days=30)
SLUG = "demo"
START_TIMEOUT = 60
STOP_TIMEOUT = 20
# How the sandbox names each platform's app and its secret.
APP_FIELDS = {
    "meta": ("app_id", "app_secret"),
    "tiktok": ("app_id", "app_secret"),
    "shopify": ("client_id", "client_secret"),
    "tiktok_shop": ("app_key", "app_secret"),
}
IDS = {"meta": "account_id", "tiktok": "advertiser_id", "shopify": "shop", "tiktok_shop": "shop_id"}
RATES = {"META_RATE_SCORE": 9000, "TIKTOK_QPS": 50, "TIKTOK_SHOP_QPS": 50}  # what the sandbox lets through


class DemoError(Exception):
    """The demo cannot run; one clear line."""


@dataclass(slots=True)
class Sandbox:
    """The control side of a running sandbox."""

    url: str

    def credentials(self) -> dict[str, Any]:
        return dict(self._call("GET", "credentials"))

    def now(self) -> datetime:
        return datetime.fromisoformat(self._call("GET", "clock")["now"])

    def advance(self, hours: int) -> datetime:
        return datetime.fromisoformat(self._call("POST", "clock", {"advance_hours": hours})["now"])

    def ledger(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "ledger"))

    def _call(self, method: str, name: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = httpx.request(method, f"{self.url}/_control/{name}", json=body, timeout=60, trust_env=False)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise DemoError(f"the sandbox at {self.url} does not answer: {type(error).__name__}") from error
        return answer.json()


def start_over() -> None:
    """Forget the demo's state and its SQLite database."""
    if not settings.IS_SQLITE:
        raise DemoError("--fresh only clears an SQLite database; drop the PostgreSQL database yourself")
    shutil.rmtree(STATE, ignore_errors=True)
    name = Path(settings.DATABASES["default"]["NAME"])
    for path in (name, name.with_name(f"{name.name}-wal"), name.with_name(f"{name.name}-shm")):
        path.unlink(missing_ok=True)


def prepare_database() -> None:
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    schedules.apply(schedules.DEMO_SCHEDULES)


def point_at(box: Sandbox, port: int) -> None:
    """Let this process and its children take the sandbox for all platforms, its pages and its apps included.

    The platforms push their news to the demo's own web server, at `port`.
    """
    given = box.credentials()
    values: dict[str, Any] = dict.fromkeys(PLACES, box.url) | RATES
    values |= {
        "TIKTOK_SHOP_SERVICE_ID": given["tiktok_shop"]["service_id"],
        "PUBLIC_URL": settings.PUBLIC_URL or f"http://127.0.0.1:{port}",
    }
    settings.TIKTOK_SHOP_DIALOG_URLS = dict.fromkeys(settings.TIKTOK_SHOP_DIALOG_URLS, box.url)
    for platform, names in settings.LOGIN_APP_SETTINGS.items():
        app_id, app_secret = (given[platform][name] for name in APP_FIELDS[platform])
        settings.LOGIN_APPS[platform] = {"app_id": app_id, "app_secret": app_secret}
        os.environ |= dict(zip(names, (app_id, app_secret), strict=True))
    for name, value in values.items():
        setattr(settings, name, value)
        os.environ[name] = str(value)


@contextmanager
def child(*arguments: str, ready: Callable[[], bool], what: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the demo in a group of its own, waited for, and stopped with everything it started."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f"{what}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *arguments], stdout=log, stderr=log, start_new_session=True, cwd=settings.BASE_DIR
        )
    try:
        _wait_for(ready, process, what)
        yield process
    finally:
        _stop(process)


def _wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoError(f"the {what} did not start; see {os.path.relpath(STATE / what)}.log")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the main process, which winds its own children down; then kill whatever is left of the group."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(url: str) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            return httpx.get(url, timeout=2, trust_env=False).status_code < 500
        except httpx.HTTPError:
            return False

    return ask


@contextmanager
def sandbox(port: int, seed: int, start: str | None = None) -> Iterator[Sandbox]:
    """The sandbox as a process of its own, on its stored state if there is one."""
    url = f"http://127.0.0.1:{port}"
    if answers(f"{url}/_control/clock")():
        raise DemoError(f"port {port} is in use: stop what runs there, or give --sandbox-port")
    arguments = ["manage.py", "sandbox", "--port", str(port), "--seed", str(seed), "--state", str(SANDBOX_STATE)]
    arguments += ["--start", start] if start else []
    with child(*arguments, ready=answers(f"{url}/_control/clock"), what="sandbox"):
        yield Sandbox(url)


@contextmanager
def web_and_worker(port: int) -> Iterator[None]:
    address = f"127.0.0.1:{port}"
    web = ("-m", "gunicorn", "config.wsgi", "--bind", address, "--workers", "2", "--threads", "4")
    with (
        child("manage.py", "qcluster", ready=lambda: True, what="worker"),
        child(*web, ready=answers(f"http://{address}/admin/login/"), what="web"),
    ):
        yield


def connect(box: Sandbox) -> Tenant:
    """The demo tenant, connected on first start: limits that leave room to move, people for each role."""
    existing: Tenant | None = Tenant.objects.filter(slug=SLUG).first()
    if existing is not None:
        return existing
    given = box.credentials()
    accesses = [_access(Platform(platform), given[platform]) for platform in IDS]
    tenant = onboard(name=given.get("name", "Demo store"), slug=SLUG, accesses=accesses)
    AdAccount.objects.filter(tenant=tenant).update(rollout_stage="expand")
    Rule.objects.filter(tenant=tenant, is_safety=False).update(mode=AutomationMode.AUTO_ALL)
    Tenant.objects.filter(pk=tenant.pk).update(cogs_per_unit_micros=8 * MICROS)
    tenant.refresh_from_db()
    return tenant


def _access(platform: Platform, given: dict[str, str]) -> Access:
    app_id, app_secret = (given[name] for name in APP_FIELDS[platform])
    cipher = given.get("shop_cipher", "")
    return Access(platform, given[IDS[platform]], given["access_token"], app_id, app_secret, cipher)


def load_history(tenant: Tenant, as_of: datetime) -> None:
    """30 days through the connectors, then limits that fit the budgets found."""
    plan = plan_history(sources(tenant)[0], as_of, HISTORY)
    with progress_bar("Pulling 30 days", days_to_pull(tenant, as_of, plan)) as advance:
        pulled = pull(
            tenant,
            as_of=as_of,
            history=HISTORY,
            plan=plan,
            progress=lambda what, count: advance(count if what == "days" else 0),
        )
    if pulled.problems:
        raise DemoError("; ".join(pulled.problems))
    account_slot(tenant, as_of=as_of, lookback=HISTORY)
    finish(Backfill.objects.filter(pk__in=[asked.pk for asked in plan.values()]))
    _fit_limits(tenant)


def _fit_limits(tenant: Tenant) -> None:
    budgets = [
        row.daily_budget_micros
        for model in (AdSet, Campaign)
        for row in model.objects.filter(tenant=tenant, status=Status.ACTIVE, daily_budget_micros__isnull=False)
    ]
    target = sum(budgets) * 5 // 4
    Limits.objects.filter(tenant=tenant).update(
        daily_target_micros=target,
        hard_daily_cap_micros=target * max(settings.WORST_DAY_FACTOR_PPM.values()) // PPM,
        floor_micros=5 * MICROS,
        ceiling_micros=200 * MICROS,
        approval_above_micros=6 * MICROS,
        approval_above_ppm=150_000,
        cooldown_hours=6,
    )


def people(tenant: Tenant) -> list[tuple[str, str, str]]:
    """`(name, password, what they may do)` of the demo logins; passwords are new at each start."""
    logins = []
    for role in (Role.OWNER, Role.APPROVER, Role.BUYER):
        password = secrets.token_urlsafe(9)
        user, _ = User.objects.get_or_create(username=role.value, defaults={"is_staff": True})
        user.set_password(password)
        user.save(update_fields=["password"])
        Membership.objects.get_or_create(tenant=tenant, user=user, defaults={"role": role})
        logins.append((user.username, password, Role(role).label))
    return logins


def newest_slot(box: Sandbox, tenant: Tenant) -> datetime:
    """The newest closed hour of the market. Raises `DemoError` when the database is further on than that."""
    slot = hour_of(box.now()) - HOUR
    if PolicyRun.objects.filter(tenant=tenant, slot__gt=slot).exists():
        raise DemoError("the database is ahead of the sandbox, whose state is gone: start over with --fresh")
    return slot


def listen() -> None:
    """Let the platforms push their news to the web server that has just started."""
    async_task("connectors.tasks.subscribe_stores", task_name="subscriptions of the demo")


def live(tenant: Tenant, box: Sandbox, seconds: float, say: Callable[[str], None]) -> None:
    """Move the market on, an hour every few seconds; a worker runs each hour. Until interrupted."""
    while True:
        started = time.monotonic()
        slot = hour_of(box.advance(1)) - HOUR
        async_task("automation.tasks.run_hour", str(tenant.pk), slot.isoformat(), task_name=f"hour {slot:%H:00}")
        if not _hour_done(tenant, slot):
            say(f"{slot:%Y-%m-%d %H:00} UTC is still being worked on; see var/demo/worker.log")
        time.sleep(max(0.0, seconds - (time.monotonic() - started)))


def _hour_done(tenant: Tenant, slot: datetime, patience: float = 90) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with tenant_scope(tenant):
            accounts = AdAccount.objects.filter(tenant=tenant, is_active=True).count()
            done = PolicyRun.objects.filter(tenant=tenant, slot=slot, status=PolicyRun.Status.DONE).count()
        if done >= accounts:
            return True
        time.sleep(0.3)
    return False
