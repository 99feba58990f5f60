"""Every way to decide budgets, behind one protocol. Knows no ORM and no HTTP.

policy = load("roas_rules")
policy.reset(n_ad_sets, seed)
budgets = policy.decide(observation)
"""

from brain.policies.base import Explanation, Observation, Policy, PolicyError, load, names, register
from brain.policies.simple import Hold, RoasRules

__all__ = [
    "Explanation",
    "Hold",
    "Observation",
    "Policy",
    "PolicyError",
    "RoasRules",
    "load",
    "names",
    "register",
]
