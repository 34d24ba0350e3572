"""What Terraform applied last is read from its state, whatever the object holds."""

from __future__ import annotations

import pytest

from pipeline.aws import Aws
from pipeline.terraform import applied


@pytest.mark.parametrize("content", [b"{", b"", b'{"version": 3}'])
def test_a_state_that_cannot_be_read_is_left_to_terraform(account: Aws, content: bytes) -> None:
    """A rollback needs no state before traffic is restored: Terraform reports a damaged one."""
    account.s3.put_object(Bucket=account.state_bucket, Key="damaged.tfstate", Body=content)
    assert applied.read(account, "damaged.tfstate") is None


def test_without_a_state_nothing_was_applied(account: Aws) -> None:
    assert applied.read(account, "absent.tfstate") is None
