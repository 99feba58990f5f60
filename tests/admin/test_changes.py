"""What may be changed in the admin, by whom, and what stays behind: versions, log entries, no secrets."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.api_keys import authenticate
from accounts.models import AdAccount, ApiKey, Credential, Membership, Role, Store, User
from accounts.scoping import all_tenants
from automation.models import Action, KillSwitch, LogEntry
from metrics.models import ProductCost
from rules.models import Rule
from tests.admin.conftest import As
from tests.factories import House, make_house, make_user

SECRET = "s3cret-token-of-meta"
RULE = {
    "name": "Night cut",
    "condition": '{"metric": "roas", "window": "last_24h", "is": "<", "value": "1"}',
    "action": '{"kind": "pause"}',
    "priority": "50",
    "risk_level": "low",
    "mode": "suggestions_only",
}
LIMITS = {
    "hard_daily_cap_micros": "1000",
    "daily_target_micros": "500",
    "floor_micros": "5",
    "ceiling_micros": "200",
    "step_up_ppm": "20",
    "step_down_ppm": "30",
    "cooldown_hours": "6",
    "peak_hours": "",
    "freeze_roas_ppm": "0.8",
    "freeze_no_sale_hours": "24",
    "approval_above_micros": "20",
    "approval_above_ppm": "10",
    "approvals_required": "1",
    "approval_hours": "6",
}


def save(client: Client, model: str, row: Any = None, **values: Any) -> Any:
    url = reverse(f"admin:{model}_change", args=[row.pk]) if row else reverse(f"admin:{model}_add")
    return client.post(url, values)


def fresh(row: Any) -> Any:
    with all_tenants():
        return type(row)._default_manager.get(pk=row.pk)


@pytest.fixture
def both(house: House) -> House:
    """A second house that the first one's owner owns too."""
    other = make_house("other")
    with all_tenants():
        Membership.objects.create(tenant=other.tenant, user=house.owner, role=Role.OWNER)
    return other


def test_only_owners_configure(house: House, log_in: As) -> None:
    for role, status in (("viewer", 403), ("buyer", 403), ("approver", 403), ("owner", 302)):
        response = save(log_in(house.people[role]), "rules_rule", **RULE | {"name": role})
        assert response.status_code == status, role
        changed = save(
            log_in(house.people[role]), "automation_limits", house.limits, **LIMITS | {"cooldown_hours": "9"}
        )
        assert changed.status_code == status, role
    with all_tenants():
        assert [rule.name for rule in Rule.objects.all()] == ["owner"]


def test_records_are_changed_by_nobody(house: House, ours: Action, log_in: As) -> None:
    client = log_in(User.objects.create_superuser("root", password="root"))
    with all_tenants():
        entry = LogEntry.objects.filter(tenant=house.tenant)[0]
    for model, row in (("automation_logentry", entry), ("automation_action", ours)):
        assert save(client, model, row, state="applied", event="x").status_code == 403
        assert client.post(reverse(f"admin:{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert save(client, model).status_code == 403
        assert fresh(row).pk == row.pk


def test_a_secret_goes_in_and_never_comes_out(house: House, log_in: As) -> None:
    client, row = log_in(house.owner), house.account.credential
    shared = {"platform": "meta", "label": "demo", "app_id": "1"}
    assert save(client, "accounts_credential", row, **shared, new_access_token=SECRET).status_code == 302
    assert fresh(row).access_token == SECRET
    for url in (
        reverse("admin:accounts_credential_change", args=[row.pk]),
        reverse("admin:accounts_credential_changelist"),
    ):
        page = client.get(url).content.decode()
        assert SECRET not in page and "enc1:" not in page and "access token" in page
    refused = save(client, "accounts_credential", row, platform="", label="", new_access_token="another-secret")
    assert refused.status_code == 200 and "another-secret" not in refused.content.decode()


def test_a_blank_box_keeps_the_secret(house: House, log_in: As) -> None:
    row = house.account.credential
    save(log_in(house.owner), "accounts_credential", row, platform="meta", label="renamed", new_access_token="")
    assert (fresh(row).label, fresh(row).access_token) == ("renamed", "t0ken")


def test_an_unreadable_secret_breaks_no_page(house: House, log_in: As, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["lost:" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="]
    client, row = log_in(house.owner), house.account.credential
    assert client.get(reverse("admin:accounts_credential_changelist")).status_code == 200
    assert client.get(reverse("admin:accounts_credential_change", args=[row.pk])).status_code == 200


def test_lists_and_forms_do_not_even_load_a_secret(house: House, log_in: As) -> None:
    client, row = log_in(house.owner), house.account.credential
    for name, arguments in (("changelist", []), ("change", [row.pk])):
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse(f"admin:accounts_credential_{name}", args=arguments))
        selected = [query["sql"].partition(" FROM ")[0] for query in asked.captured_queries]
        assert not [sql for sql in selected if '"access_token",' in sql or sql.endswith('"access_token"')], name


def test_limits_are_versioned_and_logged(house: House, log_in: As) -> None:
    canary = {"canary_ad_sets": [str(house.ad_sets[0].pk)]}
    response = save(
        log_in(house.owner), "automation_limits", house.limits, **LIMITS | canary | {"ceiling_micros": "150.50"}
    )
    assert response.status_code == 302
    row = fresh(house.limits)
    assert (row.version, row.ceiling_micros, row.step_up_ppm) == (2, 150_500_000, 200_000)
    with all_tenants():
        assert list(row.canary_ad_sets.all()) == [house.ad_sets[0]]
        entry = LogEntry.objects.get(event="limits_changed")
    assert entry.actor == "owner-acme"
    assert entry.details["changed"] == {
        "ceiling_micros": [200_000_000, 150_500_000],
        "canary": [[], [house.ad_sets[0].key]],
    }


def test_limits_saved_unchanged_void_nothing(house: House, log_in: As) -> None:
    assert save(log_in(house.owner), "automation_limits", house.limits, **LIMITS).status_code == 302
    assert fresh(house.limits).version == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"ceiling_micros": "1"},
        {"floor_micros": "-1"},
        {"floor_micros": "1e3"},
        {"floor_micros": "１"},
        {"peak_hours": "25-3"},
        {"step_up_ppm": "0.00001"},
        {"step_down_ppm": "150"},
        {"approvals_required": "0"},
        {"hard_daily_cap_micros": ""},
        {"hard_daily_cap_micros": "99999999999"},
    ],
)
def test_a_bad_limit_is_refused_with_a_message(house: House, log_in: As, wrong: dict[str, str]) -> None:
    response = save(log_in(house.owner), "automation_limits", house.limits, **LIMITS | wrong)
    assert response.status_code == 200
    assert fresh(house.limits).version == 1


def test_a_rule_is_versioned_with_who_changed_it(house: House, log_in: As) -> None:
    client = log_in(house.owner)
    assert save(client, "rules_rule", **RULE).status_code == 302
    with all_tenants():
        rule = Rule.objects.get()
    assert (rule.tenant, rule.version, rule.updated_by) == (house.tenant, 1, house.owner)
    save(client, "rules_rule", rule, **RULE | {"priority": "10"})
    assert (fresh(rule).version, fresh(rule).priority) == (2, 10)


def test_a_rule_that_is_none_or_has_a_taken_name_is_refused(house: House, log_in: As) -> None:
    client = log_in(house.owner)
    assert save(client, "rules_rule", **RULE | {"condition": '{"metric": "luck"}'}).status_code == 200
    assert save(client, "rules_rule", **RULE | {"condition": "[" * 50_000}).status_code == 200
    save(client, "rules_rule", **RULE)
    assert save(client, "rules_rule", **RULE).status_code == 200
    with all_tenants():
        assert Rule.objects.count() == 1


def test_a_key_is_shown_once_and_revoked_by_a_dialog(house: House, log_in: As) -> None:
    client = log_in(house.owner)
    form = {"name": "Shop app", "tenant": str(house.tenant.pk), "scopes": ["read"], "days": "30"}
    made = save(client, "accounts_apikey", **form)
    secret = made.content.decode().split("data-secret>")[1].split("<")[0]
    assert "no-store" in made["Cache-Control"]
    key = authenticate(secret)
    assert key is not None and (key.tenant, key.created_by) == (house.tenant, house.owner)
    page = reverse("admin:accounts_apikey_change", args=[key.pk])
    assert secret not in client.get(page).content.decode()
    revoke = reverse("admin:accounts_apikey_revoke", args=[key.pk])
    assert log_in(house.viewer).post(revoke, {"_form_submitted": "on"}).status_code == 403
    client.get(revoke)
    assert authenticate(secret) is not None
    client.post(revoke, {"_form_submitted": "on"})
    assert authenticate(secret) is None


def test_a_foreign_key_cannot_be_revoked(house: House, foreign: House, log_in: As) -> None:
    with all_tenants():
        key = ApiKey.objects.get(tenant=foreign.tenant)
    response = log_in(house.owner).post(
        reverse("admin:accounts_apikey_revoke", args=[key.pk]), {"_form_submitted": "on"}
    )
    assert response.status_code in (403, 404)
    assert fresh(key).revoked_at is None


def test_a_preset_is_added_by_a_dialog(house: House, log_in: As) -> None:
    url, form = reverse("admin:rules_rule_add_preset"), {"preset": "stop_loss", "tenant": str(house.tenant.pk)}
    assert log_in(house.viewer).post(url, form | {"_form_submitted": "on"}).status_code == 403
    log_in(house.owner).post(url, form | {"_form_submitted": "on"})
    with all_tenants():
        assert Rule.objects.get().preset == "stop_loss"


def test_the_switch_is_pulled_by_those_who_may_and_released_by_owners_with_a_reason(house: House, log_in: As) -> None:
    def move(role: str, way: str, reason: str = "") -> int:
        body = {"tenant": str(house.tenant.pk), "reason": reason}
        return int(log_in(house.people[role]).post(reverse(f"admin:kill_switch_{way}"), body).status_code)

    def engaged() -> bool:
        return KillSwitch.objects.get(scope=str(house.tenant.pk)).is_engaged

    assert move("viewer", "engage") == 403 and not engaged()
    assert move("buyer", "engage", "prices are wrong") == 302 and engaged()
    assert "prices are wrong" in log_in(house.viewer).get(reverse("admin:index")).content.decode()
    assert move("approver", "release", "fine") == 403 and engaged()
    assert move("owner", "release") == 302 and engaged()
    assert move("owner", "release", "prices are right") == 302 and not engaged()


def test_the_switch_of_all_tenants_is_for_superusers_by_post(house: House, log_in: As) -> None:
    def engaged() -> bool:
        return KillSwitch.objects.get(scope=KillSwitch.ALL).is_engaged

    stop, release = (reverse("admin:kill_switch_of_all", args=[way]) for way in ("engage", "release"))
    root = log_in(make_user("root", is_superuser=True))
    assert "Stop all tenants" not in log_in(house.owner).get(reverse("admin:kill_switch")).content.decode()
    assert log_in(house.owner).post(stop, {"reason": "x"}).status_code == 403 and not engaged()
    assert root.get(stop).status_code == 405 and not engaged()
    assert root.post(stop, {"reason": "outage"}).status_code == 302 and engaged()
    assert root.post(release, {"reason": ""}).status_code == 302 and engaged()
    assert root.post(release, {"reason": "over"}).status_code == 302 and not engaged()


def test_a_new_row_takes_the_tenant_of_what_it_hangs_on(house: House, both: House, log_in: As) -> None:
    form = {
        "platform": "shopify",
        "external_id": "x.myshopify.com",
        "name": "X",
        "currency": "USD",
        "timezone": "UTC",
        "credential": str(both.account.credential_id),
        "is_active": "on",
    }
    assert save(log_in(house.owner), "accounts_store", **form).status_code == 302
    with all_tenants():
        assert Store.objects.get(name="X").tenant == both.tenant
    again = form | {"external_id": "X.MyShopify.com", "name": "The same shop"}
    assert save(log_in(house.owner), "accounts_store", **again).status_code == 200
    with all_tenants():
        assert not Store.objects.filter(name="The same shop").exists()


def test_whoever_has_several_tenants_chooses_one_of_theirs(house: House, both: House, log_in: As) -> None:
    third, client = make_house("third"), log_in(house.owner)
    assert save(client, "rules_rule", **RULE).status_code == 200
    assert save(client, "rules_rule", **RULE, for_tenant=str(third.tenant.pk)).status_code == 200
    assert save(client, "rules_rule", **RULE, for_tenant=str(both.tenant.pk)).status_code == 302
    with all_tenants():
        assert Rule.objects.get().tenant == both.tenant


def test_rows_of_two_tenants_are_not_joined(house: House, both: House, log_in: As) -> None:
    form = {
        "platform": "meta",
        "external_id": "act_acme",
        "name": "joined",
        "currency": "USD",
        "timezone": "UTC",
        "credential": str(both.account.credential_id),
        "rollout_stage": "expand",
    }
    response = save(log_in(house.owner), "accounts_adaccount", house.account, **form)
    assert response.status_code == 200 and "belongs to another tenant" in response.content.decode()
    canary = save(
        log_in(house.owner), "automation_limits", house.limits, **LIMITS, canary_ad_sets=[str(both.ad_sets[0].pk)]
    )
    assert canary.status_code == 200
    assert fresh(house.account).credential == house.account.credential


def test_a_right_in_one_tenant_gives_none_in_another(house: House, log_in: As) -> None:
    other = make_house("other")
    with all_tenants():
        Membership.objects.create(tenant=other.tenant, user=house.owner, role=Role.VIEWER)
    client = log_in(house.owner)
    assert save(client, "automation_limits", other.limits, **LIMITS | {"ceiling_micros": "999"}).status_code == 403
    cost = {
        "store": str(other.store.pk),
        "product_external_id": "p",
        "unit_cost_micros": "1",
        "effective_from": "2026-01-01",
    }
    assert save(client, "metrics_productcost", **cost).status_code == 200
    with all_tenants():
        assert not ProductCost.objects.exists() and fresh(other.limits).version == 1


def test_an_owner_cannot_take_over_a_person_of_another_tenant(house: House, log_in: As) -> None:
    other = make_house("other")
    with all_tenants():
        Membership.objects.create(tenant=house.tenant, user=other.owner, role=Role.VIEWER)
    client, before = log_in(house.owner), fresh(other.owner).password
    passwords = {"password1": "Tall-ship-7", "password2": "Tall-ship-7", "usable_password": "true"}
    url = reverse("admin:auth_user_password_change", args=[other.owner.pk])
    assert client.post(url, passwords).status_code == 403
    assert save(client, "accounts_user", other.owner, username="taken", is_active="").status_code == 403
    assert (fresh(other.owner).password, fresh(other.owner).username) == (before, "owner-other")


def test_an_owner_makes_a_member_but_no_superuser(house: House, log_in: As) -> None:
    client = log_in(house.owner)
    form = {
        "username": "new",
        "password1": "Tall-ship-7",
        "password2": "Tall-ship-7",
        "usable_password": "true",
        "for_tenant": str(house.tenant.pk),
        "role": "buyer",
        "is_superuser": "on",
    }
    assert save(client, "accounts_user", **form).status_code == 302
    user = User.objects.get(username="new")
    assert user.is_staff and not user.is_superuser
    with all_tenants():
        assert Membership.objects.get(user=user).role == "buyer"
    save(client, "accounts_user", user, username="new", is_active="on", is_superuser="on")
    assert not fresh(user).is_superuser


def test_a_membership_is_given_in_ones_own_tenant_only(house: House, log_in: As) -> None:
    other = make_house("other")
    form = {"user": str(house.viewer.pk), "tenant": str(other.tenant.pk), "role": "owner"}
    assert save(log_in(house.owner), "accounts_membership", **form).status_code == 200
    stranger = make_user("stranger")
    assert (
        save(
            log_in(house.owner),
            "accounts_membership",
            **form | {"tenant": str(house.tenant.pk), "user": str(stranger.pk)},
        ).status_code
        == 200
    )
    with all_tenants():
        assert not Membership.objects.filter(tenant=other.tenant, user=house.viewer).exists()
        assert not Membership.objects.filter(user=stranger).exists()


def test_the_last_rows_of_money_read_well_for_those_who_may_only_look(house: House, log_in: As) -> None:
    page = log_in(house.viewer).get(reverse("admin:automation_limits_change", args=[house.limits.pk])).content.decode()
    assert "1,000.00 USD" in page and "20 %" in page and "1000000000" not in page


def test_deleting_in_bulk_stays_in_the_tenant(house: House, log_in: As) -> None:
    other = make_house("other")
    with all_tenants():
        rows = [Credential.objects.create(tenant=h.tenant, platform="meta", label="spare") for h in (house, other)]
        accounts = AdAccount.objects.count()
    body = {"action": "delete_selected", "_selected_action": [str(row.pk) for row in rows], "post": "yes"}
    log_in(house.owner).post(reverse("admin:accounts_credential_changelist"), body)
    with all_tenants():
        assert list(Credential.objects.filter(label="spare")) == [rows[1]]
        assert AdAccount.objects.count() == accounts
