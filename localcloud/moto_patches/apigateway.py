"""API Gateway's tags and domain names, as far as moto 5.2.5 lacks them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2.models import ApiGatewayV2Backend, DomainName
from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.apigatewayv2.urls import url_paths
from moto.iam.models import iam_backends

# Who has the role that API Gateway makes for an account's first custom domain name ("Using
# service-linked roles for API Gateway" in its developer guide).
LINKED_SERVICE = "ops.apigateway.amazonaws.com"
LINKED_ROLE = f"aws-service-role/{LINKED_SERVICE}/AWSServiceRoleForAPIGateway"


def fill() -> None:
    """Fill the gaps, once a process, before moto serves its first request."""
    _stages_and_domain_names_can_be_tagged()
    _domain_names_are_available()
    _domain_names_can_be_updated()
    _the_first_domain_name_makes_a_role()


def tags(backend: ApiGatewayV2Backend, resource: str) -> dict[str, str]:
    """Return the tags of an API, a stage or a domain name, given the path in its ARN."""
    held = _held(backend, resource)
    arn = f"arn:aws:apigateway:{backend.region_name}::{resource}"
    return dict(backend.tagger.get_tag_dict_for_resource(arn) if held is None else held)


def _held(backend: ApiGatewayV2Backend, resource: str) -> Any:
    """Return the tags that a stage or a domain name keeps itself, to be changed; else None."""
    match resource.split("/")[1:]:
        case ["apis", api_id, "stages", name] if api_id in backend.apis:
            if stage := backend.apis[api_id].stages.get(name):
                stage.tags = stage.config.setdefault("tags", {})
                return stage.tags
        case ["domainnames", name] if name in backend.domain_names:
            return backend.domain_names[name].tags
    return None


def _stages_and_domain_names_can_be_tagged() -> None:
    """moto keeps the tags of stages and domain names as they were created."""
    url_paths["{0}/v2/tags/(?P<resource_arn>.+)$"] = ApiGatewayV2Response.dispatch
    stock_tag, stock_untag = ApiGatewayV2Backend.tag_resource, ApiGatewayV2Backend.untag_resource

    def tag(self: ApiGatewayV2Backend, resource_arn: str, tags: dict[str, str]) -> None:
        held = _held(self, resource_arn.rpartition("::")[2])
        if held is None:
            stock_tag(self, resource_arn, tags)
        else:
            held.update(tags)

    def untag(self: ApiGatewayV2Backend, resource_arn: str, tag_keys: list[str]) -> None:
        held = _held(self, resource_arn.rpartition("::")[2])
        if held is None:
            stock_untag(self, resource_arn, tag_keys)
        for key in tag_keys if held else ():
            held.pop(key, None)

    ApiGatewayV2Backend.tag_resource = tag
    ApiGatewayV2Backend.untag_resource = untag


def _domain_names_are_available() -> None:
    """moto's domain names have neither a status, for which Terraform waits, nor a target.

    What they have is a mutual TLS of nothing, so that a plan never gets empty.
    """
    stock_init = DomainName.__init__

    def init(self: DomainName, *arguments: Any, **named: Any) -> None:
        stock_init(self, *arguments, **named)
        _make_available(self)
        self.mutual_tls_authentication = self.mutual_tls_authentication or None
        self.tags = self.tags or {}

    DomainName.__init__ = init


def _make_available(domain: DomainName) -> None:
    target = f"d-{domain.domain_name.replace('.', '-')}.execute-api.localhost"
    for configuration in domain.domain_name_configurations:
        configuration["domainNameStatus"] = "AVAILABLE"
        configuration["apiGatewayDomainName"] = target
        configuration["hostedZoneId"] = "Z0000000000000"


def _domain_names_can_be_updated() -> None:
    """moto has no UpdateDomainName, so a certificate could never change."""

    def update_domain_name(self: ApiGatewayV2Response) -> tuple[int, dict[str, str], str]:
        name = unquote(self.path).rpartition("/")[2]
        domain = self.apigatewayv2_backend.get_domain_name(name)
        changed = json.loads(self.body)
        if configurations := changed.get("domainNameConfigurations"):
            domain.domain_name_configurations = configurations
            _make_available(domain)
        return 200, {}, json.dumps(domain.to_json())

    ApiGatewayV2Response.update_domain_name = update_domain_name


def _the_first_domain_name_makes_a_role() -> None:
    """API Gateway creates its service-linked role, where the account does not have it yet."""
    stock_create = ApiGatewayV2Backend.create_domain_name

    def create(self: ApiGatewayV2Backend, *arguments: Any, **named: Any) -> DomainName:
        created = stock_create(self, *arguments, **named)
        iam = iam_backends[self.account_id]["aws"]
        if all(not role.arn.endswith(LINKED_ROLE) for role in iam.roles.values()):
            name = LINKED_ROLE.rpartition("/")[2]
            trust = json.dumps({"Version": "2012-10-17", "Statement": []})
            iam.create_role(
                role_name=name,
                assume_role_policy_document=trust,
                path=f"/{LINKED_ROLE.removesuffix(name)}",
                permissions_boundary=None,
                description="",
                tags=[],
                max_session_duration="3600",
                linked_service=LINKED_SERVICE,
            )
        return created

    ApiGatewayV2Backend.create_domain_name = create
