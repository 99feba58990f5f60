"""Connecting ad accounts in the admin: who may, what the way back proves, and what the pages tell."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AdAccount, Credential, Membership, Role, User
from accounts.scoping import all_tenants
from connectors import ending_views
from connectors.errors import AuthenticationError, TransientError
from connectors.grants import Ended, remove
from connectors.login_contracts import Grant
from connectors.models import Login
from tests.admin.conftest import FOREIGN, As
from tests.connectors.fake_login import CODE, FakeLogin, fake, owned
from tests.factories import AS_OF, House, add_history, make_house

__all__ = ["fake"]
pytestmark = pytest.mark.usefixtures("fake")

START, CALLBACK = (reverse(f"connect:{name}", args=["meta"]) for name in ("start", "callback"))


def page(response: Any) -> str:
    return " ".join(response.content.decode().split())


def begin(client: Client, house: House, url: str = START) -> str:
    """Press the button; the state that travels to the platform."""
    response = client.post(url, {"tenant": str(house.tenant.pk)})
    assert response.status_code == 302 and response["Location"].startswith("https://platform.example/")
    return parse_qs(urlsplit(response["Location"]).query)["state"][0]


def come_back(client: Client, state: str, **values: str) -> Any:
    return client.get(CALLBACK, {"state": state, "code": CODE, **values})


def log_in_at_platform(client: Client, house: House) -> Credential:
    response = come_back(client, begin(client, house))
    assert response.status_code == 302, page(response)
    with all_tenants():
        found: Credential = Credential.objects.get(pk=response["Location"].rstrip("/").rpartition("/")[2])
    return found


def connect(client: Client, house: House, *numbers: int) -> list[AdAccount]:
    credential = log_in_at_platform(client, house)
    chosen = {"account": [f"act_{number}" for number in numbers]}
    response = client.post(reverse("connect:choose", args=[credential.pk]), chosen)
    assert response.status_code == 302, page(response)
    with all_tenants():
        rows = AdAccount.objects.filter(tenant=house.tenant, external_id__in=chosen["account"])
        return list(rows.select_related("credential"))


def fresh(row: Any) -> Any:
    with all_tenants():
        return type(row)._default_manager.get(pk=row.pk)


def count(model: Any) -> int:
    with all_tenants():
        return int(model.objects.count())


def admin_page(row: Any) -> str:
    return reverse(f"admin:accounts_{type(row)._meta.model_name}_change", args=[row.pk])


@pytest.fixture
def owner(house: House, log_in: As) -> Client:
    return log_in(house.owner)


# --- The way there and back --------------------------------------------------------------------------


def test_the_lists_offer_to_connect_to_owners_only(house: House, log_in: As) -> None:
    for model in ("adaccount", "credential"):
        url = reverse(f"admin:accounts_{model}_changelist")
        assert START in page(log_in(house.owner).get(url))
        for role in ("viewer", "buyer", "approver"):
            assert START not in page(log_in(house.people[role]).get(url)), role


def test_looking_at_the_page_begins_nothing(house: House, owner: Client) -> None:
    shown = page(owner.get(START))
    assert f'name="tenant" value="{house.tenant.pk}"' in shown
    assert "Continue to Meta" in shown and "http://testserver" + CALLBACK in shown
    assert count(Login) == 0


def test_a_login_leads_to_the_choice_and_the_choice_to_accounts_in_shadow(house: House, owner: Client) -> None:
    credential = log_in_at_platform(owner, house)
    shown = page(owner.get(reverse("connect:choose", args=[credential.pk])))
    assert "opens 2 ad accounts" in shown and "Shop 1" in shown and "America/New_York" in shown
    assert "checked" not in shown
    connect(owner, house, 1)
    listed = page(owner.get(reverse("admin:accounts_adaccount_changelist")))
    assert "Shop 1" in listed and "Shop 2" not in listed
    with all_tenants():
        row = AdAccount.objects.get(external_id="act_1")
    assert (row.rollout_stage, row.autopilot) == ("shadow", False)


def test_an_only_account_is_ticked(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.accounts = [owned(1)]
    credential = log_in_at_platform(owner, house)
    assert 'value="act_1" checked' in page(owner.get(reverse("connect:choose", args=[credential.pk])))


def test_the_redirect_address_is_the_public_one_where_it_is_set(
    house: House, owner: Client, fake: FakeLogin, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://bursar.example"
    log_in_at_platform(owner, house)  # the fake compares what it was sent with what it is asked
    begin(owner, house)
    assert fake.redirects[CODE] == "https://bursar.example" + CALLBACK


def test_whoever_has_several_tenants_says_for_which(house: House, owner: Client) -> None:
    other, third = make_house("other"), make_house("third")
    with all_tenants():
        Membership.objects.create(tenant=other.tenant, user=house.owner, role=Role.OWNER)
        Membership.objects.create(tenant=third.tenant, user=house.owner, role=Role.VIEWER)
    shown = page(owner.get(START))
    assert str(other.tenant.pk) in shown and str(third.tenant.pk) not in shown
    assert log_in_at_platform(owner, other).tenant == other.tenant
    before = count(Login)
    for tenant in (str(third.tenant.pk), "", "nonsense"):
        assert owner.post(START, {"tenant": tenant}).status_code == 200
    assert count(Login) == before


def test_only_owners_begin(house: House, log_in: As) -> None:
    for role in ("viewer", "buyer", "approver"):
        client = log_in(house.people[role])
        assert client.get(START).status_code == 403
        assert client.post(START, {"tenant": str(house.tenant.pk)}).status_code == 403
    assert Client().post(START)["Location"].startswith(reverse("admin:login"))
    assert count(Login) == 0


def test_without_an_app_the_page_says_what_is_missing(house: House, owner: Client, settings: Any) -> None:
    settings.LOGIN_APPS = {"meta": {"app_id": "", "app_secret": ""}}
    shown = page(owner.get(START))
    assert "META_APP_ID" in shown and "Continue to Meta" not in shown
    refused = owner.post(START, {"tenant": str(house.tenant.pk)})
    assert refused.status_code == 400 and count(Login) == 0


@pytest.mark.parametrize("platform", ["nonsense", "META", "shopify.evil", "tiktok-shop"])
def test_a_platform_without_a_login_is_not_to_be_found(house: House, owner: Client, platform: str) -> None:
    assert owner.get(f"/admin/connect/{platform}/").status_code == 404
    assert owner.get(f"/admin/connect/{platform}/callback/").status_code == 404


# --- What the way back proves ------------------------------------------------------------------------


def refused(response: Any, text: str) -> None:
    assert response.status_code == 400
    shown = page(response)
    assert text in shown and "Nothing was stored" in shown
    with all_tenants():
        assert not Credential.objects.exclude(label="demo").exists()


def test_each_answer_that_proves_nothing_is_a_clear_page_and_stores_nothing(
    house: House, owner: Client, log_in: As, fake: FakeLogin
) -> None:
    state = begin(owner, house)
    refused(owner.get(CALLBACK), "belongs to no login")
    refused(owner.get(CALLBACK, {"code": CODE}), "belongs to no login")
    refused(come_back(owner, "x" * 43), "belongs to no login")
    refused(come_back(log_in(house.owner), state), "another browser")
    refused(come_back(log_in(house.viewer), state), "somebody else")
    refused(come_back(Client(), state), "Nobody is logged in")
    assert fake.issued == 0
    refused(owner.get(CALLBACK, {"state": state}), "no code")
    refused(come_back(owner, state), "used already")
    refused(come_back(owner, begin(owner, house), error="access_denied"), "not granted")
    with all_tenants():
        state = begin(owner, house)
        Login.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    refused(come_back(owner, state), "older than ten minutes")
    fake.failure = TransientError("the platform is down")
    refused(come_back(owner, begin(owner, house)), "the platform is down")


def test_a_state_of_another_tenants_owner_is_of_no_use(house: House, owner: Client, log_in: As) -> None:
    other = make_house("other")
    state = begin(log_in(other.owner), other)
    refused(come_back(owner, state), "belongs to no login")


def test_logging_out_ends_the_login(house: House, owner: Client, log_in: As) -> None:
    state = begin(owner, house)
    owner.post(reverse("admin:logout"))
    owner.force_login(house.owner)
    refused(come_back(owner, state), "another browser")


@pytest.mark.parametrize(
    "values",
    [
        {"state": "x" * 20_000},
        {"state": "\x00\n<script>alert(1)</script>"},
        {"code": "<script>alert(1)</script>\x00"},
        {"error": "<script>alert(1)</script>", "error_description": "<script>alert(1)</script>"},
        {"next": "https://evil.example/", "redirect_uri": "https://evil.example/"},
        {"state": "é" * 3000},
    ],
)
def test_hostile_parameters_are_harmless(house: House, owner: Client, values: dict[str, str]) -> None:
    response = owner.get(CALLBACK, {"state": "x", "code": CODE, **values})
    refused(response, "belongs to no login")
    assert "<script>alert" not in page(response) and "evil.example" not in page(response)


def test_the_way_back_is_a_get_and_nothing_else_and_leads_to_our_own_pages_only(house: House, owner: Client) -> None:
    state = begin(owner, house)
    for method in ("post", "head", "put", "delete"):
        assert getattr(owner, method)(f"{CALLBACK}?state={state}&code={CODE}").status_code == 405
    response = come_back(owner, state, next="https://evil.example/")
    assert response["Location"].startswith("/admin/connect/choose/")
    assert "no-store" in response["Cache-Control"]


def test_neither_state_nor_code_is_logged(
    house: House, owner: Client, fake: FakeLogin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    state = begin(owner, house)
    come_back(owner, state)
    come_back(owner, state)
    told = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    assert "callback" in told and state not in told and CODE not in told


@pytest.mark.parametrize("name", ["start", "choose", "again", "disconnect_account", "disconnect_credential"])
def test_a_post_without_a_csrf_token_is_refused(house: House, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(house.owner)
    rows: dict[str, Any] = {"start": "meta", "disconnect_account": house.account.pk}
    url = reverse(f"connect:{name}", args=[rows.get(name, house.account.credential_id)])
    assert client.post(url, {"tenant": str(house.tenant.pk), "account": "act_1"}).status_code == 403
    assert fresh(house.account).is_active and count(Login) == 0


# --- Choosing ----------------------------------------------------------------------------------------


def test_an_account_that_the_login_does_not_open_is_refused(house: House, owner: Client, fake: FakeLogin) -> None:
    credential = log_in_at_platform(owner, house)
    url = reverse("connect:choose", args=[credential.pk])
    for chosen in ([], ["act_9"], ["act_1", "act_9"], ["<script>"]):
        response = owner.post(url, {"account": chosen, "name": "x", "currency": "EUR"})
        assert response.status_code == 400 and "Shop 1" in page(response)
    assert count(AdAccount) == 1


def test_a_login_without_ad_accounts_says_so_and_can_be_removed(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.accounts = []
    credential = log_in_at_platform(owner, house)
    assert "opens no ad account" in page(owner.get(reverse("connect:choose", args=[credential.pk])))
    url = reverse("connect:disconnect_credential", args=[credential.pk])
    assert "Remove this login?" in page(owner.get(url))
    with all_tenants():
        assert Credential.objects.filter(pk=credential.pk).exists()
    owner.post(url)
    with all_tenants():
        assert not Credential.objects.filter(pk=credential.pk).exists()
    assert fake.revoked == ["token-1"]


def test_a_choice_can_be_made_later_from_the_credentials_page(house: House, owner: Client, fake: FakeLogin) -> None:
    credential = log_in_at_platform(owner, house)
    shown = page(owner.get(admin_page(credential)))
    assert reverse("connect:choose", args=[credential.pk]) in shown and "No ad account uses it yet" in shown
    fake.failure = TransientError("the platform is down")
    shown = page(owner.get(reverse("connect:choose", args=[credential.pk])))
    assert "could not be read" in shown and reverse("connect:again", args=[credential.pk]) in shown


def test_what_is_connected_is_marked(house: House, owner: Client) -> None:
    (row,) = connect(owner, house, 1)
    assert ">Connected<" in page(owner.get(reverse("connect:choose", args=[row.credential_id])))
    again = log_in_at_platform(owner, house)
    assert "Already connected" in page(owner.get(reverse("connect:choose", args=[again.pk])))


def test_hostile_names_are_shown_as_text(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.accounts = [owned(1, name="<img src=x onerror=alert(1)>")]
    credential = log_in_at_platform(owner, house)
    assert "<img src=x" not in page(owner.get(reverse("connect:choose", args=[credential.pk])))
    owner.post(reverse("connect:choose", args=[credential.pk]), {"account": "act_1"})
    assert "<img src=x" not in page(owner.get(reverse("admin:accounts_adaccount_changelist")))


@pytest.mark.parametrize("name", ["choose", "again", "disconnect_credential", "disconnect_account"])
def test_rows_of_others_are_not_to_be_found_and_our_own_are_for_owners(
    house: House, foreign: House, log_in: As, name: str
) -> None:
    def url(of: House) -> str:
        row = of.account if name.endswith("account") else of.account.credential
        return reverse(f"connect:{name}", args=[row.pk])

    owner = log_in(house.owner)
    for ask in (owner.get, owner.post):
        response = ask(url(foreign))
        assert response.status_code == 404 and FOREIGN not in page(response)
        assert ask(reverse(f"connect:{name}", args=[uuid4()])).status_code == 404
        assert getattr(log_in(house.approver), ask.__name__)(url(house)).status_code == 403
    assert fresh(foreign.account).is_active and fresh(house.account).is_active


# --- Ending, and the state of a login ----------------------------------------------------------------


def test_disconnecting_asks_first_and_then_switches_off(house: House, owner: Client, fake: FakeLogin) -> None:
    first, second = connect(owner, house, 1, 2)
    url = reverse("connect:disconnect_account", args=[first.pk])
    assert url in page(owner.get(admin_page(first)))
    assert "is switched off" in page(owner.get(url)) and fresh(first).is_active
    assert "another connection uses it" in page(owner.post(url, follow=True))
    assert not fresh(first).is_active and fresh(second).is_active and fake.revoked == []
    shown = page(owner.get(admin_page(first)))
    assert "Disconnected" in shown and reverse("connect:again", args=[first.credential_id]) in shown
    fake.failure = TransientError("down")
    told = page(owner.post(reverse("connect:disconnect_account", args=[second.pk]), follow=True))
    assert "must be ended there" in told and not fresh(second).is_active


def test_an_account_that_was_switched_off_beside_a_living_login_is_chosen_again(house: House, owner: Client) -> None:
    (row,) = connect(owner, house, 1)
    with all_tenants():
        AdAccount.objects.filter(pk=row.pk).update(is_active=False)
    choose, again = (reverse(f"connect:{name}", args=[row.credential_id]) for name in ("choose", "again"))
    shown = page(owner.get(admin_page(row)))
    assert choose in shown and again not in shown
    response = come_back(owner, begin(owner, house, again))
    assert "stays switched off" in page(owner.get(response["Location"])) and not fresh(row).is_active
    owner.post(choose, {"account": "act_1"})
    assert fresh(row).is_active


def test_of_two_who_remove_a_login_at_once_the_second_finds_nothing(
    house: House, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = log_in_at_platform(owner, house)

    def second(row: Credential, *, actor: User) -> Ended:
        remove(Credential.objects.get(pk=row.pk), actor=actor)
        return remove(row, actor=actor)

    monkeypatch.setattr(ending_views, "remove", second)
    assert owner.post(reverse("connect:disconnect_credential", args=[credential.pk])).status_code == 404


def test_a_platform_that_fails_a_choice_is_not_asked_again_in_the_same_request(
    house: House, owner: Client, fake: FakeLogin
) -> None:
    credential = log_in_at_platform(owner, house)
    fake.failure, fake.in_transaction = TransientError("the platform is down"), []
    response = owner.post(reverse("connect:choose", args=[credential.pk]), {"account": "act_1"})
    assert response.status_code == 400 and "he platform is down" in page(response)
    assert len(fake.in_transaction) == 1


def test_the_address_that_holds_a_code_goes_no_further(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.failure = AuthenticationError("the code is void")
    response = come_back(owner, begin(owner, house))
    assert response["Referrer-Policy"] == "strict-origin" and CODE not in page(response)


def test_a_crash_on_the_way_back_tells_neither_state_nor_code(
    house: House, owner: Client, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(code: str, *, redirect_uri: str) -> Grant:
        raise ZeroDivisionError

    monkeypatch.setattr(fake, "exchange", crash)
    owner.raise_request_exception = False
    state = begin(owner, house)
    response = come_back(owner, state)
    told = page(response) + caplog.text
    assert response.status_code == 500 and "ZeroDivisionError" in told
    assert not [word for word in (state, CODE, "app-secret-1") if word in told]


def queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(url).status_code == 200
    return len(asked)


def test_lists_and_the_choice_ask_the_database_as_often_for_many_rows_as_for_few(
    house: House, owner: Client, fake: FakeLogin
) -> None:
    make_house("other")
    fake.accounts = [owned(number) for number in range(40)]
    urls = [reverse(f"admin:accounts_{model}_changelist") for model in ("adaccount", "credential")]
    first, _ = connect(owner, house, 1, 2)
    urls.append(reverse("connect:choose", args=[first.credential_id]))
    few = [queries(owner, url) for url in urls]
    connect(owner, house, *range(40))
    assert [queries(owner, url) for url in urls] == few


def test_a_whole_credential_is_disconnected_with_its_accounts(house: House, owner: Client, fake: FakeLogin) -> None:
    (row,) = connect(owner, house, 1)
    url = reverse("connect:disconnect_credential", args=[row.credential_id])
    assert "other connections included" in page(owner.get(url))
    owner.post(url)
    assert not fresh(row).is_active and fake.revoked == ["token-1"]


def test_a_living_login_cannot_be_deleted_without_being_ended(house: House, owner: Client) -> None:
    credential = log_in_at_platform(owner, house)
    url = reverse("admin:accounts_credential_delete", args=[credential.pk])
    assert owner.post(url, {"post": "yes"}).status_code == 403
    body = {"action": "delete_selected", "_selected_action": [str(credential.pk)], "post": "yes"}
    owner.post(reverse("admin:accounts_credential_changelist"), body)
    assert fresh(credential).pk == credential.pk


@pytest.mark.parametrize("values", [{"problem": "the token is dead"}, {"expires_at": AS_OF - timedelta(days=9999)}])
def test_a_dead_token_is_told_with_a_way_out(house: House, owner: Client, log_in: As, values: dict[str, Any]) -> None:
    (row,) = connect(owner, house, 1)
    with all_tenants():
        Credential.objects.filter(pk=row.credential_id).update(**values)
    lists = [reverse(f"admin:accounts_{model}_changelist") for model in ("adaccount", "credential")]
    for url in (*lists, admin_page(row), admin_page(row.credential)):
        assert "Login needed" in page(owner.get(url)), url
    again = reverse("connect:again", args=[row.credential_id])
    assert again in page(owner.get(admin_page(row)))
    assert again not in page(log_in(house.viewer).get(admin_page(row)))
    response = come_back(owner, begin(owner, house, again))
    assert response["Location"] == admin_page(row.credential)
    assert "Connected again: Shop 1" in page(owner.get(response["Location"]))
    assert "Login needed" not in page(owner.get(admin_page(row)))


def test_a_login_that_ends_soon_is_told(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.expires_at = timezone.now() + timedelta(days=1)
    (row,) = connect(owner, house, 1)
    assert "Ends soon" in page(owner.get(admin_page(row)))


def test_a_reconnect_that_opens_something_else_keeps_the_stored_login(
    house: House, owner: Client, fake: FakeLogin
) -> None:
    (row,) = connect(owner, house, 1)
    fake.accounts = [owned(2)]
    response = come_back(owner, begin(owner, house, reverse("connect:again", args=[row.credential_id])))
    assert response.status_code == 400 and "does not open Shop 1" in page(response)
    assert fresh(row.credential).access_token == "token-1"


def test_a_refused_exchange_shows_no_secret(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.failure = AuthenticationError("the code is void")
    shown = page(come_back(owner, begin(owner, house)))
    assert "the code is void" in shown and CODE not in shown and "app-secret-1" not in shown


def test_the_autopilot_is_switched_on_the_account_page_by_owners(house: House, log_in: As) -> None:
    with all_tenants():
        row = house.account
    form = {"platform": row.platform, "external_id": row.external_id, "name": row.name, "currency": row.currency}
    form |= {
        "timezone": row.timezone,
        "credential": str(row.credential_id),
        "rollout_stage": "pilot",
        "is_active": "on",
    }
    assert log_in(house.approver).post(admin_page(row), form).status_code == 403
    assert fresh(row).autopilot
    assert log_in(house.owner).post(admin_page(row), form).status_code == 302
    assert not fresh(row).autopilot
    log_in(house.owner).post(admin_page(row), {**form, "autopilot": "on", "is_active": "on"})
    assert fresh(row).autopilot


def test_the_list_of_accounts_tells_cap_figures_and_last_sync(house: House, log_in: As) -> None:
    add_history(house, hours=3)
    with all_tenants():
        AdAccount.objects.update(spend_cap_micros=900_000_000, spent_micros=123_450_000, reports_hours=False)
    shown = page(log_in(house.viewer).get(reverse("admin:accounts_adaccount_changelist")))
    for text in ("123.45 USD of 900.00 USD", "Daily figures only", "2026-11-20 16:00"):
        assert text in shown, text


def test_a_superuser_connects_for_any_tenant(house: House, log_in: As) -> None:
    make_house("other")
    root = log_in(User.objects.create_superuser("root", password="root"))
    assert log_in_at_platform(root, house).tenant == house.tenant
