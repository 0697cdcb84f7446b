"""The chaos case: many objects at once while watcher, workers and gateway are killed with SIGKILL again and again.

Size by environment: CHAOS_OBJECTS (60; the closing note of a release takes 200), CHAOS_KILLS (30: go on creating until so
many kills happened), CHAOS_SECONDS (30: how long at most kills go on), CHAOS_SEED.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from .chaos import Killer, read_jobs, summary, verify_list_before_repeat, verify_no_key_twice
from .harness import T, case
from .procs import SCALE, wait_for
from .shoot import NAME, Shoot

WORKERS = 5


def size(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


def states(t: T, shoots: list[Shoot]) -> dict[str, int]:
    found: dict[str, int] = {}
    names = {s.namespace for s in shoots}
    for obj in t.client.list("Infrastructure")["items"]:
        if obj["metadata"]["namespace"] in names:
            state = obj.get("status", {}).get("lastOperation", {}).get("state", "none")
            found[state] = found.get(state, 0) + 1
    return found


def make(t: T, n: int) -> list[Shoot]:
    """n Shoots; everything but the Infrastructures one by one, then those at once."""
    shoots = [t.shoot() for _ in range(n)]

    def prepare(s: Shoot) -> None:
        s.make_namespace()
        s.make_secret({"apiToken": s.token, "projectID": s.project})
        s.make_cluster()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, shoots))
        list(pool.map(lambda s: s.make_infrastructure(), shoots))
    return shoots


@case
def chaos(t: T) -> None:
    """Many objects at once under SIGKILLs of every role: all Succeeded, one key each, none made twice, none left at the end."""
    objects, wanted = size("CHAOS_OBJECTS", 60), size("CHAOS_KILLS", 30)
    seconds, seed = size("CHAOS_SECONDS", 30), size("CHAOS_SEED", 1)
    t.start(packet={"latency_ms": 50, "flags": ("--dup-check=off",)}, workers=WORKERS)
    killer = Killer(t, seed, pause=min(0.5, 0.4 * seconds / max(wanted, 1)))
    killer.start()
    shoots = make(t, objects)
    end = time.monotonic() + seconds * SCALE * 2
    # Kills need work to hit: when all is done before enough of them happened, further objects are made.
    while len(killer.kills) < wanted and time.monotonic() < end and killer.is_alive():
        if states(t, shoots).get("Succeeded", 0) > len(shoots) - 4 * WORKERS:
            shoots += make(t, 6 * WORKERS)
        time.sleep(0.2)
    kills = killer.finish()
    finish = time.monotonic()
    wait_for("all objects to be Succeeded", lambda: states(t, shoots) == {"Succeeded": len(shoots)}, 300, 0.5)
    late = time.monotonic() - finish
    print(f"      {t.name}: {len(shoots)} objects, all Succeeded {late:.1f} s after the last kill", flush=True)

    ledger = t.packet.ledger()
    hit = summary(kills, read_jobs(t.provider.log), ledger)
    repeats = verify_list_before_repeat(ledger, kills)
    print(f"      {t.name}: {hit}; POSTs repeated after a list: {repeats}", flush=True)
    verify_no_key_twice(ledger, shoots)
    labels = sorted(k["label"] for k in t.packet.keys())
    t.equal(labels, sorted(s.label for s in shoots), "labels of all keys")
    ids = {k["label"]: k["id"] for k in t.packet.keys()}
    for s in shoots:
        t.equal(s.key_id(), ids[s.label], f"sshKeyID of {s.namespace}")
    t.check(hit["kills"] >= min(wanted, 30), f"only {hit['kills']} kills")
    t.check(hit["in flight"] >= wanted * 2 // 3, f"too few kills hit a job or call in flight: {hit}")
    t.check(hit["gateway within a POST"] >= wanted // 6, f"too few kills fell between a POST and its answer: {hit}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda s: s.delete(), shoots))
    wait_for("all objects to be gone", lambda: states(t, shoots) == {}, seconds=300, interval=0.5)
    t.equal(t.packet.keys(), [], "keys after everything was deleted")
    for s in shoots:
        t.equal(sorted(t.recorder.codes(s.namespace, NAME)), [], f"error codes ever shown by {s.namespace}")
