"""The states of an environment that need a person, each with its name, one sentence and a command.

What decides is here, on data: `observation` reads that data. The runbook explains each name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline import labels
from pipeline.commit import CHANGES
from pipeline.config import LIVE
from pipeline.markdown import one_line
from pipeline.release import serving
from pipeline.release.ledger import Release
from pipeline.release.observation import Callers, Observation
from pipeline.traffic import invoke

# All names, the most urgent first: `status` prints them in this order.
NAMES = (
    "database-down",
    "calls-fail",
    "calls-slow",
    "first-release-failed",
    "release-half-way",
    "live-moved",
    "release-died",
    "state-locked",
    "rollback-unfinished",
    "code-changed",
    "settings-changed",
    "terraform-ahead",
    "live-quarantined",
    "bundle-missing",
)
# What the service does, and not whether it is as it was released.
_OF_THE_SERVICE = ("database-down", "calls-fail", "calls-slow")

_LEDGER = "the ledger"
_HEALTHY = ("200",)


@dataclass(frozen=True)
class State:
    """A state that needs a person.

    `believe` names what is right where two things disagree, or is empty; `command` repairs it, or
    is the next thing to look at where no command can; `otherwise` is the other way, if there are
    two.
    """

    name: str
    sentence: str
    command: str
    believe: str = ""
    otherwise: str = ""

    def in_words(self) -> str:
        """Return the state in a line."""
        return f"{self.name}: {self.sentence}"

    def with_command(self) -> str:
        """Return the state in a line, with the command that repairs it."""
        return f"{self.in_words()}. Run: {self.command}"


def find(observation: Observation, callers: Callers | None = None) -> tuple[State, ...]:
    """Return the states that need a person, the most urgent first; none if all agrees.

    Without `callers`, nothing is known of how the service does.
    """
    found = [*_of_traffic(observation), *_of_terraform(observation), *_of_bundle(observation)]
    if callers:
        found += _of_callers(observation, callers)
    return tuple(sorted(found, key=lambda state: NAMES.index(state.name)))


def is_under_way(observation: Observation) -> bool:
    """Return whether a release, or what has to follow one, is at work: it changes what is seen."""
    newest, sign = observation.serving.newest, observation.sign
    unfinished = newest is not None and (newest.outcome == "under way" or bool(newest.pending))
    return newest is not None and unfinished and sign is not None and sign.is_of(newest.number)


def _of_traffic(observation: Observation) -> Iterator[State]:
    """Yield what is wrong with where live points, and with the newest release."""
    found = observation.serving
    newest = found.newest
    if is_under_way(observation) or newest is None:
        return
    if found.release is None:
        yield State(
            "first-release-failed",
            f"{newest.label} {ended(newest)}. No release ever succeeded, so there was nothing "
            f"to go back to: {found.in_words()}",
            "python -m pipeline build && python -m pipeline deploy "
            f"--environment {observation.environment.name}",
        )
    elif found.route == "half-way" and found.half_way:
        yield State(
            "release-half-way",
            f"{found.in_words()}, and nobody watches that: "
            f"{found.half_way.label} {ended(found.half_way)}",
            _roll_back_to(observation, found.half_way.restores or _number(found.release)),
            believe=_LEDGER,
        )
    elif found.route == "moved":
        yield _moved(observation)
    elif newest.outcome == "under way":
        yield State(
            "release-died",
            f"{newest.label} {ended(newest)}; {found.in_words()}",
            _deploy_again(observation, "release-died", newest.bundle),
            believe=_LEDGER,
        )
    if newest.pending:
        yield State(
            "rollback-unfinished",
            f"the rollback {newest.label} has restored traffic, and has yet to do: "
            f"{', '.join(newest.pending)}",
            f"python -m pipeline rollback --environment {observation.environment.name} "
            "--only follow-up",
            believe=LIVE,
        )


def _moved(observation: Observation) -> State:
    found = observation.serving
    sentence, otherwise = serving.points_elsewhere(found), ""
    if not found.shares:
        command = _deploy_again(observation, "live-moved")
    else:
        command = _roll_back_to(observation, _number(found.release))
        adopted = found.shares[0].release
        if adopted and found.release and adopted.number < found.release.number:
            otherwise = f"to keep what serves: {_roll_back_to(observation, adopted.number)}"
    return State("live-moved", sentence, command, believe=_LEDGER, otherwise=otherwise)


def _of_terraform(observation: Observation) -> Iterator[State]:
    """Yield where the function, what Terraform applied last, and what serves disagree."""
    lock = observation.lock
    if is_under_way(observation):
        return
    if lock and lock.is_by_itself(observation.moment):
        yield State(
            "state-locked",
            f"{lock.who} holds the lock of Terraform's state since "
            f"{lock.created:%Y-%m-%dT%H:%M:%SZ} ({lock.operation}), and no release is under way. "
            "If that process is dead, take the lock away",
            f"python -m pipeline unlock --environment {observation.environment.name} {lock.id}",
        )
    elif lock:
        return  # a Terraform run that has just begun
    latest, applied, published = observation.latest, observation.applied, observation.published
    if latest is None or applied is None or applied.code_sha256 is None:
        return
    changed = latest.differences(published) if published else []
    if latest.code_sha256 != applied.code_sha256:
        yield State(
            "code-changed",
            "the function's code ($LATEST) is not what Terraform applied last: somebody changed "
            "it by hand, or a release died while it did. Callers do not notice yet: "
            f"{_serves(observation)}",
            _deploy_again(observation, "code-changed"),
            believe=_LEDGER,
        )
    elif changed:
        yield State(
            "settings-changed",
            f"the function's settings ($LATEST: {', '.join(changed)}) are not those that Terraform "
            "applied last: somebody changed them by hand, or a release died while it did. "
            f"Callers do not notice yet: {_serves(observation)}",
            _deploy_again(observation, "settings-changed"),
            believe="Terraform",
            otherwise="to keep them: write them into terraform/, and merge",
        )
    elif ahead := _ahead(observation):
        yield State(
            "terraform-ahead",
            f"{_applied_by(observation)}, and {labels.version(applied.version)} is not what serves "
            f"({', '.join(ahead)}): {_serves(observation)}",
            _deploy_again(observation, "terraform-ahead"),
            believe=_LEDGER,
        )


def _ahead(observation: Observation) -> list[str]:
    """Name what differs between the version that Terraform applied last and the one that serves.

    Where live is not where the ledger says, or a rollback is unfinished, that comes first, and its
    way out has Terraform follow. After a rollback, settings that are still in terraform/ differ by
    design: the release that was left has brought them, and the next deployment brings them again.
    """
    found, published, live = observation.serving, observation.published, observation.live
    if found.route != "released" or found.release is None or found.release.pending:
        return []
    if published is None or live is None:
        return []
    differences = published.differences(live)
    if found.release.kind == "rollback" and not {"code", "Layers"} & set(differences):
        return []
    return differences


def _of_bundle(observation: Observation) -> Iterator[State]:
    """Yield what is wrong with the bundle of the release that serves."""
    release = observation.serving.release
    if release is None or is_under_way(observation):
        return
    name = observation.environment.name
    if observation.quarantined:
        yield State(
            "live-quarantined",
            f"{release.label} serves, and its bundle is in quarantine: "
            f"{one_line(observation.quarantined)}",
            f"python -m pipeline deploy --environment {name} --bundle {release.bundle[:12]} "
            '--release-from-quarantine --reason "it serves"',
        )
    if observation.missing:
        commit = (release.commit or "COMMIT").removesuffix(CHANGES)
        yield State(
            "bundle-missing",
            f"the stored bundle {release.bundle[:12]} of {release.label}, which serves, is not "
            f"whole: {observation.missing}. Callers do not notice; a plan, and a rollback to it "
            "later, fail",
            f"git worktree add ../then {commit} && (cd ../then && make build) && "
            f"python -m pipeline deploy --environment {name} --bundle ../then/build "
            '--reason "bundle-missing"',
        )


def _of_callers(observation: Observation, callers: Callers) -> Iterator[State]:
    """Yield what callers notice."""
    name = observation.environment.name
    logs = f"python -m pipeline logs --environment {name} --since 10m"
    firing = {
        alarm.removeprefix(f"{observation.environment.function_name}-") for alarm in callers.alarms
    }
    health = callers.health
    fails = health is not None and health.outcome not in _HEALTHY
    if "database" in firing or (fails and invoke.reports_database_down(callers.body)):
        yield State(
            "database-down",
            f"the database cannot be reached{_seen(callers, ('database',))}: no release is to "
            "blame, and no rollback helps. The log says why",
            logs,
        )
        return
    if observation.serving.route != "released":
        return  # the release under way decides by its own checks; any other state comes first
    back = _roll_back(observation) or logs
    if fails or firing - {"duration"}:
        others = tuple(sorted(firing - {"duration"}))
        yield State(
            "calls-fail",
            f"callers get errors{_seen(callers, others)}: {_serves(observation)}",
            back,
            otherwise=f"to see why first: {logs}" if back != logs else "",
        )
    elif "duration" in firing:
        yield State(
            "calls-slow",
            f"calls take too long{_seen(callers, ('duration',))}: {_serves(observation)}",
            back,
            otherwise=f"to see why first: {logs}" if back != logs else "",
        )


def _seen(callers: Callers, kinds: Sequence[str]) -> str:
    """Return in brackets by what it is seen: the API's answer, and alarms of these kinds."""
    signs = []
    if callers.health and callers.health.outcome not in _HEALTHY:
        signs.append(f"GET {callers.url}/api/health: {callers.health.outcome}")
    signs += [
        f"the alarm {alarm} fires"
        for alarm in callers.alarms
        if alarm.endswith(tuple(f"-{kind}" for kind in kinds))
    ]
    return f" ({'; '.join(signs)})"


def _applied_by(observation: Observation) -> str:
    """Return for which release Terraform applied what it applied last."""
    newest, applied = observation.serving.newest, observation.applied
    assert applied
    last = f"Terraform applied {labels.version(applied.version)} last"
    if newest is None or newest.outcome == "succeeded":
        return f"{last}, outside of any release"
    of = f"{newest.label}, which {_how(newest)}"
    # What died before it knew its version may have applied it, or not have come as far.
    return (
        f"{last}, for {of}" if newest.version == applied.version else f"{last}, by hand or for {of}"
    )


def ended(release: Release) -> str:
    """Return which release it is, and how it ended, as what follows its number."""
    actor, began = one_line(release.actor), release.began[:19]
    return f"(a {release.kind} by {actor}, begun at {began}Z) {_how(release)}"


def _how(release: Release) -> str:
    if release.outcome == "under way":
        return "died: its process gives no sign of life"
    if release.outcome == "interrupted":
        return "died, and was closed as interrupted"
    first_line = one_line((release.error or "for a reason that is not recorded").splitlines()[0])
    return f"failed: {first_line[:400]}"


def _serves(observation: Observation) -> str:
    """Return what serves, and how it is doing there."""
    return observation.serving.in_words()


def _number(release: Release | None) -> int:
    assert release
    return release.number


def _deploy_again(observation: Observation, name: str, bundle: str = "") -> str:
    """Return the command that deploys what is to serve: it applies Terraform, and records it."""
    release = observation.serving.release
    bundle = release.bundle if release else bundle
    return (
        f"python -m pipeline deploy --environment {observation.environment.name} "
        f'--bundle {bundle[:12] or "build"} --reason "{name}"'
    )


def _roll_back(observation: Observation) -> str:
    """Return the command of a rollback to the release before, or "" if none can be restored."""
    restorable = observation.restorable
    if restorable is None or observation.unrestorable:
        return ""
    return _roll_back_to(observation, restorable.number)


def _roll_back_to(observation: Observation, number: int) -> str:
    return (
        f"python -m pipeline rollback --environment {observation.environment.name} "
        f'--to {number} --reason "…"'
    )
