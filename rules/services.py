"""Saving a rule: each change is a new version, with who made it."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from accounts.permissions import CONFIGURE, require
from rules.models import Rule


def save_rule(rule: Rule, *, actor: User) -> Rule:
    """Validate and store a new or changed rule. Raises `ValidationError`, or `PermissionDenied` without the right."""
    require(actor, CONFIGURE, rule.tenant)
    rule.full_clean()
    with transaction.atomic():
        stored = Rule.objects.select_for_update().filter(pk=rule.pk).values_list("version", flat=True).first()
        rule.version = 1 if stored is None else stored + 1
        rule.updated_by = actor
        rule.save()
    return rule
