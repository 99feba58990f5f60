"""Replay past days without writing."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from accounts.commands import BursarCommand
from accounts.hours import newest_closed_slot, parse_slot
from accounts.models import RolloutStage, Tenant
from accounts.money import money_text
from automation.cycle import DEFAULT_POLICY
from automation.limits import limit_values, limits_of
from automation.runner import Episode, RunnerError, replay, tenant_for
from brain.policies import load
from metrics.progress import progress_bar


class Command(BursarCommand):
    help = (
        "Walk past days hour by hour, let the policy decide on what was known before each hour, and print "
        "what happened and what would have been done. Writes nothing, neither to a platform nor to the database."
    )
    errors = (RunnerError, ValueError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--episodes", type=int, default=14, metavar="N", help="finished days to replay (1 to 90)")
        parser.add_argument("--tenant", metavar="SLUG", help="which tenant (default: the only one)")
        parser.add_argument("--slot", metavar="ISO", help="UTC start of the newest hour (default: newest closed)")
        parser.add_argument("--policy", default=DEFAULT_POLICY, help="a registered policy (default: %(default)s)")
        parser.add_argument("--json", action="store_true", help="one JSON object per line and episode")

    def run(self, *, episodes: int, tenant: str | None, slot: str | None, policy: str, **options: Any) -> None:
        if not 1 <= episodes <= 90:
            raise ValueError(f"--episodes: expected 1 to 90, got {episodes}")
        load(policy)
        owner = tenant_for(tenant)
        row = limits_of(owner)
        limits = limit_values(row, RolloutStage.SHADOW)
        if row is None or limits is None:
            raise RunnerError(f"tenant {owner.slug} has no limits: without a hard cap nothing is decided")
        newest = parse_slot(slot) if slot else newest_closed_slot(timezone.now())
        with progress_bar(f"Replaying {episodes} days", episodes * 24) as advance:
            found = replay(owner, newest, episodes=episodes, policy=policy, limits=limits, row=row, progress=advance)
        if options["json"]:
            for episode in found:
                self.stdout.write(as_json(episode, owner))
        else:
            Console(file=self.stdout, width=150).print(as_table(found, owner, policy))  # type: ignore[arg-type]


def as_json(episode: Episode, owner: Tenant) -> str:
    return json.dumps(
        {
            "start": episode.start.isoformat(),
            "end": episode.end.isoformat(),
            "currency": owner.currency,
            "hours_known": episode.hours_known,
            "revenue_micros": episode.revenue_micros,
            "spend_micros": episode.spend_micros,
            "reward_micros": episode.reward_micros,
            "would_have": dict(episode.verdicts),
            "budget_change_micros": episode.budget_change_micros,
        }
    )


def as_table(episodes: list[Episode], owner: Tenant, policy: str) -> Table:
    table = Table(title=f"Shadow replay of {policy} for {owner}: nothing was written", title_justify="left")
    headings = ("Day", "Hours known", "Revenue", "Spend", "Reward", "Allowed", "Clamped", "Refused", "Held", "Budgets")
    for name in headings:
        table.add_column(name, justify="right")
    rows = [(f"{episode.start:%Y-%m-%d}", episode) for episode in episodes]
    for label, episode in [*rows, ("Total", total(episodes))]:
        amounts = (episode.revenue_micros, episode.spend_micros, episode.reward_micros)
        table.add_row(
            label,
            str(episode.hours_known),
            *(money_text(micros, owner.currency) for micros in amounts),
            *(str(episode.verdicts[name]) for name in ("allowed", "clamped", "refused", "held")),
            money_text(episode.budget_change_micros, owner.currency),
        )
    return table


def total(episodes: list[Episode]) -> Episode:
    """All episodes together."""
    whole = Episode(episodes[0].start, episodes[-1].end)
    for episode in episodes:
        whole.hours_known += episode.hours_known
        whole.revenue_micros += episode.revenue_micros
        whole.spend_micros += episode.spend_micros
        whole.reward_micros += episode.reward_micros
        whole.verdicts += episode.verdicts
        whole.budget_change_micros += episode.budget_change_micros
    return whole
