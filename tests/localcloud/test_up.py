"""up, down and status, as a person meets them."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pymongo
import pytest

from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud

pytestmark = pytest.mark.integration

NewCloud = Callable[..., Cloud]


def _sourced(folder: Path, name: str) -> str:
    """Return a variable's value in a shell that sourced the cloud's file."""
    script = f'set -eu; . "$1/env"; printenv {name} || true'
    clashing = dict.fromkeys(("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"), "mine")
    environment = clashing | {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["bash", "-c", script, "bash", folder], env=environment, capture_output=True, check=True
    )
    return done.stdout.decode().removesuffix("\n")


def test_a_shell_can_source_what_up_wrote(cloud: Cloud) -> None:
    """In a shell that sourced <dir>/env, every setting has the value that the programs use."""
    for name, value in cloud.settings.items():
        assert _sourced(cloud.folder, name) == value
    wanted = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"}
    wanted |= {"API_URL", "API_KEY", "MONGODB_URI", "TF_DATA_DIR", "TF_VAR_api_keys"}
    assert wanted <= cloud.settings.keys()


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"])
def test_sourcing_unsets_what_would_clash(cloud: Cloud, name: str) -> None:
    """A profile or token of the person's own account does not outlive sourcing."""
    assert _sourced(cloud.folder, name) == ""


def test_the_settings_are_for_their_owner_only(cloud: Cloud) -> None:
    """<dir>/env holds a key, so nobody else may read it."""
    assert stat.S_IMODE((cloud.folder / "env").stat().st_mode) == 0o600


def test_terraform_gets_the_keys_hash_and_a_folder_of_its_own(cloud: Cloud) -> None:
    """Terraform gets API_KEY's sha256, not the key, and keeps its data in the cloud's folder."""
    key = cloud.settings["API_KEY"]
    scopes = json.loads(cloud.settings["TF_VAR_api_keys"])
    assert scopes == {hashlib.sha256(key.encode()).hexdigest(): "read write"}
    assert Path(cloud.settings["TF_DATA_DIR"]).parent == cloud.folder


def test_the_account_is_prepared(cloud: Cloud, aws: Aws) -> None:
    """The parameter that the function reads holds MONGODB_URI, and MongoDB answers there."""
    name = "/mongo-client/local/mongodb-uri"
    found = aws.parameters.get_parameter(Name=name, WithDecryption=True)
    assert found["Parameter"]["Value"] == cloud.settings["MONGODB_URI"]
    with pymongo.MongoClient[dict[str, object]](cloud.settings["MONGODB_URI"]) as client:
        assert client.admin.command("ping")["ok"] == 1


def test_up_twice_changes_nothing(cloud: Cloud) -> None:
    """The second `up` says that it was up already, and the settings stay."""
    before = cloud.settings
    assert "was up already" in cloud.must("up")
    assert cloud.settings == before


def test_the_exit_code_of_status(cloud: Cloud, new_cloud: NewCloud) -> None:
    """`status` exits 0 where localcloud is up, 1 where it is not."""
    assert cloud.run("status").returncode == 0
    assert new_cloud().run("status").returncode == 1


def test_everything_listens_on_loopback_only(cloud: Cloud, aws: Aws) -> None:
    """No port of any process of the cloud can be reached from another machine."""
    aws.call(aws.function("def handler(event, context): pass"))
    listening = _listening(cloud.processes)
    assert len(listening) >= 4, "server, HTTP front, and a container's two"
    assert all(address.is_loopback for address in listening)


def _listening(pids: dict[int, str]) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses that the processes listen on. Format: proc_net_tcp in Linux' docs."""
    sockets = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # It ended, or closed something, in this moment.
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                sockets.add(os.readlink(entry))
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                packed = bytes.fromhex(fields[1].partition(":")[0])
                words = [packed[i : i + 4][::-1] for i in range(0, len(packed), 4)]
                found.append(ipaddress.ip_address(b"".join(words)))
    return found


def test_two_clouds_run_side_by_side(cloud: Cloud, aws: Aws, new_cloud: NewCloud) -> None:
    """Clouds in two folders share nothing: neither ports nor what was created in them.

    The second one starts with a person's AWS profile, which it does not use, with a proxy, which
    clients are kept from, and with a person's own MongoDB, in addition to which it starts none.
    """
    uri = cloud.settings["MONGODB_URI"]
    proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "example.org"}
    second = new_cloud(MONGODB_URI=uri, AWS_PROFILE="nobody", **proxy)
    second.must("up")
    assert second.settings["no_proxy"] == "127.0.0.1,example.org"
    assert second.settings["MONGODB_URI"] == uri
    assert second.pids("localcloud serve") and not second.pids("bin/mongod")
    assert second.settings["AWS_ENDPOINT_URL"] != cloud.settings["AWS_ENDPOINT_URL"]
    seconds = Aws(second.settings)
    name = seconds.function("def handler(event, context): return 'second'")
    assert seconds.call(name).payload == "second"
    listed = [function["FunctionName"] for function in aws.functions.list_functions()["Functions"]]
    assert name not in listed
    seconds.close()
    second.must("down")
    assert cloud.run("status").returncode == 0


def test_a_folder_with_other_files_is_left_alone(new_cloud: NewCloud) -> None:
    """Neither `up` nor `down` removes files that localcloud did not make."""
    mine = new_cloud()
    mine.folder.mkdir()
    (mine.folder / "thesis.txt").write_text("three years of work")
    refused = mine.run("up")
    assert refused.returncode == 1 and "thesis.txt" in refused.stderr
    mine.must("down")
    assert (mine.folder / "thesis.txt").read_text() == "three years of work"
