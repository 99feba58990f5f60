"""Merging facts in bulk: what changed is stored, what was known before is kept, nothing is counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.hours import HOUR
from accounts.scoping import all_tenants
from metrics.facts import HOURS, Merged, hours_as_known, merge
from metrics.models import HourlyMetric, HourlyMetricRevision
from tests.factories import House, make_house

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("everywhere")


def store(house: House, figures: dict[tuple[int, datetime], tuple[Any, ...]], as_of: datetime) -> Merged:
    """Merge figures by (number of the ad set, hour)."""
    rows = [(house.ad_sets[i].pk, hour, *values) for (i, hour), values in figures.items()]
    owner = {"tenant_id": house.tenant.pk, "ad_account_id": house.account.pk}
    with transaction.atomic():
        return merge(HOURS, rows, owner=owner, as_of=as_of)


def spends(model: Any) -> list[tuple[datetime, int, datetime]]:
    return list(model.objects.order_by("hour", "known_at").values_list("hour", "spend_micros", "known_at"))


def spent(micros: int, conversions: int | None = None) -> tuple[Any, ...]:
    return (micros, 10, 1, conversions, None, None)


def test_new_rows_are_stored_with_the_time_they_became_known(house: House) -> None:
    merged = store(house, {(0, NOON): spent(5), (1, NOON - HOUR): spent(7)}, NOON + HOUR)
    assert merged == Merged(2, NOON - HOUR)
    assert spends(HourlyMetric) == [(NOON - HOUR, 7, NOON + HOUR), (NOON, 5, NOON + HOUR)]
    assert spends(HourlyMetricRevision) == []
    assert set(HourlyMetric.objects.values_list("tenant", "ad_account")) == {(house.tenant.pk, house.account.pk)}


def test_the_same_rows_again_change_nothing_not_even_the_time(house: House) -> None:
    store(house, {(0, NOON): spent(5)}, NOON + HOUR)
    assert store(house, {(0, NOON): spent(5)}, NOON + 3 * HOUR) == Merged(0, None)
    assert spends(HourlyMetric) == [(NOON, 5, NOON + HOUR)]


def test_a_restated_row_replaces_the_current_one_and_keeps_it_as_a_revision(house: House) -> None:
    store(house, {(0, NOON): spent(5), (1, NOON): spent(1)}, NOON + HOUR)
    assert store(house, {(0, NOON): spent(6), (1, NOON): spent(1)}, NOON + 2 * HOUR) == Merged(1, NOON)
    assert (NOON, 6, NOON + 2 * HOUR) in spends(HourlyMetric)
    assert spends(HourlyMetricRevision) == [(NOON, 5, NOON + HOUR)]


@pytest.mark.parametrize(("before", "after"), [(None, 0), (0, None), (None, 3)])
def test_unknown_is_a_value_of_its_own(house: House, before: int | None, after: int | None) -> None:
    store(house, {(0, NOON): spent(5, before)}, NOON + HOUR)
    assert store(house, {(0, NOON): spent(5, after)}, NOON + 2 * HOUR).count == 1
    assert HourlyMetric.objects.get().conversions == after
    assert HourlyMetricRevision.objects.get().conversions == before


def test_a_row_that_became_known_later_is_not_overwritten_by_an_older_read(house: House) -> None:
    store(house, {(0, NOON): spent(6)}, NOON + 5 * HOUR)
    assert store(house, {(0, NOON): spent(5)}, NOON + HOUR) == Merged(0, None)
    assert spends(HourlyMetric) == [(NOON, 6, NOON + 5 * HOUR)]
    assert spends(HourlyMetricRevision) == []


def test_a_second_read_of_the_same_slot_replaces_without_a_revision(house: House) -> None:
    store(house, {(0, NOON): spent(5)}, NOON + HOUR)
    assert store(house, {(0, NOON): spent(6)}, NOON + HOUR).count == 1
    assert spends(HourlyMetric) == [(NOON, 6, NOON + HOUR)]
    assert spends(HourlyMetricRevision) == []


def test_two_merges_in_one_transaction_do_not_see_each_others_rows(house: House) -> None:
    with transaction.atomic():
        store(house, {(0, NOON): spent(5)}, NOON + HOUR)
        assert store(house, {(1, NOON): spent(7)}, NOON + HOUR).count == 1
    assert HourlyMetric.objects.count() == 2


def test_nothing_to_merge_is_nothing_done(house: House) -> None:
    assert store(house, {}, NOON) == Merged(0, None)


def test_a_row_that_the_table_refuses_leaves_nothing_of_the_others(house: House) -> None:
    with pytest.raises(IntegrityError):
        store(house, {(0, NOON): spent(5), (1, NOON): spent(-1)}, NOON + HOUR)
    assert not HourlyMetric.objects.exists()
    assert store(house, {(0, NOON): spent(5)}, NOON + HOUR).count == 1


class WhatWasKnown(TestCase):
    """However an hour was restated, what was known at any time can be told."""

    @given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), min_size=1, max_size=8))
    def test_the_value_at_any_time_is_that_of_the_newest_read_before_it(self, reads: list[tuple[int, int]]) -> None:
        with all_tenants():
            house = make_house()
            told: dict[datetime, int] = {}
            for at, micros in sorted(reads, key=lambda read: read[0]):
                as_of = NOON + at * HOUR
                store(house, {(0, NOON): spent(micros)}, as_of)
                told[as_of] = micros
            for at in range(12):
                moment = NOON + at * HOUR
                found = hours_as_known(moment, tenant=house.tenant)
                expected = [micros for known, micros in told.items() if known <= moment][-1:]
                assert [row["spend_micros"] for row in found.values()] == expected
            assert HourlyMetric.objects.count() == 1


def test_timestamps_are_read_back_in_utc(house: House) -> None:
    merged = store(house, {(0, NOON + timedelta(days=1)): spent(5), (0, NOON): spent(5)}, NOON + 60 * HOUR)
    assert merged.oldest == NOON and merged.oldest.tzinfo is not None
