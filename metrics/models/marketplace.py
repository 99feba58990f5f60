"""What TikTok Shop tells beyond orders: settlements, payments, affiliates, returns, its own statistics."""

from __future__ import annotations

from django.db import models

from accounts.models import Store, TenantOwned, UuidModel, money_constraint
from accounts.money import MAX_MICROS


class OfStore(TenantOwned):
    """A row that a store's platform tells, by its own id."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="+")
    external_id = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    known_at = models.DateTimeField(help_text="When this was read (wall time).")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.external_id


class Statement(OfStore):
    """A daily settlement. Parts that a region does not have are unknown; amounts may be negative."""

    statement_at = models.DateTimeField()
    status = models.CharField(max_length=32, blank=True)
    payment_external_id = models.CharField(max_length=64, blank=True)
    settlement_micros = models.BigIntegerField()
    revenue_micros = models.BigIntegerField(null=True)
    net_sales_micros = models.BigIntegerField(null=True)
    fee_micros = models.BigIntegerField(null=True)
    adjustment_micros = models.BigIntegerField(null=True)
    shipping_cost_micros = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-statement_at"]
        constraints = [
            models.UniqueConstraint(fields=["store", "external_id"], name="one_statement"),
            money_constraint("settlement_micros", low=-MAX_MICROS),
        ]


class Payment(OfStore):
    """Money sent to the seller's bank."""

    initiated_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=32, blank=True)
    amount_micros = models.BigIntegerField()

    class Meta:
        ordering = ["-initiated_at"]
        constraints = [
            models.UniqueConstraint(fields=["store", "external_id"], name="one_payment"),
            money_constraint("amount_micros", low=-MAX_MICROS),
        ]


class AffiliateSale(OfStore):
    """One SKU of an order that a creator brought: of a shop, who pays commission, or of a creator, who earns it.

    `external_id` is the order's. `commission_micros` is unknown until it is settled.
    """

    sku_external_id = models.CharField(max_length=64)
    sold_at = models.DateTimeField()
    status = models.CharField(max_length=32, blank=True)
    content_type = models.CharField(max_length=32, blank=True)
    quantity = models.PositiveIntegerField()
    sales_micros = models.BigIntegerField()
    commission_rate_ppm = models.BigIntegerField(null=True)
    estimated_micros = models.BigIntegerField(null=True)
    commission_micros = models.BigIntegerField(null=True)
    creator = models.CharField(max_length=120, blank=True)
    shop_name = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-sold_at"]
        constraints = [
            models.UniqueConstraint(fields=["store", "external_id", "sku_external_id"], name="one_affiliate_sale"),
            money_constraint("sales_micros"),
        ]
        indexes = [models.Index(fields=["store", "sold_at"])]


class ShopReturn(OfStore):
    """A request to return or refund; a final one is a `Refund` of its order as well."""

    order_external_id = models.CharField(max_length=64)
    requested_at = models.DateTimeField()
    platform_updated_at = models.DateTimeField()
    status = models.CharField(max_length=64, blank=True)
    is_refunded = models.BooleanField()
    amount_micros = models.BigIntegerField()
    units = models.PositiveIntegerField()

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(fields=["store", "external_id"], name="one_shop_return"),
            money_constraint("amount_micros"),
        ]


class ShopHour(TenantOwned):
    """One hour by the platform's own statistics: a cross-check of the orders, never a source of revenue."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="+")
    hour = models.DateTimeField(help_text="UTC start of the hour.")
    currency = models.CharField(max_length=3)
    gmv_micros = models.BigIntegerField()
    orders = models.PositiveIntegerField()
    visitors = models.PositiveIntegerField(null=True)
    customers = models.PositiveIntegerField(null=True)
    known_at = models.DateTimeField()

    class Meta:
        ordering = ["-hour"]
        constraints = [models.UniqueConstraint(fields=["store", "hour"], name="one_shop_hour")]

    def __str__(self) -> str:
        return f"{self.store} {self.hour:%Y-%m-%d %H:00}"


class ShopDay(TenantOwned):
    """One day of the shop's own calendar by the platform's own statistics."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    currency = models.CharField(max_length=3)
    gmv_micros = models.BigIntegerField()
    orders = models.PositiveIntegerField()
    units = models.PositiveIntegerField(null=True)
    visitors = models.PositiveIntegerField(null=True)
    affiliate_gmv_micros = models.BigIntegerField(null=True)
    known_at = models.DateTimeField()

    class Meta:
        ordering = ["-day"]
        constraints = [models.UniqueConstraint(fields=["store", "day"], name="one_shop_day")]

    def __str__(self) -> str:
        return f"{self.store} {self.day}"


class ShopHealth(TenantOwned):
    """How the platform rated a shop at one evaluation; dimensions and metrics have the platform's own names."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="health")
    evaluated_at = models.DateTimeField()
    score_ppm = models.BigIntegerField(null=True, help_text="Of 5,000,000.")
    tier = models.CharField(max_length=32, blank=True)
    dimensions = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    known_at = models.DateTimeField()

    class Meta:
        ordering = ["-evaluated_at"]
        verbose_name_plural = "shop health"
        constraints = [models.UniqueConstraint(fields=["store", "evaluated_at"], name="one_shop_health")]

    def __str__(self) -> str:
        return f"{self.store} {self.evaluated_at:%Y-%m-%d}"


class CreditAssessment(UuidModel, TenantOwned):
    """A score for lenders from verified revenue, with everything that it was computed from; append-only."""

    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    method = models.CharField(max_length=16, help_text="Version of the formulas.")
    score_ppm = models.BigIntegerField(null=True, help_text="0 to 1,000,000; unknown when too little is known.")
    tier = models.CharField(max_length=32, blank=True)
    monthly_revenue_micros = models.BigIntegerField(null=True, help_text="In US dollars.")
    confidence_ppm = models.BigIntegerField()
    coverage_ppm = models.BigIntegerField()
    factors = models.JSONField(help_text="Each factor with its weight, score, parts and what was read for them.")
    reasons = models.JSONField(help_text="Reason codes.")
    inputs = models.JSONField(help_text="The figures that the score is a function of.")
    inputs_sha256 = models.CharField(max_length=64)
    asked_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.period_start:%Y-%m-%d} to {self.period_end:%Y-%m-%d}"


class CreditEvidence(TenantOwned):
    """Row ids that an assessment was computed from: up to a thousand of one kind in a row."""

    assessment = models.ForeignKey(CreditAssessment, on_delete=models.CASCADE, related_name="evidence")
    kind = models.CharField(max_length=32, help_text="The model's name, such as Order.")
    part = models.PositiveIntegerField()
    row_ids = models.JSONField()

    class Meta:
        ordering = ["kind", "part"]
        verbose_name_plural = "credit evidence"
        constraints = [models.UniqueConstraint(fields=["assessment", "kind", "part"], name="one_part_of_evidence")]

    def __str__(self) -> str:
        return f"{len(self.row_ids)} of {self.kind}"
