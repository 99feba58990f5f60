"""Tokens that live an hour: renewed as they are needed, by one worker, for everybody who holds them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import QuerySet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.clock import wall_now
from accounts.models import Alert, Credential, Store
from connectors import connections, tokens
from connectors.choice_views import _choices
from connectors.connecting import connect_accounts
from connectors.connections import connect_store
from connectors.errors import AuthenticationError, ConfigurationError, ConnectorError, TransientError
from connectors.models import TokenUse
from connectors.registry import Connection
from connectors.renewal import LEASE, refresh_logins
from connectors.token_uses import witness
from connectors.tokens import fresh
from tests.connectors.fake_login import FakeLogin, fake, log_in_to_shop, market_shops
from tests.connectors.fake_login import fresh as reread
from tests.factories import House, make_house

__all__ = ["fake"]
pytestmark = pytest.mark.usefixtures("everywhere")

ROOT = Path(__file__).parents[2]
WORKERS = 3


@pytest.fixture
def held(house: House, fake: FakeLogin) -> Credential:
    """The credential of a shop whose token was given an hour ago, and has five minutes left."""
    return hourly(house, fake)


def hourly(house: House, fake: FakeLogin, *, minutes: float = 5) -> Credential:
    fake.expires_at, fake.refresh_ends = wall_now() + timedelta(minutes=minutes), wall_now() + timedelta(days=90)
    credential = log_in_to_shop(house, fake)
    fake.expires_at = wall_now() + timedelta(hours=1)
    return credential


def weekly(house: House, fake: FakeLogin) -> Store:
    """A shop of TikTok Shop whose token was given a week ago, and has five minutes left."""
    fake.expires_at, fake.refresh_ends = wall_now() + timedelta(days=7), wall_now() + timedelta(days=300)
    (store,) = market_shops(house, fake, 1)
    Credential.objects.filter(pk=store.credential_id).update(expires_at=wall_now() + timedelta(minutes=5))
    return reread(store)  # type: ignore[no-any-return]


def expire(credential: Credential, **values: Any) -> Credential:
    Credential.objects.filter(pk=credential.pk).update(expires_at=wall_now() - timedelta(minutes=1), **values)
    return reread(credential)  # type: ignore[no-any-return]


def test_a_token_with_time_left_is_used_as_it_is(house: House, fake: FakeLogin) -> None:
    credential = hourly(house, fake, minutes=30)
    assert fresh(credential) is credential and fake.refreshed == []
    Credential.objects.filter(pk=credential.pk).update(expires_at=None)
    assert fresh(reread(credential)).access_token == "token-1" and fake.refreshed == []


def test_a_token_that_is_about_to_end_is_replaced_with_its_refresh_token(held: Credential, fake: FakeLogin) -> None:
    assert fresh(held).access_token == "token-2"
    row = reread(held)
    assert (row.access_token, row.refresh_token, row.expires_at) == ("token-2", "refresh-2", fake.expires_at)
    assert (row.refresh_expires_at, row.renewing_until) == (fake.refresh_ends, None)
    assert (row.subject, row.app_id, row.app_secret) == ("some-shop.myshopify.com", "app-3", "app-secret-3")
    assert fake.refreshed == ["refresh-1"]
    assert fresh(reread(held)).access_token == "token-2" and fake.refreshed == ["refresh-1"]


def test_a_row_that_was_read_before_somebody_else_renewed_it_gets_the_new_token(
    held: Credential, fake: FakeLogin
) -> None:
    early = reread(held)
    fresh(held)
    assert fresh(early).access_token == "token-2" and fake.refreshed == ["refresh-1"]


def test_a_client_is_made_with_the_fresh_token(
    held: Credential, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Connection] = []
    monkeypatch.setattr(connections, "store_platform", made.append)
    connect_store(Store.objects.get(credential=held))
    assert [connection.secret("access_token") for connection in made] == ["token-2"]


def test_a_shop_that_is_chosen_again_after_an_hour_is_asked_for_with_the_fresh_token(
    house: House, held: Credential, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []

    def owned(grant: Any) -> Any:
        used.append(grant.access_token)
        return fake.accounts

    monkeypatch.setattr(fake, "owned_accounts", owned)
    store = Store.objects.get(credential=held)
    connect_accounts(expire(held), [store.external_id], actor=house.owner)
    choices = _choices(expire(held))
    assert used == ["token-2", "token-3"] and [one.connected for one in choices] == [store]


def test_without_a_refresh_token_the_platform_has_the_last_word(held: Credential, fake: FakeLogin) -> None:
    Credential.objects.filter(pk=held.pk).update(refresh_token=None)
    assert fresh(reread(held)).access_token == "token-1" and fake.refreshed == []


def test_while_another_asks_one_goes_on_with_a_token_that_lives(held: Credential, fake: FakeLogin) -> None:
    Credential.objects.filter(pk=held.pk).update(renewing_until=wall_now() + LEASE)
    assert fresh(reread(held)).access_token == "token-1" and fake.refreshed == []


def test_while_another_asks_for_a_token_that_has_ended_one_waits_a_little(
    held: Credential, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = expire(held, renewing_until=wall_now() + LEASE)
    monkeypatch.setattr(tokens, "PATIENCE", 0.2)
    with pytest.raises(TransientError, match="another worker"):
        fresh(row)
    waits: list[float] = []

    def meanwhile(seconds: float) -> None:
        waits.append(seconds)
        Credential.objects.filter(pk=held.pk).update(renewing_until=None)
        refresh_logins()

    monkeypatch.setattr(time, "sleep", meanwhile)
    assert fresh(row).access_token == "token-2" and len(waits) == 1 and fake.refreshed == ["refresh-1"]


def test_the_lease_of_a_worker_that_died_is_taken_over(held: Credential, fake: FakeLogin) -> None:
    row = expire(held, renewing_until=wall_now() - timedelta(seconds=1))
    assert fresh(row).access_token == "token-2" and fake.refreshed == ["refresh-1"]


def test_a_lost_answer_is_asked_for_again_with_the_same_refresh_token(
    held: Credential, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_away = fake.refresh

    def lose(grant: Any) -> Any:
        given_away(grant)
        raise TransientError("the connection broke")

    row = expire(held)
    with monkeypatch.context() as broken:
        broken.setattr(fake, "refresh", lose)
        with pytest.raises(TransientError, match="connection broke"):
            fresh(row)
    assert (reread(held).access_token, reread(held).renewing_until) == ("token-1", None)
    assert fresh(reread(held)).access_token == "token-3"
    assert fake.refreshed == ["refresh-1", "refresh-1"]


def test_a_platform_that_does_not_answer_costs_nothing_while_the_token_lives(held: Credential, fake: FakeLogin) -> None:
    fake.failure = TransientError("down")
    assert fresh(held).access_token == "token-1"
    assert reread(held).problem == "" and not Alert.objects.exists()


def test_a_refresh_token_that_is_dead_is_told_with_one_alert(house: House, held: Credential, fake: FakeLogin) -> None:
    fake.failure = AuthenticationError("the app was uninstalled")
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            fresh(reread(held))
    assert reread(held).problem == "the app was uninstalled" and reread(held).renewing_until is None
    assert [(row.severity, row.count) for row in Alert.objects.all()] == [("critical", 2)]
    fake.failure = None
    assert fresh(reread(held)).problem == ""
    assert not Alert.objects.filter(resolved_at__isnull=True).exists()


def test_a_login_that_is_over_is_not_asked_for_again(held: Credential, fake: FakeLogin) -> None:
    row = expire(held, refresh_expires_at=wall_now() - timedelta(minutes=1))
    with pytest.raises(AuthenticationError, match="connect it again"):
        fresh(row)
    assert fake.refreshed == [] and "connect it again" in reread(held).problem


def test_a_login_that_was_ended_meanwhile_is_told(held: Credential, fake: FakeLogin) -> None:
    early = reread(held)
    Credential.objects.filter(pk=held.pk).update(access_token=None, refresh_token=None)
    with pytest.raises(AuthenticationError, match="ended meanwhile"):
        fresh(early)


def test_everybody_who_holds_the_token_gets_the_new_one(house: House, held: Credential, fake: FakeLogin) -> None:
    other = make_house("other")
    copies = []
    for tenant in (house.tenant, other.tenant):
        copy = Credential(tenant=tenant, platform="shopify", label="copy", app_id="app-3")
        copy.access_token, copy.refresh_token, copy.expires_at = "token-1", "refresh-1", held.expires_at
        copy.save()
        copies.append(copy)
    fresh(copies[0])
    assert {reread(row).access_token for row in (held, *copies)} == {"token-2"}
    assert {reread(row).refresh_token for row in (held, *copies)} == {"refresh-2"}
    fresh(copies[1])
    assert fake.refreshed == ["refresh-1"]


def test_an_answer_without_a_refresh_token_keeps_the_old_one(held: Credential, fake: FakeLogin) -> None:
    ends, fake.refresh_ends = fake.refresh_ends, None
    fresh(held)
    row = reread(held)
    assert (row.access_token, row.refresh_token, row.refresh_expires_at) == ("token-2", "refresh-1", ends)
    assert row.scopes == "read_orders,read_products"


def test_the_platform_is_not_asked_within_a_transaction(transactional_db: None, fake: FakeLogin) -> None:
    fresh(hourly(make_house(), fake))
    assert fake.in_transaction and not any(fake.in_transaction)


def test_each_use_of_a_tiktok_shop_token_is_noted_before_the_platform_is_asked(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = weekly(house, fake)
    renewed, noted = fake.refresh, list[str]()

    def watched(grant: Any) -> Any:
        noted.extend(TokenUse.objects.filter(outcome="").values_list("operation", flat=True))
        return renewed(grant)

    monkeypatch.setattr(fake, "refresh", watched)
    fresh(store.credential)
    assert noted == ["renew the token"]
    fake.failure = TransientError("down")
    Credential.objects.filter(pk=store.credential_id).update(expires_at=wall_now())
    with pytest.raises(TransientError):
        fresh(reread(store.credential))
    told = list(TokenUse.objects.order_by("pk").values_list("operation", "outcome"))
    assert told == [
        ("log in", "done"),
        ("list what it opens", "done"),
        ("renew the token", "done"),
        ("renew the token", "TransientError"),
    ]


def test_a_token_is_not_lost_because_its_use_cannot_be_noted_to_the_end(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = weekly(house, fake)
    written = QuerySet.update

    def locked(rows: Any, **values: Any) -> int:
        if rows.model is TokenUse:
            raise OperationalError("database is locked")
        return written(rows, **values)

    monkeypatch.setattr(QuerySet, "update", locked)
    assert fresh(store.credential).access_token == "token-2"
    assert reread(store.credential).refresh_token == "refresh-2"
    assert TokenUse.objects.latest("pk").outcome == ""


def test_a_client_whose_login_was_removed_asks_nothing_more(transactional_db: None, fake: FakeLogin) -> None:
    (store,) = market_shops(make_house(), fake, 1)
    begin = witness(store.credential)
    store.delete()
    Credential.objects.get(pk=store.credential_id).delete()
    with pytest.raises(ConfigurationError, match="nothing was sent"):
        begin("GET", "/shops")


def test_shopifys_tokens_leave_no_such_notes(held: Credential, fake: FakeLogin) -> None:
    fresh(held)
    assert not TokenUse.objects.exists()


STEPS = st.lists(st.sampled_from(["fresh", "lost", "down", "minute", "hour", "hourly job", "dies"]), max_size=12)


@given(steps=STEPS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_a_living_refresh_token_is_never_lost(
    house: House, held: Credential, fake: FakeLogin, steps: list[str]
) -> None:
    """The platform takes the newest refresh token and the one before it until the newest is used."""
    now = wall_now()
    fake.issued, fake.failure, fake.refreshed = 1, None, []
    row = reread(held)
    row.access_token, row.refresh_token, row.expires_at, row.renewing_until = "token-1", "refresh-1", now, None
    row.refresh_expires_at, row.problem = now + timedelta(days=90), ""
    row.save()
    issue, good = FakeLogin.refresh, {"refresh-1"}
    for step in [*steps, "hour", "fresh"]:

        def refresh(grant: Any, step: str = step) -> Any:
            assert grant.refresh_token in good, (grant.refresh_token, good)
            answer = issue(fake, grant)
            assert answer is not None
            good.intersection_update({grant.refresh_token})
            good.add(answer.refresh_token)
            if step == "lost":
                raise TransientError("lost")
            if step == "dies":
                raise KeyboardInterrupt
            return answer

        fake.refresh = refresh  # type: ignore[method-assign]
        fake.failure = TransientError("down") if step == "down" else None
        fake.expires_at = wall_now() + timedelta(hours=1)
        if step in ("minute", "hour"):
            earlier = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}[step]
            row = reread(held)
            Credential.objects.filter(pk=held.pk).update(expires_at=row.expires_at - earlier, renewing_until=None)
            continue
        try:
            refresh_logins() if step == "hourly job" else fresh(reread(held))
        except (ConnectorError, KeyboardInterrupt):
            continue
    assert reread(held).access_token == f"token-{fake.issued}"
    assert reread(held).refresh_token in good


# --- Several processes -------------------------------------------------------------------------------


class Crew:
    """Processes that are let loose on one credential at the same moment."""

    def __init__(self, database: str, credential: Credential, asked: Path) -> None:
        self.asked = asked
        self._environment = os.environ | {
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SHOPIFY_API_KEY": "app-3",
            "SHOPIFY_API_SECRET": "app-secret-3",
        }
        self._arguments = [str(credential.pk), str(asked)]

    def work(self, count: int, manner: str = "answers") -> list[str]:
        """What each process got for a token; "" for one that died."""
        command = [sys.executable, "-m", "tests.connectors.token_worker", *self._arguments, manner]
        workers = [
            subprocess.Popen(command, cwd=ROOT, env=self._environment, stdin=PIPE, stdout=PIPE, text=True)
            for _ in range(count)
        ]
        for worker in workers:
            assert worker.stdout and worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        return [worker.communicate(timeout=60)[0].strip() for worker in workers]

    def a_minute_passes(self) -> None:
        """The lease that somebody had has ended."""
        path = self._environment["DATABASE_URL"].removeprefix("sqlite:///")
        if not path.startswith("/"):
            Credential.objects.filter(renewing_until__isnull=False).update(renewing_until=wall_now())
            return
        with closing(sqlite3.connect(path)) as database, database:
            changed = database.execute("UPDATE accounts_credential SET renewing_until = '2020-01-01 00:00:00'")
            assert changed.rowcount


@pytest.fixture(params=["a SQLite file", pytest.param("PostgreSQL", marks=pytest.mark.postgres)])
def crew(request: pytest.FixtureRequest, tmp_path: Path, transactional_db: None, fake: FakeLogin) -> Crew:
    credential = expire(hourly(make_house(), fake))
    if request.param == "PostgreSQL":
        at = connection.settings_dict
        database = f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    elif connection.vendor != "sqlite":
        pytest.skip("the rows are on PostgreSQL")
    else:
        path = tmp_path / "tokens.sqlite3"
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(path)])
        database = f"sqlite:///{path}"
    return Crew(database, credential, tmp_path / "asked")


def test_of_processes_that_need_the_token_at_once_exactly_one_asks(crew: Crew) -> None:
    assert crew.work(WORKERS) == ["token-2"] * WORKERS
    assert crew.asked.read_text().split() == ["refresh-1"]


def test_what_a_process_had_asked_when_it_was_killed_is_asked_again(crew: Crew) -> None:
    assert crew.work(1, "dies") == [""]
    crew.a_minute_passes()
    assert crew.work(WORKERS) == ["token-2"] * WORKERS
    assert crew.asked.read_text().split() == ["refresh-1", "refresh-1"]
