"""Going back over a change of the layer: restored, published again, refused if it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.service import Service

pytestmark = pytest.mark.extended

ARTIFACTS = "mongo-client-artifacts-123456789012"


@pytest.fixture(scope="module")
def service(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service whose release 1 has dnspython in its layer; its release 2, `slim`, has not."""
    folder = tmp_path_factory.mktemp("back") / "project"
    service = Service.copy_to(folder, quick_cloud, built_bundle)
    service.must("deploy", "--bundle", str(built_bundle))
    service.drop_dnspython()
    service.build("slim")
    plan = json.loads(service.must("plan", "--bundle", "slim", "--json"))
    assert {change["address"]: change["action"] for change in plan["changes"]} == {
        "aws_lambda_layer_version.dependencies[0]": "replace",
        "aws_lambda_function.service": "update",
    }
    service.must("deploy", "--bundle", "slim", "--all-at-once")
    return service


def _layer(service: Service) -> str:
    """Return the layer version of the version that serves."""
    [layer] = service.configuration()["Layers"]
    return str(layer["Arn"])


def test_a_stored_bundle_that_was_tampered_with_is_not_restored(service: Service) -> None:
    """Rollback proves the bundle's digests before it touches anything."""
    releases, live, s3 = service.releases(), service.live(), service.client("s3")
    manifest = f"bundles/{releases[1]['bundle']}/manifest.json"
    content = json.load(s3.get_object(Bucket=ARTIFACTS, Key=manifest)["Body"])["content"]
    layer = {
        "Bucket": ARTIFACTS,
        "Key": f"packages/{content['layer']['sha256']}/pymongo-layer.zip",
    }
    good = s3.get_object(**layer)["Body"].read()
    s3.put_object(**layer, Body=good + b"x")
    done = service.run("rollback", "--to", "1")
    s3.put_object(**layer, Body=good)
    assert done.returncode == 1 and "error[bundle-unusable]" in done.stderr
    assert (service.releases(), service.live()) == (releases, live)
    assert f"\ntraffic: unchanged: v{live[0]} serves all of it\n" in done.stderr


def test_a_layer_only_change_goes_there_and_back_and_there_again(service: Service) -> None:
    """A layer version that was deleted meanwhile is published again.

    Only a person who says so deploys what is in quarantine.
    """
    with_dns, slim = "1", service.releases()[0]["release"]
    slim_layer, functions = _layer(service), service.client("lambda")
    service.must("rollback", "--to", with_dns)
    assert service.live() == ("1", {})
    layer_with_dns = _layer(service)
    assert layer_with_dns != slim_layer
    output = service.must("rollback", "--to", str(slim), "--dry-run")
    assert "dnspython: 2." in output and "→ none" in output
    assert "to restore it takes it out of quarantine" in output

    word = ("--release-from-quarantine", "--reason", "it was the network")
    service.must("deploy", "--bundle", "slim", "--all-at-once", *word)
    assert service.releases()[0]["reason"] == "it was the network"
    assert "nothing to do" in service.must("deploy", "--bundle", "slim")
    slim_again = _layer(service)

    name, layer_version = layer_with_dns.split(":")[-2:]
    functions.delete_layer_version(LayerName=name, VersionNumber=int(layer_version))
    service.must("rollback", "--to", with_dns)
    assert _layer(service) not in (layer_with_dns, slim_layer, slim_again)
    assert service.live() == (service.releases()[0]["version"], {})
