"""What the admin pages of facts share."""

from __future__ import annotations

from unfold.contrib.filters.admin import RelatedDropdownFilter

from accounts.admin_base import ReadOnlyAdmin

NOTHING_SYNCED = "Nothing has been synced yet: connect a store and an ad account, and wait for the next hour."
of_account = ("ad_account", RelatedDropdownFilter)
of_store = ("store", RelatedDropdownFilter)


class FactAdmin(ReadOnlyAdmin):
    show_full_result_count = False
    empty_hint = NOTHING_SYNCED
