"""Saving a rule: by who may, as a new version, or not at all."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from rules.models import Rule
from rules.presets import enable_preset
from rules.services import save_rule
from tests.factories import House, make_house

pytestmark = pytest.mark.usefixtures("everywhere")


def test_each_change_is_a_new_version_with_who_made_it(house: House) -> None:
    rule = enable_preset(house.tenant, "cut_losers")
    stale = Rule.objects.get(pk=rule.pk)
    for version, one in ((2, rule), (3, stale)):  # the second editor had read version 1
        one.sentence = f"edit {version}"
        save_rule(one, actor=house.owner)
        stored = Rule.objects.get(pk=rule.pk)
        assert (stored.version, stored.updated_by, stored.sentence) == (version, house.owner, f"edit {version}")


def test_a_new_rule_is_version_1(house: House) -> None:
    preset = enable_preset(house.tenant, "cut_losers")
    made = Rule(tenant=house.tenant, name="mine", condition=preset.condition, action=preset.action, version=9)
    assert save_rule(made, actor=house.owner).version == 1


@pytest.mark.parametrize("role", ["viewer", "buyer", "approver"])
def test_only_who_configures_may_save(house: House, role: str) -> None:
    rule = enable_preset(house.tenant, "cut_losers")
    rule.sentence = "changed"
    for actor in (house.people[role], make_house("other").owner):
        with pytest.raises(PermissionDenied):
            save_rule(rule, actor=actor)
    assert Rule.objects.get(pk=rule.pk).sentence != "changed"


def test_a_rule_that_is_none_is_not_stored(house: House) -> None:
    rule = enable_preset(house.tenant, "cut_losers")
    rule.condition = {"metric": "roas"}
    with pytest.raises(ValidationError):
        save_rule(rule, actor=house.owner)
    stored = Rule.objects.get(pk=rule.pk)
    assert (stored.version, "all" in stored.condition) == (1, True)
