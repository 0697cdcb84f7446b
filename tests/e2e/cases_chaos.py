"""The chaos case: many objects at once while watcher, workers and gateway are killed with SIGKILL again and again.

Size by environment: CHAOS_OBJECTS (60; the closing note of a release takes 200), CHAOS_KILLS (30: go on creating until so
many kills happened), CHAOS_SECONDS (30: how long at most kills go on), CHAOS_SEED.
"""

from __future__ import annotations

import time

from .chaos import Kill, Killer, read_jobs, summary, verify_list_before_repeat, verify_no_key_twice
from .crowd import check_keys, delete_all, make, size, states, wait_succeeded
from .harness import T, case
from .procs import SCALE
from .shoot import NAME, Shoot

WORKERS = 5


def newcomers(t: T, n: int) -> list[Shoot]:
    return make([t.shoot() for _ in range(n)])


def proves(t: T, kills: list[Kill], wanted: int) -> bool:
    """On a busy machine many kills fall between two jobs: such ones show nothing, and more are needed."""
    if len(kills) < wanted:
        return False
    hit = summary(kills, read_jobs(t.provider.log), t.packet.ledger())
    return hit["in flight"] >= wanted * 2 // 3 and hit["gateway within a POST"] >= wanted // 6


@case(patient=True)
def chaos(t: T) -> None:
    """Many objects at once under SIGKILLs of every role: all Succeeded, one key each, none made twice, none left at the end."""
    objects, wanted = size("CHAOS_OBJECTS", 60), size("CHAOS_KILLS", 30)
    seconds, seed = size("CHAOS_SECONDS", 30), size("CHAOS_SEED", 1)
    t.start(packet={"latency_ms": 50, "flags": ("--dup-check=off",)}, workers=WORKERS)
    killer = Killer(t, seed, pause=min(0.5, 0.4 * seconds / max(wanted, 1)))
    killer.start()
    shoots = newcomers(t, objects)
    end = time.monotonic() + seconds * SCALE * 2
    # Kills need work to hit: when all is done before enough of them happened, further objects are made.
    while not proves(t, list(killer.kills), wanted) and time.monotonic() < end and killer.is_alive():
        if states(t, shoots).get("Succeeded", 0) > len(shoots) - 4 * WORKERS:
            shoots += newcomers(t, 6 * WORKERS)
        time.sleep(0.2)
    kills = killer.finish()
    finish = time.monotonic()
    wait_succeeded(t, shoots)
    late = time.monotonic() - finish
    print(f"      {t.name}: {len(shoots)} objects, all Succeeded {late:.1f} s after the last kill", flush=True)

    ledger = t.packet.ledger()
    hit = summary(kills, read_jobs(t.provider.log), ledger)
    repeats = verify_list_before_repeat(ledger, kills)
    print(f"      {t.name}: {hit}; POSTs repeated after a list: {repeats}", flush=True)
    verify_no_key_twice(ledger, shoots)
    check_keys(t, shoots)
    t.check(hit["kills"] >= min(wanted, 30), f"only {hit['kills']} kills")
    t.check(hit["in flight"] >= wanted * 2 // 3, f"too few kills hit a job or call in flight: {hit}")
    t.check(hit["gateway within a POST"] >= wanted // 6, f"too few kills fell between a POST and its answer: {hit}")

    delete_all(t, shoots)
    t.equal(t.packet.keys(), [], "keys of anybody")
    for s in shoots:
        t.equal(sorted(t.recorder.codes(s.namespace, NAME)), [], f"error codes ever shown by {s.namespace}")
