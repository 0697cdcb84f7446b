"""Rows of time on an idle system: one object after the other, Packet at 50 ms; and how long a start takes."""

from __future__ import annotations

import json
import time

from e2e.procs import Failure, wait_for
from e2e.shoot import Shoot

from .rig import Rig, Session
from .rows_load import Against, bare_creates
from .table import Row, Table, middle_and_tail, percentile


def latency(rig: Rig, table: Table) -> None:
    """Create, no-op reconcile and delete on an idle system, from sight to sight in a watch."""
    shoots = rig.shoots(rig.size(60, 8))
    generator = bare_times(rig, shoots)
    with rig.session() as session:
        session.create_and_wait(rig.shoots(len(shoots) + 1)[-1])       # the first one opens the connections
        times = {"create": [session.create_and_wait(s) for s in shoots],
                 "no-op reconcile": [session.reconcile_and_wait(s) for s in shoots],
                 "delete": [session.delete_and_wait(s) for s in shoots]}
    targets = {"create": ("< 120 / < 150", [120, 150]), "no-op reconcile": ("< 70 / -", [70, None]),
               "delete": ("< 75 / -", [75, None])}
    for name, (target, limits) in targets.items():
        ours, theirs = middle_and_tail(times[name]), generator.get(name)
        table.add(Row(f"idle system, Packet at 50 ms: {name}, p50 / p99", ours, "ms", target, limits,
                      ratio=ours[0] / theirs if theirs else None,
                      note=f"{len(shoots)} one after the other" + (f"; bare generator {theirs:.1f} ms" if theirs else "")
                           + f"; Go and Rust on their machine {BEFORE[name]}"))


def bare_times(rig: Rig, shoots: list[Shoot]) -> dict[str, float]:
    """Milliseconds that the generator takes for the same requests, one object after the other."""
    creates, noops = Against(), Against()
    bare_creates(rig, shoots, creates, 1, noops)
    return {"create": 1000 / creates.per_second(), "no-op reconcile": 1000 / noops.per_second()}


BEFORE = {"create": "151 / 197 and 127 / 157 ms", "no-op reconcile": "88 and 78 ms", "delete": "106 and 116 ms"}


def start(rig: Rig, table: Table) -> None:
    """From exec to READY of the whole tree, and to the first reconcile done."""
    starts = [one_start(rig) for _ in range(rig.size(7, 2))]
    ready, first = ([s[i] for s in starts] for i in (0, 1))
    table.add(Row("start to READY of the whole tree, p50", [percentile(ready, 50) * 1000], "ms", "< 150", [150],
                  note=f"{len(starts)} starts; from exec until packetctl says ready, which is asked every 10 ms"))
    table.add(Row("start to the first reconcile done, p50", [percentile(first, 50) * 1000], "ms", "< 230", [230],
                  note="a create that waits for the start, Packet at 50 ms"))


def one_start(rig: Rig) -> tuple[float, float]:
    shoot = rig.shoots(1)[0]
    with rig.session(wait=False) as session:
        shoot.make_infrastructure()
        return ready_and_first(session, shoot.namespace)


def ready_and_first(session: Session, namespace: str, version: int = 0) -> tuple[float, float]:
    """Starts the program; seconds to READY, and to the sight of that object's Succeeded."""
    begun = time.monotonic()
    provider = session.start(wait=False)

    def ready() -> bool:
        if not provider.child.alive():
            raise Failure(f"the program ended while starting: {session.last_words()}")
        text = provider.packetctl("--json", "status", check=False)
        return bool(text) and bool(json.loads(text).get("ready"))
    wait_for("READY", ready, 30, interval=0.01)
    until_ready = time.monotonic() - begun
    return until_ready, session.onlooker.wait_run(namespace, version)[1].at - begun
