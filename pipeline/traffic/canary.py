"""The canary: a new version gets live's traffic step by step, and is watched at each.

At each step its calls are compared with those of the version that served before, by the rule in
`gate`: the callers' calls of both, and, where those are too few, calls of our own to both
in turn. At 100 % the old version has no callers any more, so our own calls decide.

Throttled calls are counted by CloudWatch, for each version only while live is shared, and by whole
minutes that end a minute ago: they are seen in steps of some minutes, and never at 100 %. An alarm
is seen if it begins to fire within a step.
"""

from __future__ import annotations

import logging
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pipeline import labels, progress
from pipeline.traffic import alarms, analysis, invocations, invoke, smoke
from pipeline.traffic.invocations import Invocation
from pipeline.config import LIVE, OWN_CALLS_S, Rollout
from pipeline.errors import CanaryFailedError, UsageError
from pipeline.traffic.analysis import Comparison, Throttled
from pipeline.progress import Bar
from pipeline.traffic.log_reader import LogReader
from pipeline.traffic.smoke_calls import SMOKE_CALLS, SmokeCall
from pipeline.timeline import Timeline
from pipeline.traffic.alias import AliasSwitch
from pipeline.target import Target

log = logging.getLogger(__name__)

_COUNTED_AFTER_S = 60
_SHOWN_EVERY_S = 0.5
_LOOKS = 5  # while a step is watched; one more when our own calls are made


@dataclass
class Canary:
    """One version on its way from no traffic to all of it."""

    target: Target
    steps: Rollout
    timeline: Timeline
    comparisons: list[Comparison] = field(default_factory=list)
    _firing: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Find the alarms. Raises UsageError for a missing one, before anything is done."""
        self._alarms()

    def roll_out(self, switch: AliasSwitch, version: str) -> None:
        """Move live to `version`, step by step; raise CanaryFailedError if it is worse.

        Live then stays where it is: to put it back is the caller's.
        """
        assert switch.before
        old = switch.before.version
        # An alarm that already fires says nothing about the canary.
        self._firing = self._alarms()
        for percent in self.steps.percents:
            with self.timeline.phase(
                f"{percent:g} %", f"of {LIVE} to {labels.version(version)}, watched"
            ):
                if percent < 100:
                    switch.shift(version, percent)
                else:
                    switch.promote(version)
                with progress.step(f"{percent:g} %", self.steps.watch_s) as bar:
                    callers = self._watch(old, version, bar)
                compared = self._fill_up(callers, old, version)
                log.info(f"         {percent:g} %: {analysis.summary(*compared)}")
        new_label, old_label = labels.version(version), labels.version(old)
        log.info(f"         {new_label} takes over: it is not worse than {old_label}")

    def _watch(self, old: str, version: str, bar: Bar) -> list[Invocation]:
        """Read the log for as long as the step lasts, and return the callers' calls."""
        began_s = time.time()
        reading = LogReader(self.target, int(began_s * 1000))
        callers: list[Invocation] = []
        for look in range(1, _LOOKS + 1):
            until_s = began_s + self.steps.watch_s * look / _LOOKS
            while (now_s := time.time()) < until_s:
                self._show(bar, now_s - began_s, _figures(callers, old, version))
                time.sleep(min(until_s - now_s, _SHOWN_EVERY_S))
            callers = reading.look(int(time.time() * 1000))
            throttled = Throttled(self._throttled(version, began_s), self._throttled(old, began_s))
            self._show(bar, until_s - began_s, _figures(callers, old, version))
            self._judge(callers, old, version, throttled)
        return callers

    def _show(self, bar: Bar, watched_s: float, figures: str) -> None:
        bar.update(watched_s, f"{self.steps.watch_s - watched_s:.0f} s left  {figures}")

    def _fill_up(
        self, callers: Sequence[Invocation], old: str, version: str
    ) -> tuple[list[Invocation], list[Invocation]]:
        """Make calls of our own where too few of the callers' have a known outcome.

        Returns the calls that decided: the canary's and live's.
        """
        known = [call.version for call in callers if call.known]
        seen = [known.count(counted) for counted in (old, version)]
        if min(seen) < self.steps.least_calls:
            callers = self._call_both(old, version)
            self._judge(callers, old, version)
        return _of(version, callers), _of(old, callers)

    def _judge(
        self, seen: Sequence[Invocation], old: str, version: str, throttled: Throttled = Throttled()
    ) -> None:
        """Compare; raise CanaryFailedError if the canary is worse, or an alarm began to fire."""
        canary, live = _of(version, seen), _of(old, seen)
        looks = (_LOOKS + 1) * len(self.steps.percents)
        self.comparisons = analysis.compare(canary, live, looks, throttled)
        worse = [
            f"{comparison.in_words()} (more than chance explains)"
            for comparison in self.comparisons
            if comparison.worse
        ]
        worse += [f"the alarm {name} fires" for name in sorted(self._alarms() - self._firing)]
        if worse:
            raise CanaryFailedError(
                f"{labels.version(version)} is worse than {labels.version(old)} "
                f"({len(canary)} and {len(live)} calls compared): {'; '.join(worse)}",
                "See the log of the new version.",
                command=f"python -m pipeline logs --environment {self.target.name} "
                f"--version {version}",
            )

    def _call_both(self, old: str, version: str) -> list[Invocation]:
        """Call both versions in turn, and return the calls: health, and what may be repeated."""
        log.info(f"         few callers: {self.steps.least_calls} calls of our own to each")
        until_s = time.monotonic() + OWN_CALLS_S
        key = smoke.data_key(self.target)
        own = [smoke_call for smoke_call in SMOKE_CALLS if smoke_call.canary and key]
        turns = itertools.cycle([None, *own])
        made: list[Invocation] = []
        with progress.step("calls", self.steps.least_calls) as bar:
            for done, turn in enumerate(itertools.islice(turns, self.steps.least_calls), start=1):
                if time.monotonic() > until_s:
                    log.warning("         they take too long: the calls made so far are compared")
                    break
                made += [self._call(called, key, turn) for called in (version, old)]
                bar.update(done, _figures(made, old, version))
        if made and all(call.failed for call in made):
            self._name_the_database(old, version)
        return made

    def _name_the_database(self, old: str, version: str) -> None:
        """Log that the database is unavailable for both versions, if it is."""
        both = [invoke.get_health(self.target.function, each) for each in (version, old)]
        if all(health.database_down for health in both):
            log.warning(f"         {invoke.database_is_down(version, old)}")

    def _call(self, version: str, key: str | None, own: SmokeCall | None) -> Invocation:
        began_ms = int(time.time() * 1000)
        if key and own:
            answer = smoke.make(self.target, version, key, own)
        else:
            answer = invoke.call(self.target.function, version)
        lines = [(began_ms, line) for line in answer.log.splitlines()]
        failed = answer.health.outcome != str(own.status if own else 200)
        # A call that was cut off has no report.
        cut_off = Invocation(
            answer.request_id, version, began_ms, answer.health.milliseconds or 0, None, None, True
        )
        text = next(iter(invocations.in_lines(lines)), cut_off)
        # The answer itself says how the call went, whatever its log holds.
        return replace(text, version=version, failed=text.failed or failed, known=True)

    def _throttled(self, version: str, since_s: float) -> int:
        """Return how many calls through live that were for a version were throttled."""
        seen = _whole_minutes(since_s, time.time())
        if seen is None:
            return 0
        name = self.target.function.name
        found = self.target.aws.cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Throttles",
            Dimensions=[
                {"Name": "FunctionName", "Value": name},
                {"Name": "Resource", "Value": f"{name}:{LIVE}"},
                {"Name": "ExecutedVersion", "Value": version},
            ],
            StartTime=seen[0],
            EndTime=seen[1],
            Period=60,
            Statistics=["Sum"],
        )
        return round(sum(point["Sum"] for point in found["Datapoints"]))

    def _alarms(self) -> frozenset[str]:
        """Return which of the alarms fire: the stack's own, once they exist, and those named.

        Raises UsageError if one that is named is missing, or is none that can be looked at.
        """
        own = alarms.of_stack(self.target)
        wanted = list(self.steps.alarms)
        named = alarms.states(self.target.aws, AlarmNames=wanted) if wanted else {}
        if missing := sorted(set(wanted) - set(named)):
            raise UsageError(
                f"no such metric alarm: {', '.join(missing)}",
                f"Correct its name in {self.target.environment.rollout_file}, or create it. "
                "Name the metric alarms of a composite alarm instead of the composite alarm.",
            )
        return frozenset(name for name, state in (own | named).items() if state == "ALARM")


def _of(version: str, seen: Sequence[Invocation]) -> list[Invocation]:
    return [call for call in seen if call.version == version]


def _whole_minutes(since_s: float, now_s: float) -> tuple[datetime, datetime] | None:
    """Return from when to when CloudWatch has what was counted after a moment; None if nothing yet.

    It counts by the minute, and has a minute's figure a minute after it is over.
    """
    first, last = -(-since_s // 60) * 60, (now_s - _COUNTED_AFTER_S) // 60 * 60
    if first >= last:
        return None
    return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)


def _figures(seen: Sequence[Invocation], old: str, version: str) -> str:
    """Return in words how many calls there were of either version, and how many failed."""
    parts = []
    for compared in (version, old):
        of_it = [call.failed for call in seen if call.version == compared]
        parts.append(f"{labels.version(compared)}: {len(of_it)} calls, {sum(of_it)} failed")
    return "; ".join(parts)
