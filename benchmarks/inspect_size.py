"""`inspect` of layers with more files, and with more bytes: time and memory.

The real bundle with padding in its layer. Time is linear in bytes if twice the bytes take twice the
time, above what the bundle takes without them. Memory is the most that the process ever had
resident, as the kernel reports it at its end (proc(5): VmHWM).
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import alternate, spread_of
from benchmarks.workspace import Workspace
from benchmarks.table import Measured, Row
from pipeline.packaging import zip_writer
from pipeline.bundle.manifest import Bundle, Package
from pipeline.config import LAYER_PACKAGE
from scratch.source import ROOT

_ROUNDS = 3
_FLAT = 1.5
_LINEAR = 1.2
_MB = 1_000_000
_PADDINGS = {
    "10 files": (10, 2_000),
    "1,000 files": (1_000, 2_000),
    "10,000 files": (10_000, 2_000),
}
_LARGE = {"120 MB": (12, 10 * _MB), "240 MB": (24, 10 * _MB)}
_INSPECT = """\
import atexit, re, runpy, sys
peak = lambda: print("peak", re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
atexit.register(peak)
sys.argv = ["pipeline", "inspect", sys.argv[1]]
runpy.run_module("pipeline", run_name="__main__")
"""


def measure(workspace: Workspace) -> list[Row]:
    """Inspect each in turn."""
    folders = {name: _padded(workspace, name, *how) for name, how in (_PADDINGS | _LARGE).items()}
    turns = {name: lambda _, at=folder: _inspect(at) for name, folder in folders.items()}
    found = alternate(turns, _ROUNDS)
    times = [Measured(name, "s", tuple(s for s, _ in each)) for name, each in found.items()]
    peaks = [Measured(name, "bytes", tuple(b for _, b in each)) for name, each in found.items()]
    ratio = spread_of(peaks[-1].values).median / spread_of(peaks[0].values).median
    floor_s, *_, half_s, whole_s = (spread_of(moment.values).median for moment in times)
    slope = (whole_s - floor_s) / (half_s - floor_s) / 2
    return [
        Row(
            "inspect, time",
            times[-1],
            tuple(times[:-1]),
            target=f"linear in bytes: ≤ {_LINEAR}",
            ratio=slope,
            ratio_of="a byte of 240 MB / of 120 MB, above 10 files",
            met=slope <= _LINEAR,
        ),
        Row(
            "inspect, peak memory",
            peaks[-1],
            tuple(peaks[:-1]),
            target=f"flat: ≤ {_FLAT}",
            ratio=ratio,
            ratio_of=f"{peaks[-1].name} / {peaks[0].name}",
            met=ratio <= _FLAT,
        ),
    ]


def _padded(workspace: Workspace, name: str, count: int, size_bytes: int) -> Path:
    """Write our bundle with files of data in its layer."""
    real = Bundle.read(workspace.bundle)
    files = {
        path.relative_to(workspace.ours.layer).as_posix(): path.read_bytes()
        for path in workspace.ours.layer.rglob("*")
        if path.is_file()
    }
    chance = random.Random(1)
    for number in range(count):
        # It packs to an eighth, as text does.
        blocks = (chance.randbytes(4_000).hex() * 4 for _ in range(0, size_bytes, 32_000))
        content = "".join(blocks)[:size_bytes].encode()
        files[f"python/pymongo/padding/{number:05d}.dat"] = content
    layer = zip_writer.write_zip(files)
    manifest = replace(real.manifest, layer=Package.of(LAYER_PACKAGE, layer))
    folder = workspace.folder / f"inspect-{name}"
    Bundle(manifest, real.function_zip, layer).write(folder)
    return folder


def _inspect(folder: Path) -> tuple[float, float]:
    """Return the seconds and the peak in bytes of inspecting a bundle, which must be clean."""
    started_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _INSPECT, folder], cwd=ROOT, capture_output=True, text=True
    )
    took_s = time.monotonic() - started_s
    peak = re.search(r"^peak (\d+)", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and peak, done.stdout[-3_000:] + done.stderr[-3_000:]
    return took_s, int(peak[1]) * 1024.0
