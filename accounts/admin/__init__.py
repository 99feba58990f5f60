"""Admin pages of accounts: people, connections, the ad tree, partner keys, alerts."""

from accounts.admin import ad_tree, alerts, connections, keys, people

__all__ = ["ad_tree", "alerts", "connections", "keys", "people"]
