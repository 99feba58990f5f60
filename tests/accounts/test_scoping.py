"""Tenant scope: outside of one nothing works, inside of one nothing of others shows or changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction

from accounts.models import AdSet, Campaign, Membership, Store, Tenant
from accounts.models.base import TenantOwned
from accounts.scoping import (
    ScopeError,
    TenantManager,
    active_scope,
    all_tenants,
    in_scope,
    tenant_scope,
    tenants_scope,
)
from tests.factories import House, make_house

# The head of a log chain: its key is the tenant, and only `automation.log` touches it.
REACHED_BY_TENANT_ONLY = {"automation.LogHead"}

OUTSIDE: dict[str, Callable[[House], Any]] = {
    "list": lambda h: list(Store.objects.all()),
    "get": lambda h: Store.objects.get(pk=h.store.pk),
    "count": lambda h: Store.objects.count(),
    "exists": lambda h: Store.objects.exists(),
    "values": lambda h: Store.objects.values_list("pk"),
    "update": lambda h: Store.objects.update(name="x"),
    "delete": lambda h: Store.objects.all().delete(),
    "create": lambda h: Store.objects.create(tenant=h.tenant, name="x", credential=h.store.credential),
    "get_or_create": lambda h: Store.objects.get_or_create(pk=h.store.pk, defaults={}),
    "update_or_create": lambda h: Store.objects.update_or_create(pk=h.store.pk, defaults={"name": "x"}),
    "bulk_create": lambda h: Store.objects.bulk_create([]),
    "in_bulk": lambda h: Store.objects.in_bulk([h.store.pk]),
    "save": lambda h: h.store.save(),
    "raw": lambda h: Store.objects.raw("SELECT * FROM accounts_store"),
    "related manager": lambda h: h.account.ad_sets.count(),
    "reverse of the tenant": lambda h: h.tenant.store_set.exists(),
    "related add": lambda h: h.campaign.ad_sets.create(tenant=h.tenant),
    "tenants": lambda h: Tenant.objects.count(),
    "memberships": lambda h: h.owner.memberships.count(),
}


@pytest.fixture
def other(house: House) -> House:
    return make_house("other")


@pytest.mark.parametrize("name", OUTSIDE)
def test_outside_a_scope_nothing_works(house: House, name: str) -> None:
    with pytest.raises(ScopeError):
        OUTSIDE[name](house)


def test_every_row_that_has_a_tenant_is_kept_by_the_scoped_manager() -> None:
    """Architecture: whoever adds a model with a tenant gets the fence with it."""
    owned = {m for m in apps.get_models() if any(f.name == "tenant" for f in m._meta.concrete_fields)}
    owned = {m for m in owned if m._meta.label not in REACHED_BY_TENANT_ONLY}
    assert len(owned) > 15
    for model in owned | {Tenant}:
        assert isinstance(model._default_manager, TenantManager), model
        assert all(isinstance(manager, TenantManager) for manager in model._meta.managers), model
    assert {m for m in owned if not issubclass(m, TenantOwned)} == {Membership}


def test_another_tenants_rows_do_not_show(house: House, other: House) -> None:
    with tenant_scope(house.tenant):
        assert [store.pk for store in Store.objects.all()] == [house.store.pk]
        assert Store.objects.filter(pk=other.store.pk).count() == 0
        assert not AdSet.objects.filter(campaign__ad_account=other.account).exists()
        assert list(other.account.ad_sets.all()) == []
        assert list(Tenant.objects.all()) == [house.tenant]
        with pytest.raises(Store.DoesNotExist):
            Store.objects.get(pk=other.store.pk)


def test_another_tenants_rows_do_not_come_along_in_a_prefetch(house: House, other: House) -> None:
    with all_tenants():
        campaigns = Campaign.objects.order_by("created_at")
    with tenant_scope(house.tenant):
        counts = [len(c.ad_sets.all()) for c in campaigns.prefetch_related("ad_sets")]
    assert counts == [3, 0]


def test_bulk_changes_touch_only_rows_in_scope(house: House, other: House) -> None:
    other.store.name = house.store.name = "mine now"
    with tenant_scope(house.tenant):
        assert Store.objects.update(is_active=False) == 1
        assert Store.objects.bulk_update([house.store, other.store], ["name"]) == 1
        assert Store.objects.filter(pk=other.store.pk).delete()[0] == 0
    with all_tenants():
        kept = Store.objects.get(pk=other.store.pk)
    assert (kept.is_active, kept.name) == (True, "other shop")


def test_a_row_of_a_tenant_outside_the_scope_is_not_written(house: House, other: House) -> None:
    make = {"tenant": other.tenant, "external_id": "x", "name": "x", "credential": other.store.credential}
    with tenant_scope(house.tenant):
        for write in (
            other.store.save,
            lambda: Store.objects.create(**make),
            lambda: Store(**make).save(force_insert=True),
            lambda: Store.objects.get_or_create(external_id="x", defaults=make),
            lambda: Store.objects.bulk_create([Store(**make | {"tenant": house.tenant}), Store(**make)]),
        ):
            with pytest.raises(ScopeError), transaction.atomic():
                write()
    with all_tenants():
        assert Store.objects.count() == 2


@pytest.mark.parametrize("name", ["tenant", "tenant_id"])
def test_rows_cannot_be_moved_to_a_tenant_outside_the_scope(house: House, other: House, name: str) -> None:
    target = other.tenant if name == "tenant" else other.tenant.pk
    with tenant_scope(house.tenant):
        with pytest.raises(ScopeError):
            Store.objects.update(**{name: target})
        house.store.tenant = other.tenant
        with pytest.raises(ScopeError), transaction.atomic():
            house.store.save()
        with pytest.raises(ScopeError), transaction.atomic():
            Store.objects.bulk_update([house.store], ["tenant"])
        assert Store.objects.update(**{name: house.tenant if name == "tenant" else house.tenant.pk}) == 1


def test_a_row_cannot_take_the_id_of_another_tenants_row(house: House, other: House) -> None:
    impostor = Store(pk=other.store.pk, tenant=house.tenant, external_id="x", credential=house.store.credential)
    with tenant_scope(house.tenant), pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        impostor.save()
    with all_tenants():
        assert Store.objects.get(pk=other.store.pk).tenant_id == other.tenant.pk


def test_scopes_nest_and_come_back_even_after_an_error(house: House, other: House) -> None:
    with tenant_scope(house.tenant):
        with all_tenants():
            assert active_scope() is None
            assert in_scope(other.tenant.pk)
            with pytest.raises(KeyError), tenant_scope(other.tenant.pk):
                assert not in_scope(house.tenant.pk)
                raise KeyError
            assert active_scope() is None
        assert active_scope() == frozenset([house.tenant.pk])
    with pytest.raises(ScopeError):
        active_scope()


def test_a_scope_of_no_tenants_shows_and_takes_nothing(house: House) -> None:
    with tenants_scope([]):
        assert Store.objects.count() == 0
        assert Tenant.objects.count() == 0
        with pytest.raises(ScopeError):
            house.store.save()


def test_a_scope_of_several_tenants_shows_them_all(house: House, other: House) -> None:
    third = make_house("third")
    with tenants_scope([house.tenant.pk, other.tenant.pk]):
        assert set(Store.objects.all()) == {house.store, other.store}
        with pytest.raises(ScopeError):
            third.store.save()


def test_a_query_keeps_the_scope_it_was_made_in(house: House, other: House) -> None:
    with tenant_scope(house.tenant):
        mine: models.QuerySet[Store] = Store.objects.all()
    with all_tenants():
        assert list(mine) == [house.store]
