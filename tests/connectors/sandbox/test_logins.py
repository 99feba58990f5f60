"""Consents, codes and tokens: who may what, until when, and what a restart keeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.journal import Journal
from connectors.sandbox.logins import LoginError, Logins
from connectors.sandbox.server import running_sandbox
from connectors.sandbox.world import Config, World
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BACK = "https://bursar.test/callback"


def logins(path: Path | None = None) -> Logins:
    made = Logins(7, Journal(path))
    made.wall = lambda: NOW
    return made


def later(made: Logins, **time: float) -> None:
    before = made.wall()
    made.wall = lambda: before + timedelta(**time)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(LoginError) as caught:
        action()
    return caught.value.reason


def test_a_code_is_exchanged_once_for_a_token_of_its_tenant_and_scopes() -> None:
    made = logins()
    code = made.consent("meta", 1, BACK, ["ads_read"])
    token = made.exchange("meta", code, BACK)
    assert (token.platform, token.tenant, token.scopes) == ("meta", 1, ("ads_read",))
    assert made.find("meta", token.text) == token
    assert made.find("tiktok", token.text) is None
    assert refused(lambda: made.exchange("meta", code, BACK)) == "used_code"
    assert token.text not in repr(token)


@pytest.mark.parametrize(("platform", "minutes"), [("meta", 10), ("tiktok", 60), ("shopify", 10), ("tiktok_shop", 30)])
def test_a_code_dies_of_age(platform: str, minutes: int) -> None:
    made = logins()
    first, second = (made.consent(platform, 0, BACK, []) for _ in range(2))
    assert first != second
    later(made, minutes=minutes, seconds=-1)
    assert made.exchange(platform, first, BACK)
    later(made, seconds=1)
    assert refused(lambda: made.exchange(platform, second, BACK)) == "expired_code"


def test_a_code_belongs_to_its_platform_and_its_redirect_byte_by_byte() -> None:
    made = logins()
    code = made.consent("meta", 0, BACK, [])
    assert refused(lambda: made.exchange("tiktok", code, BACK)) == "unknown_code"
    assert refused(lambda: made.exchange("meta", code, f"{BACK}/")) == "other_redirect"
    assert refused(lambda: made.exchange("meta", "", BACK)) == "unknown_code"
    assert made.exchange("meta", code, BACK)
    code = made.consent("tiktok", 0, BACK, [])
    assert made.exchange("tiktok", code, None)


def test_metas_first_token_is_short_and_the_renewed_one_lives_sixty_days() -> None:
    made = logins()
    short = made.exchange("meta", made.consent("meta", 0, BACK, ["ads_read"]), BACK)
    long = made.renew("meta", short.text)
    assert long.text != short.text and long.scopes == short.scopes
    later(made, hours=2)
    assert short.is_expired(made.wall()) and not long.is_expired(made.wall())
    assert refused(lambda: made.renew("meta", short.text)) == "expired_token"
    later(made, days=59)
    assert not long.is_expired(made.wall())
    assert not made.renew("meta", long.text).is_expired(made.wall() + timedelta(days=59))
    later(made, days=1)
    assert long.is_expired(made.wall())


def test_tiktoks_token_has_no_end_and_cannot_be_renewed() -> None:
    made = logins()
    token = made.exchange("tiktok", made.consent("tiktok", 0, BACK, ["4"]), None)
    assert token.expires_at is None
    assert refused(lambda: made.renew("tiktok", token.text)) == "not_renewable"


def test_a_revoked_token_is_unknown_at_once() -> None:
    made = logins()
    token = made.exchange("meta", made.consent("meta", 0, BACK, []), BACK)
    assert made.revoke("meta", token.text)
    assert made.find("meta", token.text) is None
    assert not made.revoke("meta", token.text)
    assert refused(lambda: made.renew("meta", token.text)) == "unknown_token"


def test_shopifys_token_ends_and_is_refreshed_only_where_that_was_asked_for() -> None:
    made = logins()
    lasting = made.exchange("shopify", made.consent("shopify", 0, BACK, ["read_orders"]), BACK)
    assert (lasting.expires_at, lasting.refresh, lasting.refresh_ends) == (None, "", None)
    ending = made.exchange("shopify", made.consent("shopify", 0, BACK, ["read_orders"]), BACK, expiring=True)
    assert ending.expires_at == NOW + timedelta(hours=1)
    assert ending.refresh and ending.refresh_ends == NOW + timedelta(days=90)
    assert ending.text not in repr(ending) and ending.refresh not in repr(ending)


@pytest.mark.parametrize("kind", ["seller", "creator"])
def test_tiktok_shops_token_lives_a_week_and_its_refresh_a_year_for_sellers_and_creators(kind: str) -> None:
    made = logins()
    token = made.exchange("tiktok_shop", made.consent("tiktok_shop", 1, BACK, ["seller.shop.info"], kind), None)
    assert (token.tenant, token.kind, token.expires_at) == (1, kind, NOW + timedelta(days=7))
    assert token.refresh_ends == NOW + timedelta(days=365)
    again = made.refresh("tiktok_shop", token.refresh)
    assert (again.tenant, again.kind, again.scopes) == (1, kind, token.scopes)


def test_a_refresh_gives_a_new_pair_and_its_own_token_works_until_the_new_one_is_used() -> None:
    made = logins()
    first = made.exchange("shopify", made.consent("shopify", 1, BACK, ["read_orders"]), BACK, expiring=True)
    later(made, hours=2)
    second = made.refresh("shopify", first.refresh)
    assert len({first.text, second.text, first.refresh, second.refresh}) == 4
    assert second.expires_at == made.wall() + timedelta(hours=1) and second.scopes == first.scopes
    lost = made.refresh("shopify", first.refresh)
    assert lost.refresh != second.refresh
    third = made.refresh("shopify", second.refresh)
    assert refused(lambda: made.refresh("shopify", first.refresh)) == "unknown_refresh"
    assert made.refresh("shopify", third.refresh)
    assert refused(lambda: made.refresh("shopify", "")) == "unknown_refresh"
    assert refused(lambda: made.refresh("tiktok_shop", third.refresh)) == "unknown_refresh"


def test_a_used_refresh_token_lives_thirty_days_more_and_never_beyond_its_own_end() -> None:
    made = logins()
    first = made.exchange("shopify", made.consent("shopify", 0, BACK, []), BACK, expiring=True)
    idle = made.exchange("shopify", made.consent("shopify", 0, BACK, []), BACK, expiring=True)
    made.refresh("shopify", first.refresh)
    later(made, days=29)
    made.refresh("shopify", first.refresh)
    later(made, days=1)
    assert refused(lambda: made.refresh("shopify", first.refresh)) == "expired_refresh"
    later(made, days=59)
    made.refresh("shopify", idle.refresh)
    later(made, days=1)
    assert refused(lambda: made.refresh("shopify", idle.refresh)) == "expired_refresh"


def test_a_revoked_token_cannot_be_refreshed_and_uninstalling_ends_all_of_the_tenants() -> None:
    made = logins()
    tokens = [
        made.exchange("shopify", made.consent("shopify", tenant, BACK, []), BACK, expiring=True)
        for tenant in (0, 0, 0, 1)
    ]
    made.revoke("shopify", tokens[0].text)
    assert refused(lambda: made.refresh("shopify", tokens[0].refresh)) == "unknown_refresh"
    made.revoke_all("shopify", 0)
    assert [made.find("shopify", token.text) for token in tokens[:3]] == [None] * 3
    assert refused(lambda: made.refresh("shopify", tokens[1].refresh)) == "unknown_refresh"
    assert made.refresh("shopify", tokens[3].refresh)


def test_refresh_tokens_and_their_rotation_outlive_a_restart(tmp_path: Path) -> None:
    lived = World(Config(start=START, days=1), Journal(tmp_path / "state"))
    code = lived.logins.consent("tiktok_shop", 1, BACK, ["seller.shop.info"], "seller")
    first = lived.logins.exchange("tiktok_shop", code, None)
    second = lived.logins.refresh("tiktok_shop", first.refresh)
    third = lived.logins.refresh("tiktok_shop", second.refresh)
    lived.close()
    again = World(Config(days=1), Journal(tmp_path / "state"))
    assert again.logins.find("tiktok_shop", third.text) == third
    assert refused(lambda: again.logins.refresh("tiktok_shop", first.refresh)) == "unknown_refresh"
    assert again.logins.refresh("tiktok_shop", second.refresh).text not in (first.text, second.text, third.text)
    assert again.logins.refresh("tiktok_shop", third.refresh).kind == "seller"
    again.close()


def test_tokens_and_revocations_outlive_a_restart(tmp_path: Path) -> None:
    lived = World(Config(start=START, days=1), Journal(tmp_path / "state"))
    for _ in range(3):
        lived.logins.exchange("tiktok", lived.logins.consent("tiktok", 1, BACK, ["4"]), None)
    kept = lived.logins.exchange("meta", lived.logins.consent("meta", 0, BACK, ["ads_read"]), BACK)
    gone = lived.logins.exchange("meta", lived.logins.consent("meta", 0, BACK, ["ads_read"]), BACK)
    planted = lived.accounts_of(0, "tiktok")[0].token
    for platform, text in (("meta", gone.text), ("tiktok", planted)):
        assert lived.logins.revoke(platform, text)
    lived.close()
    again = World(Config(days=1), Journal(tmp_path / "state"))
    assert again.logins.find("meta", kept.text) == kept
    assert again.logins.find("meta", gone.text) is None
    assert again.logins.find("tiktok", planted) is None
    new = again.logins.exchange("meta", again.logins.consent("meta", 0, BACK, []), BACK)
    assert new.text not in (kept.text, gone.text)
    again.close()


def test_a_token_is_ended_or_narrowed_on_order() -> None:
    with running_sandbox(start=START, days=1) as running:
        visitor = Visitor(running.url)
        find = running.world.logins.find
        meta, tiktok = visitor.who["meta"]["access_token"], visitor.who["tiktok"]["access_token"]
        answered = visitor.control("token", platform="meta", access_token=meta, scopes=["ads_read"])
        assert (answered["scopes"], answered["revoked"]) == (["ads_read"], False)
        narrowed = find("meta", meta)
        assert narrowed is not None and narrowed.scopes == ("ads_read",)
        visitor.control("token", platform="meta", access_token=meta, expire=True)
        expired = find("meta", meta)
        assert expired is not None and expired.is_expired(datetime.now(UTC)) and expired.scopes == ("ads_read",)
        assert visitor.control("token", platform="tiktok", access_token=tiktok, revoke=True)["revoked"]
        assert find("tiktok", tiktok) is None
        assert meta not in str(answered)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"platform": "meta", "access_token": "nobody's", "expire": True}, 404),
        ({"platform": "tiktok", "access_token": "META", "expire": True}, 404),
        ({"platform": "meta", "access_token": "META"}, 400),
        ({"platform": "meta", "access_token": "META", "expire": False}, 400),
        ({"platform": "meta", "access_token": "META", "expire": True, "revoke": True}, 400),
        ({"platform": "meta", "access_token": "META", "scopes": "ads_read"}, 400),
        ({"platform": "meta", "access_token": "META", "scopes": [1]}, 400),
        ({"platform": ["meta"], "access_token": {}, "expire": True}, 404),
        ([], 400),
    ],
)
def test_an_order_that_makes_no_sense_changes_nothing(reader: Visitor, body: object, status: int) -> None:
    text = reader.who["meta"]["access_token"]
    if isinstance(body, dict) and body["access_token"] == "META":
        body = body | {"access_token": text}
    answered = reader.send("POST", "/_control/token", json=body)
    assert answered.status_code == status and set(answered.json()) == {"error"}
    assert text not in answered.text
