"""What moto lacks and this project needs, filled in where it is missing.

Here and in the modules that it calls, each function fills one gap of moto 5.2.5 and names it.
Everything else is moto's own.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2.models import Api, Stage
from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.iam.access_control import PermissionResult
from moto.logs.metric_filters import MetricFilters
from moto.s3.models import FakeBucket

from localcloud.moto_patches import (
    apigateway,
    cloudwatch,
    iam_limits,
    lambda_functions,
    lambda_invoke,
    logs,
    provisioned_concurrency,
)
from localcloud.runtime.invoker import Functions


def fill(functions: Functions, api_root: str) -> None:
    """Fill every gap, once a process, before moto serves its first request."""
    lambda_invoke.fill(functions)
    lambda_functions.fill()
    provisioned_concurrency.fill()
    apigateway.fill()
    iam_limits.enforce()
    _apis_answer_here(api_root)
    _stages_can_be_updated()
    cloudwatch.fill()
    _bucket_policies_are_judged_elsewhere()
    _metric_filters_are_replaced()
    logs.fill()


def _apis_answer_here(api_root: str) -> None:
    """moto's APIs claim an address at amazonaws.com; here they answer below `api_root`."""
    stock_init = Api.__init__

    def init(self: Api, *arguments: Any, **named: Any) -> None:
        stock_init(self, *arguments, **named)
        self.api_endpoint = f"{api_root}/{self.api_id}"

    Api.__init__ = init


def _stages_can_be_updated() -> None:
    """moto has no UpdateStage, so an API's throttling could never change."""

    def update_stage(self: ApiGatewayV2Response) -> tuple[int, dict[str, str], str]:
        api_id, _, stage_name = unquote(self.path).split("/")[-3:]
        api = self.apigatewayv2_backend.get_api(api_id)
        before = api.get_stage(stage_name)
        after = Stage(api, before.config | json.loads(self.body))
        after.created = before.created
        api.stages[stage_name] = after
        return 200, {}, json.dumps(after.to_json())

    ApiGatewayV2Response.update_stage = update_stage


def _bucket_policies_are_judged_elsewhere() -> None:
    """moto refuses what a bucket's policy denies under conditions, whether they hold or not.

    `localcloud.iam.guard` judges them.
    """

    def get_permission(self: FakeBucket, action: str, resource: str) -> PermissionResult:
        return PermissionResult.NEUTRAL

    FakeBucket.get_permission = get_permission


def _metric_filters_are_replaced() -> None:
    """moto keeps the old filter when another one replaces it."""
    stock_add = MetricFilters.add_filter

    def add(
        self: MetricFilters, filter_name: str, pattern: str, group: str, transformations: Any
    ) -> None:
        self.delete_filter(filter_name, group)
        stock_add(self, filter_name, pattern, group, transformations)

    MetricFilters.add_filter = add
