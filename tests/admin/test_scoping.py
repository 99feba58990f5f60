"""Nobody sees another tenant's row through any page of the admin."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from accounts.scoping import all_tenants
from automation.models import Action, KillSwitch
from tests.admin.conftest import FOREIGN, As, registered, row_of
from tests.factories import House, make_user

PAGES = ("index", "dashboard", "banner", "approvals", "approvals_recent", "kill_switch")


def url_of(model: type, page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)  # type: ignore[attr-defined]


def shows_foreign(response: object) -> bool:
    return FOREIGN in response.content.decode().lower()  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", Role.values)
def test_no_list_search_or_form_names_another_tenant(
    house: House, ours: Action, foreign: House, log_in: As, role: str
) -> None:
    client = log_in(house.people[role])
    for model in registered():
        for url in (
            url_of(model, "changelist"),
            url_of(model, "changelist") + f"?q={FOREIGN[:5]}",
            url_of(model, "add"),
        ):
            response = client.get(url)
            assert response.status_code in (200, 302, 403), url
            assert not shows_foreign(response), url
        response = client.get(url_of(model, "change", row_of(model, house).pk))
        assert response.status_code == 200, model
        assert not shows_foreign(response), model


def test_every_list_shows_our_own_row(house: House, ours: Action, log_in: As) -> None:
    client = log_in(house.viewer)
    for model in registered():
        assert str(row_of(model, house).pk) in client.get(url_of(model, "changelist")).content.decode(), model


@pytest.mark.parametrize("role", Role.values)
def test_no_page_opens_another_tenants_row(house: House, ours: Action, foreign: House, log_in: As, role: str) -> None:
    client = log_in(house.people[role])
    for model in registered():
        row = row_of(model, foreign)
        for page in ("change", "delete", "history"):
            for response in (
                client.get(url_of(model, page, row.pk)),
                client.post(url_of(model, page, row.pk), {"post": "yes"}),
            ):
                assert response.status_code in (302, 403, 404), (model, page)
                assert not shows_foreign(response), (model, page)
        with all_tenants():
            assert type(row)._default_manager.filter(pk=row.pk).exists()


def test_filters_name_our_own_only_and_a_forged_one_finds_nothing(
    house: House, ours: Action, foreign: House, log_in: As
) -> None:
    client = log_in(house.owner)
    for model in registered():
        names = {field.name for field in model._meta.concrete_fields}
        for name, value in (
            ("ad_account", foreign.account.pk),
            ("store", foreign.store.pk),
            ("tenant", foreign.tenant.pk),
        ):
            if name in names:
                response = client.get(url_of(model, "changelist") + f"?{name}__id__exact={value}", follow=True)
                assert not shows_foreign(response), (model, name)


def test_autocompletes_offer_our_own_only(house: House, ours: Action, foreign: House, log_in: As) -> None:
    client, asked = log_in(house.owner), 0
    for model, page in admin.site._registry.items():
        for field in page.autocomplete_fields:
            query = {"app_label": model._meta.app_label, "model_name": str(model._meta.model_name), "field_name": field}
            response = client.get(reverse("admin:autocomplete"), query)
            asked += 1
            assert response.status_code == 200
            assert response.json()["results"], (model, field)
            assert not shows_foreign(response), (model, field)
    assert asked > 4


@pytest.mark.parametrize("role", Role.values)
def test_the_pages_of_our_own_show_one_tenant(
    house: House, ours: Action, foreign: House, log_in: As, role: str
) -> None:
    client = log_in(house.people[role])
    theirs = str(row_of(Action, foreign).pk)
    for page in PAGES:
        response = client.get(reverse(f"admin:{page}"), {"tenant": FOREIGN, "id": theirs})
        assert response.status_code == 200
        assert not shows_foreign(response), page


def test_a_foreign_action_cannot_be_decided_on(house: House, ours: Action, foreign: House, log_in: As) -> None:
    action = row_of(Action, foreign)
    client = log_in(house.approver)
    for name in ("approvals_confirm", "approvals_decide"):
        ticket = {"decision": "approve", "selected": f"{action.pk}:{action.digest}"}
        response = client.post(reverse(f"admin:{name}"), ticket)
        assert not shows_foreign(response)
        assert "not to be found" in response.content.decode()
    with all_tenants():
        assert Action.objects.get(pk=action.pk).state == action.state


def test_a_foreign_kill_switch_cannot_be_moved(house: House, foreign: House, log_in: As) -> None:
    client = log_in(house.owner)
    for name in ("kill_switch_engage", "kill_switch_release"):
        response = client.post(reverse(f"admin:{name}"), {"tenant": str(foreign.tenant.pk), "reason": "no"})
        assert response.status_code == 404
    assert not KillSwitch.objects.get(scope=str(foreign.tenant.pk)).is_engaged


def test_a_person_without_a_role_sees_no_rows(house: House, ours: Action, log_in: As) -> None:
    client = log_in(make_user("stranger"))
    for model in registered():
        body = client.get(url_of(model, "changelist")).content.decode()
        assert house.tenant.slug not in body.lower(), model
    assert client.get(reverse("admin:approvals")).status_code == 403


def test_whoever_is_not_logged_in_is_sent_to_the_login(house: House, ours: Action) -> None:
    for url in (
        *(reverse(f"admin:{page}") for page in PAGES),
        *(url_of(model, "changelist") for model in registered()),
    ):
        response = Client().get(url)
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("admin:login"))


def test_a_superuser_sees_all(house: House, ours: Action, foreign: House, log_in: As) -> None:
    client = log_in(User.objects.create_superuser("root", password="root"))
    for model in registered():
        body = client.get(url_of(model, "changelist")).content.decode()
        assert str(row_of(model, foreign).pk) in body, model
    assert f"?tenant={FOREIGN}" in client.get(reverse("admin:index")).content.decode()


def test_the_queues_own_pages_are_gone() -> None:
    assert not [model for model in registered() if model._meta.app_label == "django_q"]
