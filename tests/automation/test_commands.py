"""The other commands, as a person types them: what they do, and one clear line where they cannot."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from automation.models import Action, PolicyRun
from metrics.models import SyncedHour
from tests.automation.conftest import Town
from tests.automation.test_runner import rows_of_every_table


def run(name: str, **options: Any) -> str:
    out = StringIO()
    call_command(name, stdout=out, **options)
    return out.getvalue()


def test_run_cycle_decides_the_hour_and_leaves_the_writing_to_a_worker(town: Town) -> None:
    said = run("run_cycle", slot=town.slot.isoformat())
    assert f"2 runs, {Action.objects.count()} actions" in said
    assert PolicyRun.objects.filter(status="done").count() == 2 and town.writes() == []


def test_sync_reads_what_is_new_and_says_how_much(town: Town) -> None:
    town.box.post("clock", advance_hours=2)
    said = run("sync", slot=town.slot.isoformat())
    assert said.startswith("alder: ") and "orders" in said
    assert SyncedHour.objects.filter(hour=town.slot).count() == 2


@pytest.mark.parametrize("name", ["sync", "run_cycle"])
@pytest.mark.parametrize("platform", ["META", "TIKTOK", "SHOPIFY"])
def test_an_unreachable_platform_gets_one_clear_line_and_changes_nothing(
    town: Town, settings: Any, platform: str, name: str
) -> None:
    setattr(settings, f"{platform}_BASE_URL", "http://127.0.0.1:9")
    before = rows_of_every_table()
    with pytest.raises(CommandError, match=platform.lower()) as caught:
        run(name, slot=town.slot.isoformat())
    assert "\n" not in str(caught.value) and rows_of_every_table() == before


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sync", {"days": 0}, "expected 1 to 394"),
        ("sync", {"tenant": "nobody"}, "no tenant has the slug"),
        ("sync", {"slot": "2026-11-20T10:30Z"}, "expected the UTC start of an hour"),
        ("run_cycle", {"policy": "oracle"}, "expected a policy, one of"),
        ("run_cycle", {"tenant": "nobody"}, "no tenant has the slug"),
        ("run_cycle", {"slot": "2026-11-20T10:00"}, "expected the UTC start of an hour"),
        ("verify_log", {"tenant": "nobody"}, "no tenant has the slug"),
    ],
)
def test_a_wrong_flag_gets_one_clear_line_and_changes_nothing(
    town: Town, name: str, options: dict[str, Any], message: str
) -> None:
    before = rows_of_every_table()
    with pytest.raises(CommandError, match=message) as caught:
        run(name, **options)
    assert "\n" not in str(caught.value) and rows_of_every_table() == before
