"""A container's memory limit: a worker that eats memory dies alone, by its own limit or as the kernel's first choice."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from typing import Iterator

from .cases_blame import bad, behave, sanitized, wait_quarantined, with_bad_worker
from .crowd import make, wait_succeeded
from .harness import T, case
from .procs import Skip, wait_for

MIB = 1 << 20
ROOMY, TIGHT = 256 * MIB, 96 * MIB    # above and below what a worker may have by itself (128 MiB)


def v1() -> Path:
    root = Path("/sys/fs/cgroup/memory")
    if not (root / "memory.limit_in_bytes").exists():
        raise Skip("this machine has no memory controller of cgroup v1")
    return root


def v2() -> Path:
    for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        if "memory" in (root / "cgroup.controllers").read_text().split() if (root / "cgroup.controllers").exists() else False:
            return root
    raise Skip("this machine has no memory controller of cgroup v2")


@contextlib.contextmanager
def container(t: T, root: Path) -> Iterator[Path]:
    """A group with the whole tree in it, as a kubelet makes one for a container."""
    group = root / f"e2e-{uuid.uuid4().hex[:8]}"
    if (root / "cgroup.subtree_control").exists():
        (root / "cgroup.subtree_control").write_text("+memory")
    group.mkdir()
    pids = [t.provider.supervisor()] + [p["pid"] for p in t.provider.processes()]
    try:
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        yield group
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (root / "cgroup.procs").write_text(pid)
        with contextlib.suppress(OSError):
            wait_for("the group to be empty", lambda: not (group / "cgroup.procs").read_text())
            os.rmdir(group)


def limit(group: Path, size: int) -> None:
    names = {"memory.limit_in_bytes": size, "memory.max": size, "memory.swap.max": 0, "memory.oom.group": 0}
    for name, value in names.items():
        if (group / name).exists():
            (group / name).write_text(str(value))


def others(t: T) -> dict[str, int]:
    return {"supervisor": t.provider.supervisor(), **{p["role"]: p["pid"] for p in t.provider.processes() if p["role"] != "worker"}}


def greedy(t: T, root: Path) -> None:
    if sanitized(t):
        raise Skip("a build with sanitizers has no memory limits of its own")
    with_bad_worker(t)
    before = others(t)
    with container(t, root) as group:
        for size, cause in ((ROOMY, "no memory left"), (TIGHT, "SIGKILL")):
            limit(group, size)
            s = bad(t, "eat")
            row = wait_quarantined(t, s)
            t.check(cause in row["cause"], f"with {size // MIB} MiB: {row['cause']!r}")
            behave(s)
            wait_succeeded(t, make([t.shoot() for _ in range(5)]))
            t.equal(others(t), before, f"who lives, with {size // MIB} MiB")


@case
def greedy_worker_under_cgroup_v1(t: T) -> None:
    """In a container of cgroup v1: workers that eat memory die alone, whether their own limit or the container's comes first."""
    greedy(t, v1())


@case
def greedy_worker_under_cgroup_v2(t: T) -> None:
    """In a container of cgroup v2: workers that eat memory die alone, whether their own limit or the container's comes first."""
    greedy(t, v2())
