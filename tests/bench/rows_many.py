"""Rows of many objects: how a start with them goes, what overtakes them, what a list of large ones costs in memory."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

from e2e.procs import wait_for

from .rig import Rig, Session
from .rows_memory import MANY, SETTLE_S, make_many, watcher_pss
from .table import Row, Table

MIB = 1024
PADDING = 20 * 1024
WORKERS = 5


def many(rig: Rig, table: Table) -> None:
    """A start with ten times --objects objects that all want work: until all are seen, requests, memory, and a change that comes then."""
    count = rig.size(10 * rig.objects, 500)
    shoot = rig.shoots(1)[0]
    make_many(rig, count, annotations={"gardener.cloud/operation": "reconcile"})
    with rig.session(wait=False, workers=WORKERS) as session:
        mark, begun = rig.kube.audit.mark(), time.time()
        session.start(wait=False)
        seen = wait_for("the first list", lambda: log_time(session, "first list complete"), 120)
        pss = watcher_pss(session)
        shoot.make_infrastructure()
        arrived = time.time()
        session.onlooker.wait_run(shoot.namespace, 0)
        requests = rig.kube.audit.requests(rig.kube.user, mark)
    before = [r for r in requests if at(r.at) <= seen and r.resource != "leases"]
    lists = [r for r in before if r.verb in ("list", "watch") and r.resource == "infrastructures"]
    jobs = [r for r in requests if r.resource == "clusters"]
    own = next(at(r.at) for r in jobs if r.name == shoot.namespace)
    overtaken = sum(1 for r in jobs if r.name == MANY and arrived < at(r.at) < own)
    table.add(Row(f"start with {count} objects that want work: all of them seen", [(seen - begun) * 1000], "ms",
                  note=f"{len(lists)} requests for it; PSS of the watcher then {pss / MIB:.1f} MiB"))
    table.add(Row("requests until all are seen: list and watch", [len(lists)], "", "1", [1]))
    table.add(Row("a change while they are queued: of them begun before it", [overtaken], "", f"<= {WORKERS}", [WORKERS],
                  note=f"{len(jobs)} jobs were begun until it was done, so at least {count - len(jobs)} were overtaken"))


def large(rig: Rig, table: Table) -> None:
    """Ten times --objects objects of 20 KiB: the watcher's memory at a list of them, at a second one, and after it."""
    if rig.kube.kind != "real":
        return              # a list anew takes a server that starts again without the past
    count = rig.size(10 * rig.objects, 200)
    shoot = rig.shoots(1)[0]
    with rig.session() as session:
        time.sleep(SETTLE_S)
        empty = watcher_pss(session)
    make_many(rig, count, padding=PADDING)
    with rig.session(wait=False) as session:
        session.start()
        wait_for("the first list", lambda: log_time(session, "first list complete"), 300)
        time.sleep(SETTLE_S)
        first, after_first = peak(session), watcher_pss(session)
        mark = rig.kube.audit.mark()
        rig.kube.stop_apiserver()
        rig.kube.start_apiserver()
        wait_for("the second list", lambda: rig.kube.audit.lists(rig.kube.user, mark), 120)
        shoot.make_infrastructure()
        session.onlooker.wait_run(shoot.namespace, 0)
        time.sleep(SETTLE_S)
        second, after = peak(session), watcher_pss(session)
    note = f"{count * PADDING >> 20} MiB of objects; PSS {empty} KiB without them, {after_first} and {after} KiB after the lists"
    table.add(Row(f"{count} objects of 20 KiB: peak of the watcher at the list / listed again", [first / MIB, second / MIB],
                  "MiB RSS", note=note))
    table.add(Row(f"{count} objects of 20 KiB: kept of them after both lists", [(after - empty) / MIB], "MiB PSS", "<= 4", [4],
                  note="100 bytes each, and what the first run and the lists leave once"))


def log_time(session: Session, message: str) -> float | None:
    """When the program first said that, in seconds since 1970."""
    path: Path = session.provider.log
    for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
        if f'"msg":"{message}"' in line:
            return at(json.loads(line)["ts"])
    return None


def at(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def peak(session: Session) -> int:
    """KiB of the watcher's resident memory at its highest."""
    pid = next(pid for role, pid in session.tree() if role == "watcher")
    return next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
