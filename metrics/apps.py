from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "metrics"
    verbose_name = "Metrics"

    def ready(self) -> None:
        from connectors.signals import delivery_received
        from metrics.deliveries import on_delivery

        delivery_received.connect(on_delivery, dispatch_uid="metrics.deliveries")
