"""Restarts while it works: processes are replaced one after the other, by a new executable, and no job is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .cases_basic import check_succeeded
from .crowd import make, wait_succeeded
from .harness import T, case
from .procs import Failure, wait_for
from .shoot import NAME

WORKERS = 3

SETTLED_SECONDS = 7                   # to be ready, then RESTART_*.stable_ms as seen by beats, which are two seconds apart; and some


def processes(t: T, role: str) -> list[dict]:
    return [p for p in t.provider.status()["processes"] if p["role"] == role]


def settled(process: dict) -> bool:
    """Its next death is no further one of a streak, for which a slot may be parked."""
    return process["state"] == "ready" and process["uptimeSeconds"] >= SETTLED_SECONDS


def replaced(t: T, role: str, before: list[dict]) -> list[dict] | None:
    """The role's processes when all are ready and none of those before is among them."""
    now = processes(t, role)
    old = {p["incarnation"] for p in before}
    whole = t.provider.status()["ready"] and all(p["state"] == "ready" and p["incarnation"] not in old for p in now)
    return now if whole else None


@case(gardener=(66,), outside="it puts another executable in the place of one, which nobody can in an image")
def rolling_restart_of_workers(t: T) -> None:
    """A new worker executable is taken up one process after the other, while objects are made; none is lost or shows an Error."""
    libexec = t.own_programs()
    t.start(packet={"latency_ms": 20}, workers=WORKERS, env={"PROVIDER_PACKET_LIBEXEC": str(libexec)})
    before = processes(t, "worker")
    shoots = make([t.shoot() for _ in range(15)])
    fresh = libexec / "worker.new"
    shutil.copy2(libexec / "worker", fresh)
    os.replace(fresh, libexec / "worker")            # as a package does: the running ones keep the old file
    said = t.provider.packetctl("restart", "worker", "--rolling")
    t.check(f"restarting {WORKERS} workers, one after the other" in said, f"packetctl said {said!r}")
    shoots += make([t.shoot() for _ in range(15)])
    after = wait_for("new workers", lambda: replaced(t, "worker", before), seconds=60)
    for p in after:
        t.equal(Path(f"/proc/{p['pid']}/exe").stat().st_ino, (libexec / "worker").stat().st_ino, "the executable's inode")
    wait_succeeded(t, shoots)
    for s in shoots:
        check_succeeded(t, s, None)
        t.equal(sorted(t.recorder.codes(s.namespace, NAME)), [], f"error codes ever shown by {s.namespace}")
    t.check("a process died" not in t.provider_log(), "a restart in order is told as a death")


@case(gardener=(66,))
def restart_of_the_others(t: T) -> None:
    """Gateway, watcher and exporter are replaced in order while objects are made, and no object is lost; a wrong role is told."""
    t.start(packet={"latency_ms": 20}, workers=WORKERS)
    shoots = []
    for role in ("packet-gateway", "watcher", "exporter"):
        before = processes(t, role)
        shoots += make([t.shoot() for _ in range(6)])
        t.provider.packetctl("restart", role)
        wait_for(f"a new {role}", lambda: replaced(t, role, before), seconds=60)
    wait_succeeded(t, shoots)
    for s in shoots:
        check_succeeded(t, s, None)
    dead = [line for line in t.provider_log().splitlines() if '"a process died"' in line and '"role":"worker"' not in line]
    t.equal(dead, [], "what is told as a death; workers end with the watcher or gateway that they know")
    try:
        t.provider.packetctl("restart", "kubelet")
    except Failure as e:
        t.check("there are worker, watcher, packet-gateway and exporter" in str(e), str(e))
    else:
        raise Failure("packetctl restarts a kubelet")
