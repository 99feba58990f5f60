"""Every request runs in the scope of whoever asks, and the scope ends with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from accounts.api_keys import create_key
from accounts.middleware import tenant_scope_of_request
from accounts.models import Store, User
from accounts.scoping import ScopeError, active_scope, all_tenants
from tests.factories import House, make_house, make_user


def seen(path: str = "/", user: User | AnonymousUser | None = None, **headers: str) -> set[str]:
    """The names of the stores that a request of this user or key sees."""
    found: set[str] = set()

    def view(request: HttpRequest) -> HttpResponse:
        found.update(Store.objects.values_list("name", flat=True))
        return HttpResponse()

    request = RequestFactory().get(path, headers=headers)
    request.user = user or AnonymousUser()
    tenant_scope_of_request(view)(request)
    with pytest.raises(ScopeError):
        active_scope()
    return found


@pytest.fixture
def houses(house: House) -> tuple[House, House]:
    return house, make_house("other")


def test_a_member_sees_their_tenants_and_nobody_elses(houses: tuple[House, House]) -> None:
    assert [seen(user=h.viewer) for h in houses] == [{"acme shop"}, {"other shop"}]


def test_strangers_and_the_anonymous_see_nothing(houses: tuple[House, House]) -> None:
    assert seen() == set()
    assert seen(user=make_user("stranger")) == set()


def test_a_superuser_sees_all(houses: tuple[House, House]) -> None:
    assert seen(user=make_user("root", is_superuser=True)) == {"acme shop", "other shop"}


def test_a_key_sees_its_tenant_and_a_session_does_not_help_on_the_api(houses: tuple[House, House]) -> None:
    with all_tenants():
        _, text = create_key(
            tenant=houses[0].tenant,
            name="k",
            scopes=["read"],
            actor=None,
            expires_at=timezone.now() + timedelta(days=1),
        )
    assert seen("/api/v1/x", Authorization=f"Bearer {text}") == {"acme shop"}
    assert seen("/api/v1/x", Authorization=f"bearer {text}") == {"acme shop"}
    for bad in (text, f"Basic {text}", f"Bearer {text}x", "Bearer", ""):
        assert seen("/api/v1/x", houses[1].owner, Authorization=bad) == set()
    assert seen("/", Authorization=f"Bearer {text}") == set()


def test_the_scope_ends_even_when_a_page_fails(house: House) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise RuntimeError

    request = RequestFactory().get("/")
    request.user = house.owner
    with pytest.raises(RuntimeError):
        tenant_scope_of_request(view)(request)
    with pytest.raises(ScopeError):
        active_scope()
