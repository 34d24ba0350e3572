"""What `--environment` names: an environment's function, in an AWS account."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.aws import Aws, absent_if
from pipeline.config import Environment
from pipeline.errors import AwsError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

# Making a function with a layer, or updating it, takes Lambda seconds, at worst minutes.
_UPDATE_PATIENCE_S = 120
_ACTIVE_PATIENCE_S = 300


@dataclass(frozen=True)
class DeployedFunction:
    """A Lambda function, and the client for it."""

    client: LambdaClient
    name: str

    def wait_until_updated(self) -> None:
        """Wait until no change of the function is under way; there may be no function yet.

        A change that failed is over, too: the next one is tried all the same. Raises AwsError.
        """
        for _ in range(_UPDATE_PATIENCE_S):
            found = absent_if(
                "ResourceNotFoundException",
                lambda: self.client.get_function_configuration(FunctionName=self.name),
            )
            if found is None or found.get("LastUpdateStatus") != "InProgress":
                return
            time.sleep(1)
        raise AwsError(
            f"timed out waiting for the update of {self.name}",
            "See LastUpdateStatusReason.",
            command=f"aws lambda get-function-configuration --function-name {self.name}",
        )

    def wait_until_active(self, version: str) -> None:
        """Wait until a published version can be called (its State is Active).

        With SnapStart, Lambda takes minutes for its snapshot.
        """
        self.client.get_waiter("published_version_active").wait(
            FunctionName=self.name,
            Qualifier=version,
            WaiterConfig={"Delay": 1, "MaxAttempts": _ACTIVE_PATIENCE_S},
        )


@dataclass(frozen=True)
class Target:
    """An environment, and the AWS account that it is in."""

    aws: Aws
    environment: Environment

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.environment.name

    @property
    def function(self) -> DeployedFunction:
        """The environment's function."""
        return DeployedFunction(self.aws.functions, self.environment.function_name)
