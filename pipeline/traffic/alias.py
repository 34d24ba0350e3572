"""Live traffic: where the alias `live` points, and how it is moved."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline import labels
from pipeline.aws import absent_if, error_code, persistently
from pipeline.config import LIVE
from pipeline.errors import AwsError, LostRaceError
from pipeline.target import DeployedFunction, Target

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import AliasConfigurationResponseTypeDef


_MOST_AT_ONCE = 50

# Lambda may give a weight back rounded.
_SAME_WEIGHT = 0.005

# Lambda initialises the new version's environments within minutes, if it can.
_WEIGHTS_PATIENCE_S = 300
_WEIGHTS_PAUSE_S = 1.0

type _Route = tuple[str, tuple[tuple[str, float], ...]]


@dataclass(frozen=True)
class Live:
    """Where live points. `revision_id` changes whenever anybody changes the alias."""

    version: str
    weights: tuple[tuple[str, float], ...]
    revision_id: str

    @property
    def route(self) -> _Route:
        """The version that serves, and the shares of others."""
        return self.version, self.weights

    def in_words(self) -> str:
        """Return which version serves how much."""
        if not self.weights:
            return f"{labels.version(self.version)} serves all of it"
        rest = 1 - sum(weight for _, weight in self.weights)
        shares = [
            f"{labels.version(version)} {100 * weight:.4g} %" for version, weight in self.weights
        ]
        return ", ".join([f"{labels.version(self.version)} serves {100 * rest:.4g} %", *shares])

    def same_route_as(self, other: Live) -> bool:
        return _same(self.route, other.route)


def read(function: DeployedFunction) -> Live | None:
    """Return where live points, or None if there is no such alias yet."""
    answer = absent_if(
        "ResourceNotFoundException",
        lambda: function.client.get_alias(FunctionName=function.name, Name=LIVE),
    )
    return _live(answer) if answer else None


def wait_until_alone(function: DeployedFunction) -> Live | None:
    """Return where live points, once Lambda's own weights are gone from it.

    Lambda gives live such weights while it moves provisioned concurrency, and refuses those of
    anybody else. Raises AwsError if they stay.
    """
    deadline = time.monotonic() + _WEIGHTS_PATIENCE_S
    while (now := read(function)) and now.weights:
        if time.monotonic() > deadline:
            raise AwsError(
                f"timed out waiting for the provisioned concurrency of {LIVE}: "
                f"{now.in_words()}",
                "See StatusReason: the new version may fail while it initialises.",
                command="aws lambda get-provisioned-concurrency-config "
                f"--function-name {function.name} --qualifier {LIVE}",
            )
        time.sleep(_WEIGHTS_PAUSE_S)
    return now


def running_at_once(target: Target) -> int:
    """Return how many calls ran at once of late, at most `_MOST_AT_ONCE`; 1 if nobody can say.

    A rollback waits for the answer: there is one attempt, and it is short.
    """
    quickly = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
    now = datetime.now(UTC)
    try:
        found = target.aws.session.client("cloudwatch", config=quickly).get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="ConcurrentExecutions",
            Dimensions=[{"Name": "FunctionName", "Value": target.function.name}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
    except (ClientError, BotoCoreError):
        return 1
    most = max((point["Maximum"] for point in found["Datapoints"]), default=1)
    return min(max(1, round(most)), _MOST_AT_ONCE)


class AliasSwitch:
    """Moves live for one release, and can take the move back.

    Every move insists that nobody else changed the alias meanwhile, and raises LostRaceError
    otherwise.
    """

    def __init__(self, function: DeployedFunction) -> None:
        """Read where live points before the release."""
        self._function = function
        self.before = read(function)
        self._known = self.before
        self._tried: set[_Route] = set()
        self.undoing = False
        # Whether live has provisioned concurrency: all weights it has are Lambda's own, then.
        self.provisioned = False

    @property
    def moved(self) -> bool:
        """Whether this tried to move live."""
        return bool(self._tried)

    def pointed_to(self, live: Live) -> bool:
        """Return whether this tried to let live point where it does."""
        return any(_same(self._meant(live), route) for route in self._tried)

    def is_back(self, live: Live) -> bool:
        """Return whether live points where it did before the release."""
        return self.before is not None and _same(self._meant(live), self.before.route)

    def promote(self, version: str) -> None:
        """Point all of live's traffic at `version`, unless it points there already.

        The switch is atomic: calls that run finish on the old version, new ones get the new. With
        provisioned concurrency Lambda moves the calls little by little: this returns when it has.
        """
        self.wait()
        self._point((version, ()))
        self.wait()

    def restore(self, version: str) -> None:
        """Do `to` at once: what is left may never be initialised, and Lambda's weights stay then.

        They are waited for only if Lambda refuses the move.
        """
        try:
            self._point((version, ()))
        except ClientError:
            if not self.provisioned:
                raise
            self.promote(version)

    def wait(self) -> None:
        """Wait until Lambda's own weights are gone from live, if it has provisioned concurrency."""
        if not self.provisioned:
            return
        now = wait_until_alone(self._function)
        if self._known and (now is None or now.version != self._known.version):
            raise _lost_race(now)
        self._known = now

    def shift(self, version: str, percent: float) -> None:
        """Shift a share of live's traffic to `version`; the version before keeps the rest."""
        assert self._known
        self._point((self._known.version, ((version, percent / 100),)))

    def reset(self, version: str) -> None:
        """Let one version serve alone. `revert` then goes back to it."""
        assert self.before
        # What is taken away is still there if the call is lost on its way.
        self._tried.add(self.before.route)
        self.before = replace(self.before, version=version, weights=())
        self.promote(version)

    def revert(self) -> None:
        """Point live where it pointed before, weights and all, if this moved it.

        A move whose answer was lost may have been made: where live points now decides.
        """
        if self.before is None or not self._tried:
            return
        self.undoing = True
        before = self.before
        now = persistently(lambda: read(self._function))
        if now is None or not (self.pointed_to(now) or self.is_back(now)):
            raise _lost_race(now)
        self._known = now
        persistently(lambda: self._point(before.route))

    def _point(self, route: _Route) -> None:
        seen = self._known or read(self._function)
        if seen is None:
            raise _lost_race(None)
        if self._meant(seen) == route:
            now = read(self._function)
            if now is None or not _same(self._meant(now), route):
                raise _lost_race(now)
            self._known = now
        else:
            self._tried.add(route)
            self._known = self._update(seen, route)

    def _update(self, seen: Live, route: _Route) -> Live:
        version, weights = route
        try:
            answer = self._function.client.update_alias(
                FunctionName=self._function.name,
                Name=LIVE,
                FunctionVersion=version,
                RoutingConfig={"AdditionalVersionWeights": dict(weights)},
                RevisionId=seen.revision_id,
            )
        except ClientError as error:
            if error_code(error) != "PreconditionFailedException":
                raise
            now = read(self._function)
            if now and _same(self._meant(now), route):
                # An earlier try of this very call moved it, and its answer was lost.
                return now
            if now and _same(self._meant(now), self._meant(seen)):
                # Only its description or tags changed, as Terraform may, or Lambda's own weights.
                return self._update(now, route)
            raise _lost_race(now) from error
        return _live(answer)

    def _meant(self, live: Live) -> _Route:
        """Return where live was pointed to, without the weights that Lambda gave it itself."""
        return (live.version, ()) if self.provisioned else live.route


def _same(one: _Route, other: _Route) -> bool:
    """Return whether two routes have the same versions and shares, apart from rounding."""
    weights, others = dict(one[1]), dict(other[1])
    return (one[0], weights.keys()) == (other[0], others.keys()) and all(
        abs(weight - others[version]) <= _SAME_WEIGHT for version, weight in weights.items()
    )


def _lost_race(now: Live | None) -> LostRaceError:
    """Return the error that says that somebody else moved live, and where it points now."""
    where = f"points to {labels.version(now.version)}" if now else "is gone"
    return LostRaceError(
        f"somebody else changed the alias {LIVE} meanwhile: it {where} now, and stays there",
        "See in the list of releases and in CloudTrail what was done, and decide again.",
    )


def _live(answer: AliasConfigurationResponseTypeDef) -> Live:
    weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Live(answer["FunctionVersion"], tuple(sorted(weights.items())), answer["RevisionId"])
