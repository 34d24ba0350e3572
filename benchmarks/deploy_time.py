"""A deployment: all of `pipeline deploy`, all at once, and a bare `terraform apply`.

In turn, each with a change of the code that nobody has seen before, in one environment with one
state. `terraform apply` has its package uploaded for it, checks nothing and moves no traffic.
Terraform's `init`, which a job needs as well and the pipeline runs each time, is measured too.
"""

from __future__ import annotations

from benchmarks.measure import Cost, alternate, spread_of
from benchmarks.released import Released, released
from benchmarks.workspace import Workspace
from benchmarks.table import Measured, Row

_ROUNDS = 5
_TARGET = 1.15


def measure(workspace: Workspace) -> list[Row]:
    """Deploy in turn."""
    with released(workspace, "deploy") as service:
        service.terraform_init()
        found = alternate(
            {
                "pipeline deploy": lambda _: service.deploy(service.new_bundle()),
                "terraform apply": lambda _: _apply(service),
                "terraform init": lambda _: service.terraform_init(),
            },
            _ROUNDS,
        )
        phases = phases_of(service)
    measured = [costs_of(name, costs) for name, costs in found.items()]
    ours_s, theirs_s, _ = (spread_of(each.values).median for each in measured)
    ratio = ours_s / theirs_s
    return [
        Row(
            "deploy",
            measured[0],
            tuple(measured[1:]),
            target=f"≤ {_TARGET} of terraform apply",
            ratio=ratio,
            ratio_of="ours / terraform apply",
            met=ratio <= _TARGET,
            notes=(f"the last deployment's phases, in seconds: {phases}",),
        )
    ]


def costs_of(name: str, costs: tuple[Cost, ...]) -> Measured:
    """Return runs of a command as the table takes them."""
    walls, cpus = tuple(cost.wall_s for cost in costs), tuple(cost.cpu_s for cost in costs)
    return Measured(name, "s", walls, cpus)


def phases_of(service: Released) -> str:
    """Return the phases of the newest release."""
    return ", ".join(f"{phase.name} {phase.seconds:.1f}" for phase in service.newest().phases)


def _apply(service: Released) -> Cost:
    bundle = service.new_bundle()
    service.store(bundle)
    return service.terraform_apply(bundle)
