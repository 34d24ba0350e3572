"""What conditions of a policy may ask about the resource of a call, as it is in the account."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moto.apigatewayv2.models import ApiGatewayV2Backend, apigatewayv2_backends
from moto.iam.models import IAMBackend, Role, iam_backends
from moto.s3.models import FakeKey, S3Backend, s3_backends

from localcloud.moto_patches import apigateway
from localcloud.iam.request import ApiCall
from localcloud.iam.evaluation import Request

# Here the key is the boundary of the request, which `permissions` knows; elsewhere the role's own.
_SETS_THE_BOUNDARY = frozenset({"CreateRole", "PutRolePermissionsBoundary"})


class Resources:
    """The resources of an account and region, as far as permissions depend on them."""

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._region = region

    @property
    def iam(self) -> IAMBackend:
        return iam_backends[self._account_id]["aws"]

    @property
    def s3(self) -> S3Backend:
        return s3_backends[self._account_id]["aws"]

    @property
    def _apis(self) -> ApiGatewayV2Backend:
        return apigatewayv2_backends[self._account_id][self._region]

    def role(self, call: ApiCall) -> Role | None:
        """Return the role that a call of IAM names, if it is there."""
        name = call.parameters.get("RoleName")
        return next((role for role in self.iam.roles.values() if role.name == name), None)

    def context(self, call: ApiCall) -> dict[str, str]:
        """Return the condition keys, in lower case, that the resource of a call has."""
        if call.service == "apigatewayv2":
            return dict(self._of_api_gateway(call.path.removeprefix("/v2")))
        role = self.role(call)
        if role and role.permissions_boundary_arn and call.operation not in _SETS_THE_BOUNDARY:
            return {"iam:permissionsboundary": role.permissions_boundary_arn}
        return {}

    def _of_api_gateway(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield the name of an API, and the tags of what a path is about.

        A stage has tags of its own, an API mapping has those of its domain name. The other parts
        of an API have none: it is of its V1 API only that API Gateway says they inherit them ("API
        Gateway resources that can be tagged" in its developer guide).
        """
        tagged = r"/apis/\w+$|/apis/\w+/stages/[^/]+$|/domainnames/[^/]+"
        if found := re.match(tagged, path):
            for key, value in apigateway.tags(self._apis, found[0]).items():
                yield f"aws:resourcetag/{key.lower()}", value
        if (found := re.fullmatch(r"/apis/(\w+)", path)) and found[1] in self._apis.apis:
            yield "apigateway:resource/apiname", self._apis.apis[found[1]].name

    def needed(self, call: ApiCall) -> Iterator[Request]:
        """Yield what a call needs because of what there is, or is not, in the account."""
        if call.operation in ("GetObject", "HeadObject") and not self._is_there(call):
            # "If the object you request doesn't exist, the error that Amazon S3 returns depends on
            # whether you also have the s3:ListBucket permission": GetObject in S3's API reference.
            bucket, key = call.parameters["Bucket"], call.parameters["Key"]
            yield Request("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": key})
        if call.service == "apigatewayv2" and call.operation == "CreateDomainName":
            role = f"arn:aws:iam::{self._account_id}:role/{apigateway.LINKED_ROLE}"
            if all(each.arn != role for each in self.iam.roles.values()):
                service = {"iam:awsservicename": apigateway.LINKED_SERVICE}
                yield Request("iam:CreateServiceLinkedRole", role, service)

    def _is_there(self, call: ApiCall) -> bool:
        bucket = self.s3.buckets.get(call.parameters["Bucket"])
        # What was deleted from a versioned bucket has a delete marker for its newest version.
        return bucket is not None and isinstance(bucket.keys.get(call.parameters["Key"]), FakeKey)
