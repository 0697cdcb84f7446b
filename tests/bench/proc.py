"""What the kernel says about processes: proportional memory and CPU time. Reads /proc, changes nothing."""

from __future__ import annotations

import os
import resource
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def pss_kib(pid: int) -> int:
    """Proportional set size; pages that several processes share count in parts. 0 for a process that is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads, the ended ones too. Resolution: a tick, 10 ms."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def run_seconds(pid: int) -> float:
    """Time on a CPU of the threads that live now, in nanosecond resolution: for what is nearly idle."""
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total / 1e9


class Cpu:
    """CPU that a set of processes uses from now on."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._begin = self._sum()

    def used(self) -> float:
        return self._sum() - self._begin

    def _sum(self) -> float:
        return sum(cpu_seconds(p) for p in self._pids)


def machine_seconds() -> float:
    """CPU time that everything on this machine has used."""
    fields = [int(f) for f in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _, _, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / TICKS


def own_seconds() -> float:
    """CPU time of this process and of all its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in both)
