"""Rules that are ready to enable, each with a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accounts.models import Tenant
from rules.models import AutomationMode, RiskLevel, Rule


@dataclass(frozen=True, slots=True)
class Preset:
    name: str
    sentence: str
    condition: dict[str, Any]
    action: dict[str, Any]
    risk_level: RiskLevel
    priority: int
    is_safety: bool = False


PRESETS: dict[str, Preset] = {
    "scale_winners": Preset(
        name="Scale winners",
        sentence="Raise the budget by 15 % when three days earned at least 2.5 for each unit of spend.",
        condition={
            "all": [
                {
                    "metric": "roas",
                    "window": "last_3d",
                    "is": ">=",
                    "value": "2.5",
                    "minimum": {"spend": "30", "orders": "5"},
                },
                {"metric": "roas", "window": "last_24h", "is": ">=", "value": "1.5"},
            ]
        },
        action={"kind": "scale_budget", "percent": 15},
        risk_level=RiskLevel.MEDIUM,
        priority=60,
    ),
    "cut_losers": Preset(
        name="Cut losers",
        sentence="Lower the budget by 20 % when three days brought back less than they cost.",
        condition={
            "all": [
                {"metric": "roas", "window": "last_3d", "is": "<", "value": "0.9", "minimum": {"spend": "60"}},
                {"metric": "roas", "window": "last_24h", "is": "<", "value": "1"},
            ]
        },
        action={"kind": "scale_budget", "percent": -20},
        risk_level=RiskLevel.LOW,
        priority=40,
    ),
    "stop_loss": Preset(
        name="Stop loss",
        sentence="Pause an ad set that spent 90 in three days without a single sale.",
        condition={
            "all": [
                {"metric": "spend", "window": "last_3d", "is": ">=", "value": "90"},
                {"metric": "orders", "window": "last_3d", "is": "<", "value": "1"},
            ]
        },
        action={"kind": "pause"},
        risk_level=RiskLevel.HIGH,
        priority=10,
        is_safety=True,
    ),
}


def enable_preset(tenant: Tenant, key: str, *, mode: AutomationMode = AutomationMode.SUGGEST) -> Rule:
    """The tenant's rule of this preset, made when it is not there yet. `KeyError` on an unknown preset."""
    preset = PRESETS[key]
    rule: Rule = Rule.objects.get_or_create(
        tenant=tenant,
        name=preset.name,
        defaults={
            "preset": key,
            "sentence": preset.sentence,
            "condition": preset.condition,
            "action": preset.action,
            "risk_level": preset.risk_level,
            "priority": preset.priority,
            "is_safety": preset.is_safety,
            "mode": mode,
        },
    )[0]
    return rule
