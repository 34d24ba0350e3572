"""CloudWatch's metrics, as far as moto 5.2.5 is not like AWS."""

from __future__ import annotations

import time
from datetime import UTC

from moto.cloudwatch.models import CloudWatchBackend, MetricDatumBase

from localcloud import conditions

_MINUTE_S = 60


def fill() -> None:
    """Fill the gaps, once a process."""
    _statistics_are_of_one_metric()
    _metrics_of_services_arrive_late()


def _statistics_are_of_one_metric() -> None:
    """moto's GetMetricStatistics adds up every metric that has the wanted dimensions among others.

    So a call through an alias would count three times for its function. For ListMetrics, which says
    what it has found already, that is right.
    """
    stock_filter = MetricDatumBase.filter

    def only_same_dimensions(
        self: MetricDatumBase,
        namespace: str | None,
        name: str | None,
        dimensions: list[dict[str, str]],
        already_present_metrics: list[MetricDatumBase] | None = None,
    ) -> bool:
        if already_present_metrics is None and len(dimensions) != len(self.dimensions):
            return False
        return bool(stock_filter(self, namespace, name, dimensions, already_present_metrics))

    MetricDatumBase.filter = only_same_dimensions


def _metrics_of_services_arrive_late() -> None:
    """moto has at once what Lambda and API Gateway count; they publish it by the minute, later.

    Source: "Types of metrics for Lambda functions" in the Lambda developer guide.
    """
    stock_all = CloudWatchBackend.get_all_metrics

    def arrived(self: CloudWatchBackend) -> list[MetricDatumBase]:
        found: list[MetricDatumBase] = stock_all(self)
        delay = conditions.value(self.account_id, self.region_name, "metric-delay")
        if delay is None:
            return found
        until_s = time.time() - float(delay)
        return [
            each
            for each in found
            if not each.namespace.startswith("AWS/") or _end_of_minute_s(each) <= until_s
        ]

    CloudWatchBackend.get_all_metrics = arrived


def _end_of_minute_s(datum: MetricDatumBase) -> float:
    """Return when the minute is over in which something was counted."""
    # moto's own times are of UTC and do not say so.
    counted_s = datum.timestamp.replace(tzinfo=datum.timestamp.tzinfo or UTC).timestamp()
    return float((counted_s // _MINUTE_S + 1) * _MINUTE_S)
