"""Who may do what: the whole table, in one's own tenant, in another's, and when switched off."""

from __future__ import annotations

from itertools import product

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from accounts.models import Membership, Role, User
from accounts.permissions import APPROVE, CONFIGURE, PROPOSE, RELEASE, STOP, VIEW, may, require
from accounts.scoping import all_tenants
from tests.factories import House, make_house, make_user

ALLOWED = {
    Role.VIEWER: {VIEW},
    Role.BUYER: {VIEW, PROPOSE, STOP},
    Role.APPROVER: {VIEW, PROPOSE, STOP, APPROVE},
    Role.OWNER: {VIEW, PROPOSE, STOP, APPROVE, CONFIGURE, RELEASE},
}
VERBS = [VIEW, PROPOSE, APPROVE, CONFIGURE, STOP, RELEASE]
CODENAMES = {
    "accounts.view_store": VIEW,
    "accounts.add_store": CONFIGURE,
    "accounts.change_store": CONFIGURE,
    "accounts.delete_store": CONFIGURE,
    "automation.approve_action": APPROVE,
    "automation.release_killswitch": RELEASE,
}


def again(user: User) -> User:
    """The user as the next request sees it."""
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize(("role", "verb"), list(product(Role, VERBS)))
def test_the_table_holds_in_ones_own_tenant_and_gives_nothing_in_another(house: House, role: Role, verb: str) -> None:
    other = make_house("other")
    user = house.people[role]
    allowed = verb in ALLOWED[role]
    assert may(user, verb, house.tenant) is allowed
    assert may(user, verb) is allowed
    assert may(user, verb, other.tenant) is False
    if allowed:
        require(user, verb, house.tenant)
    else:
        with pytest.raises(PermissionDenied, match=verb):
            require(user, verb, house.tenant)
    with pytest.raises(PermissionDenied):
        require(user, verb, other.tenant)


@pytest.mark.parametrize("role", list(Role))
def test_djangos_permissions_are_asked_of_the_same_table(house: House, role: Role) -> None:
    other = make_house("other")
    user = house.people[role]
    for codename, verb in CODENAMES.items():
        assert user.has_perm(codename, house.store) is (verb in ALLOWED[role]), codename
        assert user.has_perm(codename, house.tenant) is (verb in ALLOWED[role]), codename
        assert user.has_perm(codename, other.store) is False
    assert user.has_module_perms("accounts")
    assert user.get_all_permissions() == set()


def test_rights_differ_by_tenant(house: House) -> None:
    other = make_house("other")
    with all_tenants():
        Membership.objects.create(tenant=other.tenant, user=house.viewer, role=Role.OWNER)
    user = again(house.viewer)
    assert may(user, RELEASE, other.tenant)
    assert not may(user, RELEASE, house.tenant)
    assert may(user, RELEASE)


@pytest.mark.parametrize("verb", VERBS)
def test_an_inactive_user_may_nothing(house: House, verb: str) -> None:
    User.objects.filter(pk=house.owner.pk).update(is_active=False)
    user = again(house.owner)
    assert not may(user, verb, house.tenant)
    assert not user.has_perm("accounts.view_store", house.store)
    assert not user.has_module_perms("accounts")
    User.objects.filter(pk=house.owner.pk).update(is_superuser=True)
    assert not may(again(house.owner), verb, house.tenant)


@pytest.mark.parametrize("verb", VERBS)
def test_nobody_may_anything_in_an_inactive_tenant(house: House, verb: str) -> None:
    with all_tenants():
        house.tenant.is_active = False
        house.tenant.save()
    assert not may(again(house.owner), verb, house.tenant)
    assert not may(again(house.owner), verb)


@pytest.mark.parametrize("verb", VERBS)
def test_a_superuser_may_everything_and_a_stranger_nothing(house: House, verb: str) -> None:
    assert may(make_user("root", is_superuser=True), verb, house.tenant)
    stranger = make_user("stranger")
    assert not may(stranger, verb, house.tenant)
    assert not may(stranger, verb)


def test_the_anonymous_may_nothing(house: House) -> None:
    anonymous = AnonymousUser()
    assert not anonymous.has_perm("accounts.view_store", house.store)
    assert not anonymous.has_module_perms("accounts")
