"""What a run uses up: wall clock, CPU, memory; and what of it the decision model uses."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class Account(Protocol):
    """What is known about the calls to a policy."""

    calls: int
    rows: int
    cpu_s: float
    peak_growth_bytes: int


@dataclass(slots=True)
class Meter:
    """Counts seconds from its making, on top of what earlier parts of the run used."""

    earlier_wall: float = 0.0
    earlier_cpu: float = 0.0
    elsewhere_mb: float = 0.0
    """The peak memory of other processes that took part."""
    _wall: float = field(default_factory=time.perf_counter)
    _cpu: float = field(default_factory=time.process_time)

    @property
    def wall(self) -> float:
        """Return wall-clock seconds."""
        return self.earlier_wall + time.perf_counter() - self._wall

    @property
    def cpu(self) -> float:
        """Return CPU seconds of this process."""
        return self.earlier_cpu + time.process_time() - self._cpu

    def resources(self, account: Account, user_turns: int) -> dict[str, Any]:
        """Return the figures for the manifest."""
        thousands = max(account.rows, 1) / 1000.0
        return {
            "wall_seconds": round(self.wall, 3),
            "cpu_seconds": round(self.cpu, 3),
            "peak_memory_mb": round(peak_memory_mb() + self.elsewhere_mb, 1),
            "user_turns_per_cpu_second": round(user_turns / max(self.cpu, 1e-9)),
            "policy_calls": account.calls,
            "policy_rows": account.rows,
            "policy_cpu_seconds": round(account.cpu_s, 4),
            "policy_cpu_per_1000": round(account.cpu_s / thousands, 6),
            "policy_memory_mb": round(account.peak_growth_bytes / 2**20, 3),
        }


def held_memory() -> int:
    """Return the bytes of memory that this process holds now, or has held at most."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return int(peak_memory_mb() * 2**20)
    return pages * resource.getpagesize()


def available_memory() -> int | None:
    """Return the bytes that processes may still take: of the machine, or of a smaller control group.

    None where the system does not tell.
    """
    found = [_of_machine(), *(_of_group(*names) for names in GROUPS)]
    known = [size for size in found if size is not None]
    return min(known) if known else None


GROUPS = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)
"""Where Linux tells the limit of the control group and what is used of it, in versions 2 and 1."""
_CONTROL = Path("/sys/fs/cgroup")


def _of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    said = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(said[0]) * 1024 if said else None


def _of_group(limit: str, used: str, stat: str) -> int | None:
    try:
        most, now, detail = ((_CONTROL / name).read_text(encoding="ascii") for name in (limit, used, stat))
    except OSError:
        return None
    if not most.strip().isdecimal():
        return None
    # Files that were read and could be dropped again count as used, and are not.
    files = [int(line.split()[1]) for line in detail.splitlines() if line.startswith("inactive_file ")]
    return max(int(most) - int(now) + sum(files), 0)


def peak_memory_mb() -> float:
    """Return the most memory that this process has held, in MiB.

    Linux tells it of the program alone; `getrusage` counts what the process held that began it, too.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
