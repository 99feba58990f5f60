"""Ask the policy once, under the limits of the command line."""

from __future__ import annotations

import json
import re
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from accounts.commands import BursarCommand
from accounts.hours import newest_closed_slot, parse_slot
from accounts.money import PPM, micros_from_text, money_text
from automation.cycle import DEFAULT_POLICY
from automation.limits import RunLimits, parse_peak_hours
from automation.runner import Flags, Line, RunnerError, decide_now, tenant_for
from brain.policies import load
from connectors.errors import ConnectorError

HOURS_PER_DAY = 24
_CANARY = re.compile(r"(meta|tiktok):[A-Za-z0-9_]{1,64}")


class Command(BursarCommand):
    help = (
        "Ask the policy for budgets once and print what the limits leave of them, with the reason of every "
        "clamp or refusal. In pilot mode the budgets of the canary ad sets are written, through the same "
        "guardrails, approvals and dispatch as every hour. Hourly figures are a daily budget divided by 24. "
        "The flags are the hardest limits of the run; only a platform's own minimum budget outranks them."
    )
    errors = (RunnerError, ConnectorError, ValueError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="which tenant (default: the only one)")
        parser.add_argument("--slot", metavar="ISO", help="UTC start of the hour (default: newest closed)")
        parser.add_argument("--mode", choices=["shadow", "pilot"], default="shadow", help="shadow writes nothing")
        parser.add_argument("--policy", default=DEFAULT_POLICY, help="a registered policy (default: %(default)s)")
        parser.add_argument(
            "--daily-budget-target",
            default=settings.DAILY_BUDGET_TARGET or None,
            metavar="AMOUNT",
            help="nominal daily budgets of the run's ad sets together (default: DAILY_BUDGET_TARGET)",
        )
        parser.add_argument("--delta-max", default="0.10", metavar="SHARE", help="largest relative change")
        parser.add_argument("--min-hourly", default="0.5", metavar="AMOUNT", help="lowest daily budget / 24")
        parser.add_argument("--max-hourly", default="3.0", metavar="AMOUNT", help="highest daily budget / 24")
        parser.add_argument("--canary-list", default="", metavar="KEYS", help='for example "tiktok:123,meta:456"')
        parser.add_argument("--peak-hours", default="", metavar="H-H", help="raises only then, local; 18-22")
        parser.add_argument("--json", action="store_true", help="one JSON object per line and ad set")

    def run(self, *, tenant: str | None, slot: str | None, json: bool, **options: Any) -> None:
        flags = read_flags(options)
        owner = tenant_for(tenant)
        lines = decide_now(owner, parse_slot(slot) if slot else newest_closed_slot(timezone.now()), flags)
        if json:
            for line in lines:
                self.stdout.write(as_json(line, flags.mode))
        else:
            Console(file=self.stdout, width=160).print(as_table(lines, flags.mode))  # type: ignore[arg-type]


def read_flags(options: dict[str, Any]) -> Flags:
    """Raises `ValueError` with one line that names the flag."""
    if options["daily_budget_target"] is None:
        raise ValueError("--daily-budget-target: expected an amount (or DAILY_BUDGET_TARGET in the environment)")
    load(options["policy"])
    return Flags(
        mode=options["mode"],
        policy=options["policy"],
        limits=RunLimits(
            daily_target_micros=_amount(options, "daily_budget_target"),
            delta_ppm=_share(options, "delta_max"),
            floor_micros=_amount(options, "min_hourly") * HOURS_PER_DAY,
            ceiling_micros=_amount(options, "max_hourly") * HOURS_PER_DAY,
            peak_hours=parse_peak_hours(options["peak_hours"]),
            canary=_canary(options["canary_list"]),
        ),
    )


def _amount(options: dict[str, Any], name: str) -> int:
    try:
        return micros_from_text(str(options[name]))
    except ValueError as error:
        raise ValueError(f"--{name.replace('_', '-')}: {error}") from error


def _share(options: dict[str, Any], name: str) -> int:
    share = _amount(options, name)
    if not 0 < share <= PPM:
        raise ValueError(f"--{name.replace('_', '-')}: expected a share above 0 and up to 1, such as 0.10")
    return share


def _canary(text: str) -> frozenset[str] | None:
    keys = [key.strip() for key in text.split(",") if key.strip()]
    for key in keys:
        if not _CANARY.fullmatch(key):
            raise ValueError(f"--canary-list: expected platform:id such as tiktok:123, got {key[:60]!r}")
    return frozenset(keys) or None


def as_json(line: Line, mode: str) -> str:
    """Amounts as whole micros per day, and per hour as text (the daily budget divided by 24)."""
    return json.dumps(
        {
            "ad_set": line.key,
            "name": line.name,
            "mode": mode,
            "currency": line.currency,
            "current_daily_micros": line.current_micros,
            "wanted_daily_micros": line.wanted_micros,
            "allowed_daily_micros": line.allowed_micros,
            "allowed_hourly": _hourly(line.allowed_micros),
            "verdict": line.verdict,
            "reason": line.reason,
            "state": line.state or None,
        },
        ensure_ascii=False,
    )


def _hourly(micros: int | None) -> str | None:
    return None if micros is None else f"{micros / HOURS_PER_DAY / PPM:.4f}"


def as_table(lines: list[Line], mode: str) -> Table:
    table = Table(title=f"run_policy, {mode}", title_justify="left")
    for name in ("Ad set", "Name", "Current / day", "Wanted", "Allowed", "Allowed / hour", "Verdict", "Reason"):
        table.add_column(name, overflow="fold")
    for line in lines:
        amounts = (line.current_micros, line.wanted_micros, line.allowed_micros)
        table.add_row(
            line.key,
            line.name,
            *(money_text(micros, line.currency) for micros in amounts),
            _hourly(line.allowed_micros) or "–",
            " ".join(filter(None, (line.verdict, line.state))),
            line.reason,
        )
    return table
