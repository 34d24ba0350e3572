"""Live traffic: where the alias `live` points, and how it is moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.aws import absent_if, error_code
from pipeline.environment import LIVE
from pipeline.errors import LostRace

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_lambda.type_defs import AliasConfigurationResponseTypeDef


@dataclass(frozen=True)
class Live:
    """Where live points. `revision_id` changes whenever anybody changes the alias."""

    version: str
    weights: tuple[tuple[str, float], ...]
    revision_id: str

    def same_route_as(self, other: Live) -> bool:
        return (self.version, self.weights) == (other.version, other.weights)


def read(functions: LambdaClient, function_name: str) -> Live | None:
    """Return where live points, or None if there is no such alias yet."""
    answer = absent_if(
        "ResourceNotFoundException",
        lambda: functions.get_alias(FunctionName=function_name, Name=LIVE),
    )
    return _live(answer) if answer else None


class Switch:
    """Moves live for one release, and can take the move back.

    Every move insists that nobody else changed the alias meanwhile, and raises LostRace otherwise.
    """

    def __init__(self, functions: LambdaClient, function_name: str) -> None:
        """Look where live points before the release."""
        self._functions = functions
        self._function_name = function_name
        self.before = read(functions, function_name)
        self._known = self.before

    def to(self, version: str) -> None:
        """Point all of live's traffic at `version`, unless it points there already.

        The switch is atomic: calls that run finish on the old version, new ones get the new.
        """
        seen = read(self._functions, self._function_name)
        if seen is None or (self._known and not seen.same_route_as(self._known)):
            raise _lost_race(seen)
        if (seen.version, seen.weights) != (version, ()):
            seen = _update(self._functions, self._function_name, seen, version, ())
        self._known = seen

    def undo(self) -> None:
        """Point live where it pointed before, weights and all, if this moved it."""
        if self.before and self._known and not self._known.same_route_as(self.before):
            route = (self.before.version, self.before.weights)
            self._known = _update(self._functions, self._function_name, self._known, *route)


def _update(
    functions: LambdaClient,
    function_name: str,
    seen: Live,
    version: str,
    weights: tuple[tuple[str, float], ...],
) -> Live:
    try:
        answer = functions.update_alias(
            FunctionName=function_name,
            Name=LIVE,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights)},
            RevisionId=seen.revision_id,
        )
    except ClientError as error:
        if error_code(error) == "PreconditionFailedException":
            now = read(functions, function_name)
            raise _lost_race(now) from error
        raise
    return _live(answer)


def _lost_race(now: Live | None) -> LostRace:
    """Return the error that says that somebody else moved live, and where it points now."""
    where = f"points to version {now.version}" if now else "is gone"
    return LostRace(
        f"somebody else changed the alias {LIVE} meanwhile: it {where} now, and stays there",
        "See what was done (`python -m pipeline releases`, CloudTrail), and decide again.",
    )


def _live(answer: AliasConfigurationResponseTypeDef) -> Live:
    weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Live(answer["FunctionVersion"], tuple(sorted(weights.items())), answer["RevisionId"])
