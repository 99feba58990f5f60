"""What stores sold: orders, what came back or was changed, products and their costs. No personal data."""

from __future__ import annotations

from django.db import models

from accounts.models import AdSet, Store, TenantOwned, UuidModel, money_constraint
from accounts.money import MAX_MICROS


class AttributionMethod(models.TextChoices):
    CLICK_ID = "click_id", "Click id"
    UTM = "utm", "UTM parameters"
    NONE = "none", "Not attributed"


class Order(UuidModel, TenantOwned):
    """An order at order time; refunds are booked at their own date. No personal data."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="orders")
    external_id = models.CharField(max_length=64)
    ordered_at = models.DateTimeField(db_index=True)
    platform_updated_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)
    is_test = models.BooleanField(default=False)
    is_paid = models.BooleanField()
    currency = models.CharField(max_length=3)
    total_micros = models.BigIntegerField()
    units = models.PositiveIntegerField()
    is_new_customer = models.BooleanField(null=True, blank=True)
    attribution_ready = models.BooleanField(default=False)
    utm_source = models.CharField(max_length=255, blank=True)
    utm_medium = models.CharField(max_length=255, blank=True)
    utm_campaign = models.CharField(max_length=255, blank=True)
    utm_content = models.CharField(max_length=255, blank=True)
    utm_term = models.CharField(max_length=255, blank=True)
    click_platform = models.CharField(max_length=16, blank=True)
    click_id = models.CharField(max_length=500, blank=True)
    ad_set = models.ForeignKey(AdSet, null=True, blank=True, on_delete=models.SET_NULL, related_name="orders")
    attribution = models.CharField(max_length=8, choices=AttributionMethod.choices, default=AttributionMethod.NONE)
    redacted_at = models.DateTimeField(
        null=True, blank=True, help_text="When what could lead to a person was erased; it is not read again."
    )

    class Meta:
        ordering = ["-ordered_at"]
        constraints = [
            models.UniqueConstraint(fields=["store", "external_id"], name="one_order"),
            money_constraint("total_micros"),
        ]
        indexes = [
            models.Index(fields=["tenant", "ordered_at"]),
            models.Index(fields=["ad_set", "ordered_at"]),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def counts(self) -> bool:
        """Whether the order is revenue."""
        return self.is_paid and not self.is_test and self.cancelled_at is None


class OrderLine(TenantOwned):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    external_id = models.CharField(max_length=64)
    product_external_id = models.CharField(max_length=64, blank=True)
    variant_external_id = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=255, blank=True)
    quantity = models.PositiveIntegerField()
    unit_price_micros = models.BigIntegerField()
    discount_micros = models.BigIntegerField(default=0, help_text="What all discounts took off the whole line.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "external_id"], name="one_order_line"),
            money_constraint("unit_price_micros"),
            money_constraint("discount_micros"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"


class Refund(TenantOwned):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="refunds")
    external_id = models.CharField(max_length=64)
    refunded_at = models.DateTimeField(db_index=True)
    amount_micros = models.BigIntegerField()

    class Meta:
        ordering = ["-refunded_at"]
        constraints = [
            models.UniqueConstraint(fields=["order", "external_id"], name="one_refund"),
            money_constraint("amount_micros"),
        ]

    def __str__(self) -> str:
        return self.external_id


class OrderEdit(TenantOwned):
    """A change of an order's total after order time, booked at its own date; positive adds revenue."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="edits")
    external_id = models.CharField(max_length=64)
    edited_at = models.DateTimeField(db_index=True)
    amount_micros = models.BigIntegerField()

    class Meta:
        ordering = ["-edited_at"]
        constraints = [
            models.UniqueConstraint(fields=["order", "external_id"], name="one_order_edit"),
            money_constraint("amount_micros", low=-MAX_MICROS),
        ]

    def __str__(self) -> str:
        return self.external_id


class Product(TenantOwned):
    """What a store sells; `status` is the platform's own word."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="products")
    external_id = models.CharField(max_length=64)
    title = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=32, blank=True)
    listed_at = models.DateTimeField(help_text="When the platform says that it was made.")
    platform_updated_at = models.DateTimeField()

    class Meta:
        ordering = ["title"]
        constraints = [models.UniqueConstraint(fields=["store", "external_id"], name="one_product")]

    def __str__(self) -> str:
        return self.title or self.external_id


class ProductCost(UuidModel, TenantOwned):
    """The cost of one unit from a date on, until the next row of the same variant, or of the whole product."""

    class Source(models.TextChoices):
        STAFF = "staff", "Entered here"
        PLATFORM = "platform", "Read from the store"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="product_costs")
    product_external_id = models.CharField(max_length=64)
    variant_external_id = models.CharField(
        max_length=64, blank=True, help_text="Empty: every variant that has no cost of its own."
    )
    unit_cost_micros = models.BigIntegerField()
    effective_from = models.DateField(help_text="In the store's own calendar.")
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.STAFF, editable=False)

    class Meta:
        ordering = ["product_external_id", "variant_external_id", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["store", "product_external_id", "variant_external_id", "effective_from"],
                name="one_cost_per_variant_and_date",
            ),
            money_constraint("unit_cost_micros"),
        ]

    def __str__(self) -> str:
        return f"{self.product_external_id} from {self.effective_from}"


class StoreCoverage(TenantOwned):
    """From when to when a store's orders are known; orders outside are missing, not zero."""

    store = models.OneToOneField(Store, on_delete=models.CASCADE, related_name="coverage")
    known_from = models.DateTimeField()
    known_to = models.DateTimeField(help_text="Orders updated before this have been read.")

    def __str__(self) -> str:
        return f"{self.store}: {self.known_from:%Y-%m-%d %H:%M} to {self.known_to:%Y-%m-%d %H:%M}"


class SourceCoverage(TenantOwned):
    """From when to when one kind of a store's further data is known: products, statements, returns, …"""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="further_coverage")
    kind = models.CharField(max_length=24)
    known_from = models.DateTimeField()
    known_to = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "kind"], name="one_coverage_per_kind")]

    def __str__(self) -> str:
        return f"{self.store}, {self.kind}"
