"""Rows of memory and of doing nothing: PSS of each process, of a further worker and of each known object; idle CPU."""

from __future__ import annotations

import time
from collections import defaultdict

from .proc import pss_kib, run_seconds
from .rig import Rig, Session, each
from .rows_latency import ready_and_first
from .table import Row, Table

MIB = 1024
SETTLE_S = 2
MANY = "shoot--bench--many"


def memory(rig: Rig, table: Table) -> None:
    """PSS of each process and in sum, idle, and what one further worker adds."""
    few, more = 5, 15
    one = idle_pss(rig, few)
    sums = {few: sum(map(sum, one.values())), more: sum(map(sum, idle_pss(rig, more).values()))}
    for role, found in one.items():
        table.add(Row(f"PSS idle: {role}" + (" (each)" if len(found) > 1 else ""), [sum(found) / len(found) / MIB], "MiB"))
    table.add(Row(f"PSS idle: all processes, {few} workers", [sums[few] / MIB], "MiB", "<= 26 (then 12, 8)", [26],
                  note="shared pages count in parts, also those shared with the simulators; Go 60, Rust 5"))
    table.add(Row("PSS idle: a further worker adds", [(sums[more] - sums[few]) / MIB / (more - few)], "MiB", "<= 0.4 (lean)",
                  [0.4], note=f"from {few} to {more} workers"))


def idle_pss(rig: Rig, workers: int) -> dict[str, list[int]]:
    """KiB by role. Every process has done some work before."""
    shoots = rig.shoots(2 * workers)
    with rig.session(workers=workers) as session:
        each(shoots, session.create_and_wait)
        each(shoots, session.delete_and_wait)
        time.sleep(SETTLE_S)
        found: dict[str, list[int]] = defaultdict(list)
        for role, pid in session.tree():
            found[role].append(pss_kib(pid))
        return dict(found)


def idle(rig: Rig, table: Table) -> None:
    """CPU of the whole tree while nothing happens."""
    seconds = rig.size(30, 5)
    with rig.session() as session:
        session.create_and_wait(rig.shoots(1)[0])
        time.sleep(SETTLE_S)
        tree = session.tree()
        before, begun = {pid: run_seconds(pid) for _, pid in tree}, time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - begun
        used = {pid: run_seconds(pid) - before[pid] for _, pid in tree}
    by_role: dict[str, float] = defaultdict(float)
    for role, pid in tree:
        by_role[role] += used[pid] / passed * 100
    table.add(Row("idle CPU of the whole tree", [sum(by_role.values())], "% of a core", "<= 0.05", [0.05],
                  note=f"over {passed:.0f} s; " + ", ".join(f"{r} {v:.3f}" for r, v in by_role.items())
                       + "; Go 0.17, Rust 0.03"))


def known(rig: Rig, table: Table) -> None:
    """What each known object costs the watcher, and how a start goes with ten times --objects of them."""
    count = rig.size(10 * rig.objects, 500)
    with rig.session() as session:
        time.sleep(SETTLE_S)
        empty = watcher_pss(session)
    make_many(rig, count)
    shoot = rig.shoots(1)[0]
    with rig.session(wait=False) as session:
        shoot.make_infrastructure()
        until_ready, until_first = ready_and_first(session, shoot.namespace)
        time.sleep(SETTLE_S)
        full = watcher_pss(session)
        calls = len(session.packet.ledger())
    table.add(Row(f"each object known ({count} Succeeded ones, listed at the start)", [(full - empty) * 1024 / count], "bytes",
                  "<= 100", [100], note=f"PSS of the watcher {empty} KiB without, {full} KiB with them; {calls} Packet calls"))
    table.add(Row(f"start with {count} objects: READY, first reconcile done", [until_ready * 1000, until_first * 1000], "ms",
                  "- / < 1000", [None, 1000], note="a create waits for the start beside them; Go 6.6 s"))


def watcher_pss(session: Session) -> int:
    return sum(pss_kib(pid) for role, pid in session.tree() if role == "watcher")


def make_many(rig: Rig, count: int, annotations: dict[str, str] | None = None, padding: int = 0) -> None:
    """So many Infrastructures that are done, in one namespace without a Secret; padding: bytes in their providerConfig."""
    rig.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MANY}})
    names = [f"infrastructure-{n:05d}" for n in range(count)]

    def make(name: str) -> None:
        rig.client.create({"apiVersion": "extensions.gardener.cloud/v1alpha1", "kind": "Infrastructure",
                           "metadata": {"name": name, "namespace": MANY, "annotations": annotations or {}},
                           "spec": {"providerConfig": {"padding": "x" * padding}, "type": "packet", "region": "ewr1",
                                    "secretRef": {"name": "cloudprovider", "namespace": MANY}}})
        rig.client.patch("Infrastructure", MANY, name, {"status": {"observedGeneration": 1, "lastOperation": {
            "type": "Create", "state": "Succeeded", "progress": 100, "description": "Successfully reconciled infrastructure",
            "lastUpdateTime": "2026-01-01T00:00:00Z"}}}, "/status")
    each(names, make)
