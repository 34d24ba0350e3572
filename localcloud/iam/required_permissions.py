"""Which permissions a call of AWS needs: actions, and the ARNs of the resources they are for.

Source: AWS's service authorization reference ("Actions, resources, and condition keys for …"), but
where another is named. What AWS does on the caller's behalf needs the caller's permission, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from localcloud.iam.request import ApiCall
from localcloud.iam.evaluation import Request

# Anybody may ask who they are. Who may assume a role, that role's trust policy says.
_FREE = frozenset({"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"})

# Operations that need an action of another name.
_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:GetLayerVersionByArn": "lambda:GetLayerVersion",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}

# Operations that can be called with tags: the parameter that holds them, and the action that this
# needs in addition to the operation's own.
_TAGGING = {
    "cloudwatch:PutMetricAlarm": ("Tags", "cloudwatch:TagResource"),
    "iam:CreateOpenIDConnectProvider": ("Tags", "iam:TagOpenIDConnectProvider"),
    "iam:CreatePolicy": ("Tags", "iam:TagPolicy"),
    "iam:CreateRole": ("Tags", "iam:TagRole"),
    "lambda:CreateFunction": ("Tags", "lambda:TagResource"),
    "logs:CreateLogGroup": ("tags", "logs:TagResource"),
}

# "Permissions to activate logging" of an HTTP API, in the API Gateway developer guide.
_LOG_DELIVERY = (
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery"),
    *("logs:DeleteLogDelivery", "logs:ListLogDeliveries"),
    *("logs:PutResourcePolicy", "logs:DescribeResourcePolicies"),
)

# What Lambda looks up of a VPC with the caller's permissions ("Required IAM permissions" for a VPC,
# in the Lambda developer guide).
_VPC_LOOKUPS = ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs")

# Parameters that a policy's condition can compare.
_CONTEXT = {
    "s3:ListObjectsV2": {"s3:prefix": "Prefix"},
    "s3:PutObject": {"s3:if-none-match": "IfNoneMatch"},
    "iam:CreateRole": {"iam:permissionsboundary": "PermissionsBoundary"},
    "iam:PutRolePermissionsBoundary": {"iam:permissionsboundary": "PermissionsBoundary"},
    "cloudwatch:PutMetricData": {"cloudwatch:namespace": "Namespace"},
}


class Permissions:
    """The permissions that calls need, in one account and region."""

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._region = region

    def needed(self, call: ApiCall) -> list[Request]:
        """Return everything that a caller must be allowed to do for this call."""
        name = f"{call.service}:{call.operation}"
        if name in _FREE:
            return []
        if call.service == "apigatewayv2":
            return [*self._of_api_gateway(call), *self._on_behalf(call)]
        parameters = call.parameters
        context = {
            key: str(parameters[parameter])
            for key, parameter in _CONTEXT.get(name, {}).items()
            if parameter in parameters
        }
        own = Request(_ACTIONS.get(name, name), self._resource(call), context)
        needed = [own, *self._on_behalf(call)]
        tags, tagging = _TAGGING.get(name, ("", ""))
        if parameters.get(tags):
            needed.append(Request(tagging, own.resource))
        return needed

    def _of_api_gateway(self, call: ApiCall) -> Iterator[Request]:
        """Yield what a call of API Gateway needs.

        Its actions are HTTP's methods, its ARNs the paths of its API. Tags need permissions of
        their own, of two kinds. No reference has them, only the errors that AWS answers with:
        github.com/hashicorp/terraform-provider-aws/issues/20634,
        github.com/aws-amplify/amplify-studio/issues/889.
        """
        path = call.path.removeprefix("/v2")
        if call.operation in ("TagResource", "UntagResource"):
            arn = str(call.parameters["ResourceArn"])
            yield self._of_tags(call.method, arn)
            if "/stages/" in arn:
                yield Request(f"apigateway:{call.operation}", arn)
            return
        yield Request(f"apigateway:{call.method}", self._api_gateway(path))
        if call.parameters.get("Tags"):
            if call.operation == "CreateStage":
                yield Request("apigateway:TagResource", self._api_gateway(path))
            else:
                # What is created has no id yet.
                yield self._of_tags("POST", self._api_gateway(f"/v2{path}/*"))

    def _of_tags(self, method: str, arn: str) -> Request:
        path = f"/tags/{quote(arn, safe='*')}"
        return Request(f"apigateway:{method}", self._api_gateway(path))

    def _api_gateway(self, path: str) -> str:
        return self._arn("apigateway", path, account="")

    def _on_behalf(self, call: ApiCall) -> Iterator[Request]:
        """Yield what AWS does with the caller's permissions."""
        parameters = call.parameters
        if call.service == "lambda":
            code = parameters.get("Code") or parameters.get("Content") or parameters
            if "S3Key" in code:
                yield Request("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")
            for layer in parameters.get("Layers", []):
                yield Request("lambda:GetLayerVersion", layer)
            if role := parameters.get("Role"):
                to_lambda = {"iam:passedtoservice": "lambda.amazonaws.com"}
                yield Request("iam:PassRole", role, to_lambda)
            if (parameters.get("VpcConfig") or {}).get("SubnetIds"):
                yield from (Request(action, "*") for action in _VPC_LOOKUPS)
            if call.operation == "PutFunctionCodeSigningConfig":
                yield Request(f"lambda:{call.operation}", parameters["CodeSigningConfigArn"])
        if call.service == "apigatewayv2" and parameters.get("AccessLogSettings"):
            yield from (Request(action, "*") for action in _LOG_DELIVERY)

    def _resource(self, call: ApiCall) -> str:
        """Return the ARN of what a call is about; "*" if its action knows no resources."""
        parameters = call.parameters
        match call.service:
            case "s3":
                return _of_s3(parameters)
            case "lambda":
                return self._of_lambda(parameters)
            case "iam":
                return self._of_iam(parameters)
            case "logs":
                return self._of_logs(parameters)
            case "cloudwatch":
                return self._of_cloudwatch(call.operation, parameters)
            case "ssm":
                name = parameters["Name"]
                return self._arn("ssm", f"parameter{name if name[0] == '/' else '/' + name}")
            case _:
                raise KeyError(f"it is not known what {call.service}:{call.operation} needs")

    def _of_lambda(self, parameters: Mapping[str, Any]) -> str:
        if "Arn" in parameters:
            return str(parameters["Arn"])
        if "LayerName" in parameters:
            version = parameters.get("VersionNumber")
            if version is None and "Content" not in parameters:
                return "*"  # ListLayerVersions
            suffix = f":{version}" if version is not None else ""
            return self._arn("lambda", f"layer:{parameters['LayerName']}{suffix}")
        if "FunctionName" not in parameters:
            return str(parameters.get("CodeSigningConfigArn") or parameters.get("Resource", "*"))
        # With a qualifier, the version or alias is the resource ("Resources and conditions for
        # Lambda actions" in the Lambda developer guide).
        name = str(parameters["FunctionName"]).rpartition("function:")[2]
        qualifier = parameters.get("Qualifier")
        return self._arn("lambda", f"function:{name}" + (f":{qualifier}" if qualifier else ""))

    def _of_iam(self, parameters: Mapping[str, Any]) -> str:
        for parameter in ("OpenIDConnectProviderArn", "PolicyArn"):
            if parameter in parameters and "RoleName" not in parameters:
                return str(parameters[parameter])
        for parameter, kind in (("RoleName", "role"), ("PolicyName", "policy")):
            if parameter in parameters:
                return self._arn("iam", f"{kind}/{parameters[parameter]}", region="")
        if "Url" in parameters:
            host = parameters["Url"].partition("://")[2]
            return self._arn("iam", f"oidc-provider/{host}", region="")
        return "*"

    def _of_logs(self, parameters: Mapping[str, Any]) -> str:
        if "resourceArn" in parameters:
            return str(parameters["resourceArn"])
        if "logGroupName" in parameters:
            return self._arn("logs", f"log-group:{parameters['logGroupName']}")
        return "*"

    def _of_cloudwatch(self, operation: str, parameters: Mapping[str, Any]) -> str:
        if "ResourceARN" in parameters:
            return str(parameters["ResourceARN"])
        if "DashboardName" in parameters:
            return self._arn("cloudwatch", f"dashboard/{parameters['DashboardName']}", region="")
        if "DashboardNames" in parameters:
            return self._arn(
                "cloudwatch", f"dashboard/{parameters['DashboardNames'][0]}", region=""
            )
        if "AlarmName" in parameters:
            return self._arn("cloudwatch", f"alarm:{parameters['AlarmName']}")
        if operation in ("DescribeAlarms", "DeleteAlarms"):
            names = parameters.get("AlarmNames") or ["*"]
            return self._arn("cloudwatch", f"alarm:{names[0]}")
        return "*"

    def _arn(
        self, service: str, resource: str, *, region: str | None = None, account: str | None = None
    ) -> str:
        region = self._region if region is None else region
        account = self._account_id if account is None else account
        return f"arn:aws:{service}:{region}:{account}:{resource}"


def _of_s3(parameters: Mapping[str, Any]) -> str:
    if "Bucket" not in parameters:
        return "*"
    key = f"/{parameters['Key']}" if "Key" in parameters else ""
    return f"arn:aws:s3:::{parameters['Bucket']}{key}"
