"""Rows of death: how long after a SIGKILL of each role, or of all, a reconcile is done again; and after a hang."""

from __future__ import annotations

import signal
import time

from e2e.procs import wait_for
from e2e.shoot import Shoot

from .rig import Rig, Session
from .table import Row, Table, middle_and_tail

# A silent worker is ended after so long (BEAT_MISSED_MS of proto/contract.h); the design allows a second more.
SILENT_S = 5
KILLS = {"worker": 50, "watcher": 500, "packet-gateway": 500, "whole pod": 1000}


def kills(rig: Rig, table: Table) -> None:
    """SIGKILL, then at once a no-op reconcile is asked for: the time from the kill to its end."""
    shoot = rig.shoots(1)[0]
    with rig.session(workers=1, latency_ms=0) as session:
        session.create_and_wait(shoot)
        usual = [session.reconcile_and_wait(shoot) for _ in range(rig.size(20, 3))]
        for role, limit in KILLS.items():
            times = [one_kill(session, shoot, role) for _ in range(rig.size(12 if role != "whole pod" else 8, 2))]
            table.add(Row(f"killed with -9, next reconcile done: {role}, p50 / p99", middle_and_tail(times), "ms",
                          f"- / {limit}", [None, limit],
                          note=f"{len(times)} kills; 1 worker, Packet without delay; without a kill "
                               f"{middle_and_tail(usual)[0]:.0f} ms; leader election off; Go 16.8 s, Rust 15.4 s"))


def mid_job(rig: Rig, table: Table) -> None:
    """SIGKILL of the worker that holds a job: how much later than an undisturbed one that job is done, by another worker."""
    shoot = rig.shoots(1)[0]
    with rig.session(workers=20, latency_ms=100) as session:
        session.create_and_wait(shoot)
        usual = middle_and_tail([session.reconcile_and_wait(shoot) for _ in range(rig.size(20, 3))])[0]
        late = [max(0.0, kill_holder(session, shoot) - usual / 1000) for _ in range(rig.size(200, 4))]
        table.add(Row("worker killed in its job: done by another, later by, p50 / p99", middle_and_tail(late), "ms", "- / 50", [None, 50],
                      note=f"{len(late)} kills; 20 workers, Packet at 100 ms; an undisturbed job takes {usual:.0f} ms"))


def kill_holder(session: Session, shoot: Shoot) -> float:
    """Seconds from the kill to the end of the run."""
    version = int(shoot.annotate("reconcile")["metadata"]["resourceVersion"])
    key = f"{shoot.namespace}/infrastructure"

    def holder() -> int | None:
        return next((p["pid"] for p in session.provider.processes("worker") if p.get("object") == key), None)
    pid = wait_for("a worker to hold the job", holder, 10, 0.002)
    killed = time.monotonic()
    session.provider.kill(pid, signal.SIGKILL)
    end = session.onlooker.wait_run(shoot.namespace, version)[1].at
    wait_for("all workers to be back", lambda: session.provider.status().get("ready"), 30)
    return end - killed


def one_kill(session: Session, shoot: Shoot, role: str) -> float:
    provider = session.provider
    settled(session)
    if role == "whole pod":
        killed = time.monotonic()
        provider.child.process.kill()
        provider.child.process.wait()
        session.start(wait=False, runtime=provider.runtime)
    else:
        victim = next(p for p in provider.processes(role) if p["pid"] > 0)
        killed = time.monotonic()
        provider.kill(victim["pid"], signal.SIGKILL)
    version = int(shoot.annotate("reconcile")["metadata"]["resourceVersion"])
    return session.onlooker.wait_run(shoot.namespace, version)[1].at - killed


def settled(session: Session) -> None:
    """Everything ready, and for so long that the next death counts as the first of a row."""
    def ready() -> bool:
        status = session.provider.status(check=False)
        return bool(status.get("ready")) and all(p["state"] == "ready" for p in status["processes"])
    wait_for("the tree to be whole", ready, 30)
    time.sleep(2.5)


def hang(rig: Rig, table: Table) -> None:
    """SIGSTOP of a worker in the middle of a job: until that job has been done by its successor."""
    times = [one_hang(rig) for _ in range(rig.size(2, 1))]
    table.add(Row("hung worker: noticed, killed, its job done again", [max(times)], "s",
                  f"<= {SILENT_S} + 1", [SILENT_S + 1], note=f"the longest of {len(times)}; 1 worker, Packet at 300 ms"))


def one_hang(rig: Rig) -> float:
    shoot = rig.shoots(1)[0]
    with rig.session(workers=1, latency_ms=300) as session:
        victim = session.provider.processes("worker")[0]["pid"]
        shoot.make_infrastructure()
        rig.onlooker.wait("the job to be begun", lambda: any(s.state == "Processing"
                                                             for s in rig.onlooker.seen(shoot.namespace)))
        stopped = time.monotonic()
        session.provider.kill(victim, signal.SIGSTOP)
        return rig.onlooker.wait_run(shoot.namespace)[1].at - stopped
