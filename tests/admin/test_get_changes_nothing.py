"""Looking is harmless: no page of the admin changes a row on GET, whoever asks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from unfold.admin import ModelAdmin

from accounts.models import User
from accounts.scoping import all_tenants
from automation.models import Action
from tests.admin.conftest import As, registered, row_of
from tests.factories import House

NOT_WATCHED = {"sessions.Session"}


def routes(patterns: list[Any], prefix: str = "/admin/") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and "(?P" not in route and "logout" not in route:
            yield route


def addresses(house: House) -> Iterator[str]:
    """Every address of the site, with a row of ours wherever one is asked for."""
    rows = {
        f"{model._meta.app_label}/{model._meta.model_name}/": str(row_of(model, house).pk) for model in registered()
    }
    for route in routes(admin.site.get_urls()):
        pk = next((pk for prefix, pk in rows.items() if f"/admin/{prefix}" in route), str(uuid.uuid4()))
        for hole in ("<path:object_id>", "<int:content_type_id>", "<path:content_type_id>", "<id>"):
            route = route.replace(hole, pk)
        yield route.replace("^", "").replace("$", "")


def everything() -> dict[str, list[str]]:
    with all_tenants():
        return {
            model._meta.label: sorted(str(row) for row in model._base_manager.values())
            for model in apps.get_models()
            if model._meta.label not in NOT_WATCHED and model._meta.managed and not model._meta.proxy
        }


@pytest.mark.parametrize("who", ["owner", "superuser"])
def test_no_address_of_the_admin_changes_anything_on_get(house: House, ours: Action, log_in: As, who: str) -> None:
    user = house.owner if who == "owner" else User.objects.create_superuser("root", password="root")
    client = log_in(user)
    before, visited = everything(), list(addresses(house))
    for url in visited:
        assert client.get(url).status_code < 500, url
    assert len(visited) > 120
    assert any("approvals/decide" in url for url in visited) and any("/revoke/" in url for url in visited)
    assert everything() == before


def test_every_button_of_a_page_is_guarded_and_asks_first() -> None:
    seen = 0
    for page in admin.site._registry.values():
        assert isinstance(page, ModelAdmin)
        buttons: list[Any] = [*page.actions_list, *page.actions_detail, *page.actions_row, *page.actions_submit_line]
        for name in page._extract_action_names(buttons):
            method = getattr(page, name)
            assert getattr(method, "allowed_permissions", None), (page, name)
            assert getattr(method, "dialog", None), (page, name)
            seen += 1
    assert seen >= 2


@pytest.mark.parametrize("name", ["approvals_confirm", "approvals_decide", "kill_switch_engage", "kill_switch_release"])
def test_a_post_without_a_csrf_token_is_refused(house: House, ours: Action, log_in: As, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(house.owner)
    body = {
        "decision": "approve",
        "selected": f"{ours.pk}:{ours.digest}",
        "tenant": str(house.tenant.pk),
        "reason": "x",
    }
    before = everything()
    assert client.post(reverse(f"admin:{name}"), body).status_code == 403
    assert everything() == before
