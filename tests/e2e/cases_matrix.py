"""The failure matrix: each role fails in each way while objects are made, and every object still gets its one key.

tests/e2e/saboteur.c is loaded into each child, so that it can fail from inside; a wrapper in its place refuses to start it, or
starts it late.
"""

from __future__ import annotations

import ctypes
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

from .cases_restart import processes, settled
from .crowd import prepare, size, states
from .harness import T, case
from .procs import wait_for
from .saboteur import with_saboteur
from .shoot import NAME, Shoot

WORKERS = 5
INSIDE = {"exit 1": 1, "busy loop": 2, "leak": 3, "flood, valid": 4, "flood, garbage": 5}     # as in saboteur.c
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGSEGV": signal.SIGSEGV, "hang": signal.SIGSTOP}
STARTS = ("refuses to start", "starts too slowly")
LIBC = ctypes.CDLL(None, use_errno=True)


def process(t: T, role: str, slot: int) -> dict:
    return processes(t, role)[slot]


def wait_settled(t: T, role: str, slot: int) -> None:
    """The next failure is one of its own: a process that has run this long has ended its streak of early deaths.

    Without it a quick run of all ways is the crash loop for which a slot is parked.
    """
    wait_for(f"the {role} to have run for a while", lambda: settled(process(t, role, slot)), 60)


def inflict(t: T, role: str, slot: int, way: str) -> None:
    """Makes one process of the role fail that way, and returns when that has ended it: a flood alone need not."""
    was = process(t, role, slot)
    if way in SIGNALS or way in INSIDE:
        if way in SIGNALS:
            t.provider.kill(was["pid"], SIGNALS[way])
        else:
            LIBC.sigqueue(was["pid"], int(signal.SIGUSR2), ctypes.c_void_p(INSIDE[way]))
        if not way.startswith("flood"):
            wait_for("it to be gone", lambda: process(t, role, slot)["incarnation"] != was["incarnation"], 60)
    else:
        flag = t.directory / f"{'refuse' if way == STARTS[0] else 'slow'}-{role}"
        flag.touch()
        t.provider.kill(was["pid"])
        if way == STARTS[0]:
            wait_for(f"the {role} to have been refused twice", lambda: process(t, role, slot)["restarts"] >= was["restarts"] + 2)
            flag.unlink()
            return
        late = wait_for(f"a late {role}", lambda: (p := process(t, role, slot))["pid"] not in (0, was["pid"]) and p)
        wait_for("its wrapper to have seen that", lambda: b"sleep" in Path(f"/proc/{late['pid']}/cmdline").read_bytes())
        flag.unlink()
        wait_for("it to be given up", lambda: process(t, role, slot)["incarnation"] != late["incarnation"], 60)


def one_key_each(t: T, shoots: list[Shoot]) -> None:
    labels = [k["label"] for k in t.packet.keys()]
    for s in shoots:
        t.equal(labels.count(s.label), 1, f"keys of {s.namespace}")
        t.equal(t.recorder.codes(s.namespace, NAME), set(), f"error codes ever shown by {s.namespace}")


def wait_done(t: T, shoots: list[Shoot], n: int) -> None:
    wait_for(f"{n} objects to be Succeeded", lambda: states(t, shoots).get("Succeeded", 0) >= n, 300, 0.1)


def run(t: T, n: int, trouble: Callable[[], None] | None) -> tuple[float, float]:
    """Makes n objects, causes trouble when a quarter of them is there, and returns how long all but one took, and all.

    In a project of their own: the lists of keys get no longer from run to run.
    """
    project = t.packet.add_project()
    shoots = prepare([t.shoot(project=project) for _ in range(n)])
    begun = time.monotonic()
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda s: s.make_infrastructure(), shoots[:n // 4]))
        helper = pool.submit(trouble) if trouble else None
        list(pool.map(lambda s: s.make_infrastructure(), shoots[n // 4:]))
        wait_done(t, shoots, n - 1)
        most = time.monotonic() - begun
        wait_done(t, shoots, n)
        took = time.monotonic() - begun
        if helper:
            helper.result()
    t.provider.wait_ready(60)
    one_key_each(t, shoots)
    return most, took


def others(t: T, role: str) -> dict[str, int]:
    return {p["role"]: p["restarts"] for p in t.provider.status()["processes"] if p["role"] not in ("worker", role)}


def held_against(t: T) -> list[dict]:
    """A watcher that ended while it read an object leaves one strike there for an hour: the next such death is no chance any more."""
    return json.loads(t.provider.packetctl("--json", "quarantine", "list") or "[]")


def matrix(t: T, role: str) -> None:
    with_saboteur(t, packet={"latency_ms": 20}, workers=WORKERS)
    n = size("MATRIX_OBJECTS", 24)
    alone_most, alone = min(run(t, n, None) for _ in range(2))
    for i, way in enumerate((*SIGNALS, *INSIDE, *STARTS)):
        slot = i % WORKERS if role == "worker" else 0
        wait_settled(t, role, slot)
        before = others(t, role)
        most, took = run(t, n, lambda: inflict(t, role, slot, way))
        print(f"      {role}, {way}: {n} objects in {took:.1f} s, {took / alone:.2f} of the undisturbed run; "
              f"all but one in {most:.1f} s, {most / alone_most:.2f}", flush=True)
        if role in ("worker", "exporter"):
            t.equal(others(t, role), before, f"restarts of the others, after {way}")
    wait_for("no strike to be left", lambda: not [x for x in held_against(t) if x["quarantined"] or role != "watcher"])


@case(patient=True)
def matrix_worker(t: T) -> None:
    """Workers die, hang, leak, flood, and do not start: one key for each object, no Error, and nobody else is restarted."""
    matrix(t, "worker")


@case(patient=True)
def matrix_watcher(t: T) -> None:
    """The watcher dies, hangs, leaks, floods, and does not start: one key for each object, and no Error."""
    matrix(t, "watcher")


@case(patient=True)
def matrix_gateway(t: T) -> None:
    """The packet-gateway dies, hangs, leaks, floods, and does not start: one key for each object, and no Error."""
    matrix(t, "packet-gateway")


@case(patient=True)
def matrix_exporter(t: T) -> None:
    """The exporter dies, hangs, leaks, floods, and does not start: nobody else notices."""
    matrix(t, "exporter")
