from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import IdempotentRequest
from config import tasks
from tests.factories import House


@pytest.mark.usefixtures("everywhere")
def test_answers_are_kept_for_a_day_at_least_and_then_purged(house: House) -> None:
    for key, age in (("old", timedelta(days=3)), ("young", timedelta(hours=25))):
        row = IdempotentRequest.objects.create(tenant=house.tenant, key=key, fingerprint="0" * 64)
        IdempotentRequest.objects.filter(pk=row.pk).update(created_at=timezone.now() - age)
    tasks.purge()
    assert list(IdempotentRequest.objects.values_list("key", flat=True)) == ["young"]
