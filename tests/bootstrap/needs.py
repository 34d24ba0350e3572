"""Why each permission of the roles is there: the calls behind them, as data.

There are three kinds of rows. `TERRAFORM` has, for each resource type of terraform/, what the
locked provider (hashicorp/aws 5.100.0) calls to create, read, update and delete it with the
arguments that we set, tags among them; source: the type's file in the provider, below
internal/service/, after each. `PIPELINE` has the calls of pipeline/ through boto3. `UNSEEN` has
what AWS requires in addition to the call, so that no record of calls has it, each row with its
source.

Resources are ARNs with placeholders: {service}, {environment}, {layer}, {region}, {account}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FUNCTION = "arn:aws:lambda:{region}:{account}:function:{service}-{environment}"
VERSION, LIVE = f"{FUNCTION}:7", f"{FUNCTION}:live"
LAYER = "arn:aws:lambda:{region}:{account}:layer:{service}-{environment}-{layer}"
SIGNING = "arn:aws:lambda:{region}:{account}:code-signing-config:csc-0123456789abcdef0"
ROLE = "arn:aws:iam::{account}:role/{service}-{environment}"
BOUNDARY = "arn:aws:iam::{account}:policy/{service}-{environment}-boundary"
LINKED_ROLE = (
    "arn:aws:iam::{account}:role/aws-service-role/ops.apigateway.amazonaws.com/"
    "AWSServiceRoleForAPIGateway"
)
LOGS = "arn:aws:logs:{region}:{account}:log-group:/aws/"
FUNCTION_LOG = f"{LOGS}lambda/{{service}}-{{environment}}"
API_LOG = f"{LOGS}vendedlogs/apigateway/{{service}}-{{environment}}"
ALARM = "arn:aws:cloudwatch:{region}:{account}:alarm:{service}-{environment}-errors"
DASHBOARD = "arn:aws:cloudwatch::{account}:dashboard/{service}-{environment}"
API_GATEWAY = "arn:aws:apigateway:{region}::"
APIS, API = f"{API_GATEWAY}/apis", f"{API_GATEWAY}/apis/a1b2c3d4e5"
DOMAINS, DOMAIN = f"{API_GATEWAY}/domainnames", f"{API_GATEWAY}/domainnames/api.example.com"
TAGS = f"{API_GATEWAY}/tags/arn%3Aaws%3Aapigateway%3A{{region}}%3A%3A%2Fv2%2F"
SMOKE_KEY = "arn:aws:ssm:{region}:{account}:parameter/{service}/{environment}/smoke-api-key"
STATE_BUCKET = "arn:aws:s3:::{service}-terraform-state-{account}"
STATE_KEY = "{service}/{environment}.tfstate"
LOCK_KEY = f"{STATE_KEY}.tflock"
ARTIFACTS = "arn:aws:s3:::{service}-artifacts-{account}"

# Who has a permission, by the purpose of the role.
ALL = ("plan", "deploy", "rollback")
WRITERS = ("deploy", "rollback")
DEPLOY, ROLLBACK = ("deploy",), ("rollback",)


@dataclass(frozen=True)
class Need:
    """An action on a resource that some roles must be allowed, in a context of condition keys."""

    action: str
    resource: str
    roles: tuple[str, ...] = WRITERS
    context: Mapping[str, str] = field(default_factory=dict)
    # Of the service, whose permissions are granted only where bootstrap is given its name.
    option: str = ""
    source: str = ""


type Needs = tuple[Need, ...]


def reads(resource: str, *actions: str, option: str = "") -> Needs:
    """Return rows for actions that a plan calls, too."""
    return tuple(Need(action, resource, ALL, option=option) for action in actions)


def writes(
    resource: str, *actions: str, option: str = "", context: Mapping[str, str] | None = None
) -> Needs:
    """Return rows for actions that only an apply calls."""
    return tuple(Need(action, resource, WRITERS, context or {}, option) for action in actions)


def _of_groups(*groups: str) -> tuple[str, ...]:
    """Return the ARNs of log groups in both forms, with ":*" and without.

    Which of them counts depends on the action: "CloudWatch Logs resources and operations" in the
    CloudWatch Logs user guide.
    """
    return tuple(f"{group}{suffix}" for group in groups for suffix in ("", ":*"))


def _rest(parents: str, part: str, *methods: str, option: str = "") -> Needs:
    """Return rows for a part of an API, whose actions are HTTP's methods."""
    one = f"{parents}/{part}"
    return (
        *writes(parents, "apigateway:POST", option=option),
        *reads(one, "apigateway:GET", option=option),
        *writes(one, *(f"apigateway:{method}" for method in methods), option=option),
    )


_BOUND = {"iam:permissionsboundary": BOUNDARY}
_CHANGED, _GONE = "PATCH", "DELETE"

TERRAFORM: Mapping[str, Needs] = {
    # apigatewayv2/api.go
    "aws_apigatewayv2_api": (
        *_rest(APIS, "a1b2c3d4e5", _CHANGED, _GONE),
        *writes(f"{API}/cors", "apigateway:DELETE"),  # once no origin is configured any more
    ),
    # apigatewayv2/integration.go, route.go, authorizer.go, stage.go
    "aws_apigatewayv2_integration": _rest(f"{API}/integrations", "i1", _CHANGED, _GONE),
    "aws_apigatewayv2_route": _rest(f"{API}/routes", "r1", _CHANGED, _GONE),
    "aws_apigatewayv2_authorizer": _rest(f"{API}/authorizers", "a1", _CHANGED, _GONE),
    "aws_apigatewayv2_stage": _rest(f"{API}/stages", "$default", _CHANGED, _GONE),
    # apigatewayv2/domain_name.go, api_mapping.go
    "aws_apigatewayv2_domain_name": _rest(
        DOMAINS, "api.example.com", _CHANGED, _GONE, option="custom_domain"
    ),
    "aws_apigatewayv2_api_mapping": _rest(
        f"{DOMAIN}/apimappings", "m1", _CHANGED, _GONE, option="custom_domain"
    ),
    # cloudwatch/dashboard.go
    "aws_cloudwatch_dashboard": (
        *reads(DASHBOARD, "cloudwatch:GetDashboard"),
        *writes(DASHBOARD, "cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"),
    ),
    # logs/group.go
    "aws_cloudwatch_log_group": (
        *reads("*", "logs:DescribeLogGroups"),
        *(
            row
            for group in _of_groups(FUNCTION_LOG, API_LOG)
            for row in (
                *reads(group, "logs:ListTagsForResource"),
                *writes(group, "logs:CreateLogGroup", "logs:DeleteLogGroup"),
                *writes(group, "logs:PutRetentionPolicy"),
                *writes(group, "logs:TagResource", "logs:UntagResource"),
            )
        ),
    ),
    # logs/metric_filter.go
    "aws_cloudwatch_log_metric_filter": tuple(
        row
        for group in _of_groups(FUNCTION_LOG)
        for row in (
            *reads(group, "logs:DescribeMetricFilters"),
            *writes(group, "logs:PutMetricFilter", "logs:DeleteMetricFilter"),
        )
    ),
    # cloudwatch/metric_alarm.go
    "aws_cloudwatch_metric_alarm": (
        *reads(ALARM, "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"),
        *writes(ALARM, "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
        *writes(ALARM, "cloudwatch:TagResource", "cloudwatch:UntagResource"),
    ),
    # iam/role.go
    "aws_iam_role": (
        *reads(ROLE, "iam:GetRole", "iam:ListAttachedRolePolicies"),
        *reads(ROLE, "iam:ListRolePolicies", "iam:GetRolePolicy"),
        *writes(ROLE, "iam:CreateRole", "iam:PutRolePermissionsBoundary", context=_BOUND),
        *writes(ROLE, "iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription"),
        *writes(ROLE, "iam:DeleteRole", "iam:ListInstanceProfilesForRole"),
        *writes(ROLE, "iam:TagRole", "iam:UntagRole"),
    ),
    # iam/role_policy.go
    "aws_iam_role_policy": (
        *reads(ROLE, "iam:GetRolePolicy"),
        *writes(ROLE, "iam:PutRolePolicy", "iam:DeleteRolePolicy", context=_BOUND),
    ),
    # lambda/alias.go
    "aws_lambda_alias": (
        *reads(LIVE, "lambda:GetAlias"),
        *writes(FUNCTION, "lambda:CreateAlias", "lambda:DeleteAlias", "lambda:UpdateAlias"),
    ),
    # lambda/code_signing_config.go
    "aws_lambda_code_signing_config": (
        *reads(*(SIGNING, "lambda:GetCodeSigningConfig", "lambda:ListTags"), option="code_signing"),
        *writes("*", "lambda:CreateCodeSigningConfig", option="code_signing"),
        *writes(
            *(SIGNING, "lambda:UpdateCodeSigningConfig", "lambda:DeleteCodeSigningConfig"),
            *("lambda:TagResource", "lambda:UntagResource"),
            option="code_signing",
        ),
    ),
    # lambda/function.go
    "aws_lambda_function": (
        *reads(FUNCTION, "lambda:GetFunction", "lambda:ListVersionsByFunction"),
        *reads(FUNCTION, "lambda:GetFunctionCodeSigningConfig"),
        *writes(FUNCTION, "lambda:CreateFunction", "lambda:DeleteFunction"),
        *writes(FUNCTION, "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),
        *writes(FUNCTION, "lambda:PublishVersion", "lambda:GetFunctionConfiguration"),
        *writes(FUNCTION, "lambda:TagResource", "lambda:UntagResource"),
        *writes(
            *(FUNCTION, "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"),
            option="reserved_concurrency",
        ),
        *writes(
            *(FUNCTION, "lambda:PutFunctionCodeSigningConfig"),
            *("lambda:DeleteFunctionCodeSigningConfig",),
            option="code_signing",
        ),
    ),
    # lambda/layer_version.go; with skip_destroy nothing is deleted
    "aws_lambda_layer_version": (
        *reads(f"{LAYER}:3", "lambda:GetLayerVersion"),
        *writes(LAYER, "lambda:PublishLayerVersion"),
    ),
    # lambda/permission.go; there is no update
    "aws_lambda_permission": (
        *reads(LIVE, "lambda:GetPolicy"),
        *writes(LIVE, "lambda:AddPermission", "lambda:RemovePermission"),
    ),
    # lambda/provisioned_concurrency_config.go
    "aws_lambda_provisioned_concurrency_config": (
        *reads(*(LIVE, "lambda:GetProvisionedConcurrencyConfig"), option="provisioned_concurrency"),
        *writes(
            *(LIVE, "lambda:PutProvisionedConcurrencyConfig"),
            *("lambda:DeleteProvisionedConcurrencyConfig",),
            option="provisioned_concurrency",
        ),
    ),
}

# Terraform's own state: "S3 Bucket Permissions" of the backend s3, in Terraform's documentation. A
# plan is made without the lock.
STATE: Needs = (
    Need("s3:ListBucket", STATE_BUCKET, ALL, {"s3:prefix": "env:/"}),
    *reads(f"{STATE_BUCKET}/{STATE_KEY}", "s3:GetObject"),
    *writes(f"{STATE_BUCKET}/{STATE_KEY}", "s3:PutObject"),
    *writes(f"{STATE_BUCKET}/{LOCK_KEY}", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
)

_STORED = ("bundles/b1/manifest.json", "packages/p1/x.zip")
_READ = (*_STORED, "ledger/staging/999998/end.json", "ledger/production/999998/end.json")
_QUARANTINE = "quarantine/{environment}/b1.json"
_LEASE = "lease/{environment}.json"
_PIPELINE = "pipeline/{environment}"

# By the operation of boto3 and its service, as pipeline/ calls it.
PIPELINE: Mapping[str, Needs] = {
    "functions.get_alias": reads(LIVE, "lambda:GetAlias"),
    "functions.update_alias": writes(LIVE, "lambda:UpdateAlias"),
    "functions.invoke": (
        *writes(VERSION, "lambda:InvokeFunction"),
        *writes(LIVE, "lambda:InvokeFunction"),
    ),
    "functions.get_provisioned_concurrency_config": writes(
        LIVE, "lambda:GetProvisionedConcurrencyConfig", option="provisioned_concurrency"
    ),
    "functions.get_function": reads(FUNCTION, "lambda:GetFunction")
    + reads(VERSION, "lambda:GetFunction"),
    "functions.get_function_configuration": (
        *writes(FUNCTION, "lambda:GetFunctionConfiguration"),
        *writes(VERSION, "lambda:GetFunctionConfiguration"),
    ),
    "functions.published_version_active": writes(VERSION, "lambda:GetFunctionConfiguration"),
    "functions.update_function_code": writes(FUNCTION, "lambda:UpdateFunctionCode"),
    "functions.publish_version": writes(FUNCTION, "lambda:PublishVersion"),
    "functions.get_layer_version": reads(f"{LAYER}:3", "lambda:GetLayerVersion"),
    "s3.get_object": (
        *(row for key in _READ for row in reads(f"{ARTIFACTS}/{key}", "s3:GetObject")),
        *reads(f"{ARTIFACTS}/{_QUARANTINE}", "s3:GetObject"),
        *reads(f"{ARTIFACTS}/{_LEASE}", "s3:GetObject"),
        *reads(f"{STATE_BUCKET}/{STATE_KEY}", "s3:GetObject"),
        *reads(f"{STATE_BUCKET}/{LOCK_KEY}", "s3:GetObject"),
    ),
    # HeadObject has no permission of its own: S3 API reference.
    "s3.head_object": reads(f"{ARTIFACTS}/packages/p1/x.zip", "s3:GetObject"),
    "s3.list_objects_v2": (
        Need("s3:ListBucket", ARTIFACTS, ALL, {"s3:prefix": "bundles/b5a98a1"}),
        *(
            Need("s3:ListBucket", ARTIFACTS, ALL, {"s3:prefix": f"ledger/{each}/"})
            for each in ("staging", "production")
        ),
    ),
    "s3.put_object": (
        *writes(f"{ARTIFACTS}/ledger/{{environment}}/999998/begin.json", "s3:PutObject"),
        *writes(f"{ARTIFACTS}/{_LEASE}", "s3:PutObject"),
        *(Need("s3:PutObject", f"{ARTIFACTS}/{key}", DEPLOY) for key in _STORED),
        Need("s3:PutObject", f"{ARTIFACTS}/{_PIPELINE}", DEPLOY),
        Need("s3:PutObject", f"{ARTIFACTS}/{_QUARANTINE}", ROLLBACK),
    ),
    "s3.delete_object": writes(f"{ARTIFACTS}/{_QUARANTINE}", "s3:DeleteObject"),
    "logs.filter_log_events": tuple(
        row for group in _of_groups(FUNCTION_LOG) for row in writes(group, "logs:FilterLogEvents")
    ),
    "cloudwatch.describe_alarms": reads(ALARM, "cloudwatch:DescribeAlarms"),
    "cloudwatch.get_metric_statistics": writes("*", "cloudwatch:GetMetricStatistics"),
    "cloudwatch.put_metric_data": writes(
        "*", "cloudwatch:PutMetricData", context={"cloudwatch:namespace": "{service}"}
    ),
    "parameters.get_parameter": writes(SMOKE_KEY, "ssm:GetParameter"),
}

# Called by a person with permissions of their own: bootstrap, doctor, prune.
BY_A_PERSON = frozenset(
    {
        "apis.get_apis",
        "functions.delete_function",
        "functions.delete_layer_version",
        "functions.get_account_settings",
        "functions.list_aliases",
        "functions.list_layer_versions",
        "functions.list_versions_by_function",
        "iam.get_open_id_connect_provider",
        "iam.get_policy",
        "iam.get_policy_version",
        "iam.get_role",
        "iam.list_open_id_connect_providers",
        "parameters.describe_parameters",
        "s3.create_bucket",
        "s3.get_bucket_versioning",
        "s3.get_public_access_block",
        "s3.head_bucket",
    }
)


def _unseen(source: str, *rows: Need) -> Needs:
    return tuple(
        Need(row.action, row.resource, row.roles, row.context, row.option, source) for row in rows
    )


_MISSING_KEYS = (
    "S3 API reference, GetObject: 404 for a missing key only with s3:ListBucket, else 403"
)
_API_TAGS = "github.com/hashicorp/terraform-provider-aws/issues/20634: what AWS refuses without it"
_LOG_DELIVERY = 'API Gateway developer guide, "Permissions to activate logging" of an HTTP API'
_VPC = 'Lambda developer guide, "Required IAM permissions" to attach a function to a VPC'

UNSEEN: Needs = (
    *_unseen(
        _MISSING_KEYS,
        *(
            Need("s3:ListBucket", ARTIFACTS, ALL, {"s3:prefix": key})
            for key in (*_READ, _QUARANTINE)
        ),
        Need("s3:ListBucket", ARTIFACTS, ALL, {"s3:prefix": _LEASE}),
        Need("s3:ListBucket", STATE_BUCKET, ALL, {"s3:prefix": STATE_KEY}),
        Need("s3:ListBucket", STATE_BUCKET, ALL, {"s3:prefix": LOCK_KEY}),
    ),
    *_unseen(
        "rollback.yml fetches the pipeline with `aws s3 cp`: HeadObject and GetObject",
        Need("s3:GetObject", f"{ARTIFACTS}/{_PIPELINE}", ROLLBACK),
    ),
    *_unseen(
        "Lambda API reference, GetFunctionResponse: tags only with lambda:ListTags",
        *reads(FUNCTION, "lambda:ListTags"),
    ),
    *_unseen(
        _API_TAGS,
        *writes(f"{TAGS}apis%2F*", "apigateway:POST"),
        *writes(f"{TAGS}domainnames%2F*", "apigateway:POST", option="custom_domain"),
        *writes(f"{API}/stages", "apigateway:TagResource"),
        *writes(f"{API}/stages/$default", "apigateway:TagResource", "apigateway:UntagResource"),
    ),
    *_unseen(
        "Service authorization reference, API Gateway: PUT and DELETE have the resource type Tags",
        *writes(f"{TAGS}apis%2Fa1b2c3d4e5", "apigateway:PUT", "apigateway:DELETE"),
    ),
    *_unseen(
        'API Gateway developer guide, "Using service-linked roles for API Gateway"',
        Need(
            "iam:CreateServiceLinkedRole",
            LINKED_ROLE,
            context={"iam:awsservicename": "ops.apigateway.amazonaws.com"},
            option="custom_domain",
        ),
    ),
    *_unseen(
        _LOG_DELIVERY,
        *writes(
            "*",
            *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery"),
            *("logs:DeleteLogDelivery", "logs:ListLogDeliveries"),
            *("logs:PutResourcePolicy", "logs:DescribeResourcePolicies"),
        ),
    ),
    *_unseen(
        'IAM user guide, "Grant a user permissions to pass a role to an AWS service"',
        *writes(ROLE, "iam:PassRole", context={"iam:passedtoservice": "lambda.amazonaws.com"}),
    ),
    *_unseen(
        "Service authorization reference: to create it with tags, tag it",
        *writes(ROLE, "iam:TagRole"),
        *writes(FUNCTION, "lambda:TagResource"),
        *writes(FUNCTION_LOG, "logs:TagResource"),
        *writes(ALARM, "cloudwatch:TagResource"),
    ),
    *_unseen(
        "Lambda API reference, CreateFunction: the caller reads the package and the layer",
        *reads(f"{ARTIFACTS}/packages/p1/x.zip", "s3:GetObject"),
        *reads(f"{LAYER}:3", "lambda:GetLayerVersion"),
    ),
    *_unseen(
        "CloudWatch API reference, DescribeAlarms: nothing of composite alarms if not for *",
        *reads("*", "cloudwatch:DescribeAlarms"),
    ),
    *_unseen(
        _VPC,
        *writes(
            *("*", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
            option="vpc",
        ),
    ),
)


def everything() -> Needs:
    """Return all rows."""
    provider = (row for rows in TERRAFORM.values() for row in rows)
    pipeline = (row for rows in PIPELINE.values() for row in rows)
    return (*provider, *STATE, *pipeline, *UNSEEN)
