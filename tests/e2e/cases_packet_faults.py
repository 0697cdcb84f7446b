"""Cases in which Packet does what it is asked and does not say so: creates whose answer is wrong, cut off or lost, each
alone, then all of them at random while the gateway is killed.

Faults match by token, so that several run side by side in one program; in the cases of one fault alone every object has a
project of its own, and the ledger shows of each POST which lists its sender can have known. FAULT_OBJECTS is the number of
objects for each fault (20 with the simulator, 3 with the real API server; the closing note of a release takes 100).
FAULT_KILLS (6) SIGKILLs of the gateway, FAULT_SEED.
"""

from __future__ import annotations

import time

from .chaos import Killer, open_calls, verify_list_before_repeat, verify_no_key_twice
from .crowd import check_keys, delete_all, errors_shown, make, settled, size, states, wait_succeeded
from .harness import T, case
from .procs import SCALE
from .shoot import Shoot

# What the answer to a create looks like that was carried out.
ENDINGS = ("committed-404", "committed-reset", "committed-hang", "committed-truncated-json", "committed-empty-object",
           "committed-500", "committed-502-html", "committed-503-html")
# And of one that was not: only a repeat makes the key.
FAILURES = ("failed-500", "failed-reset", "failed-502-html")
# A create that hangs keeps its worker for 15 s: enough of them that the others do not wait.
WORKERS = 32


def objects(t: T) -> int:
    return size("FAULT_OBJECTS", 20 if t.kube.kind == "sim" else 3)


def crowd(t: T, n: int, token: str, project: str | None = None) -> list[Shoot]:
    """n Shoots of this token, each in a project of its own unless one is given; nothing is made yet."""
    return [t.shoot(token, project or t.packet.add_project()) for _ in range(n)]


def hits(t: T) -> int:
    return sum(f["hits"] for f in t.packet.admin("GET", "faults")["faults"])


@case(packet=("C-20", "C-21", "C-41", "S-21", "S-22"), patient=True)
def creates_with_a_wrong_answer(t: T) -> None:
    """Created, and answered 404, 500, 502, 503, broken, empty or not at all: one POST each, found by the list, no Error."""
    n = objects(t)
    t.start(packet={"flags": ("--dup-check=off",)}, workers=WORKERS)
    shoots: list[Shoot] = []
    for ending in ENDINGS:
        token = t.packet.add_token()
        t.packet.fault(ending, method="POST", token=token)
        shoots += crowd(t, n, token)
    make(shoots)
    wait_succeeded(t, shoots)
    ledger = t.packet.ledger()
    verify_no_key_twice(ledger, shoots)
    verify_list_before_repeat(ledger, [])
    posts = [e for e in ledger if e["method"] == "POST"]
    t.equal(len(posts), len(shoots), "POSTs: each was carried out, so a second one is one too many")
    t.equal(hits(t), len(shoots), "POSTs with a fault")
    check_keys(t, shoots)
    t.equal(errors_shown(t, shoots), [], "Errors shown on the way")
    delete_all(t, shoots)


@case(packet=("C-20", "C-22", "C-28", "S-10", "S-29"))
def lists_that_miss_a_new_key(t: T) -> None:
    """Created and answered 404, while the next lists do not show the key: 422 for the repeat is no refusal, and one key each."""
    misses, n = 3, objects(t)
    t.start(packet={"flags": (f'--config={{"listMissNewReads":{misses}}}',)}, workers=WORKERS)
    shoots = crowd(t, n, t.packet.token)
    for s in shoots:
        t.packet.fault("committed-404", count=1, method="POST", path=f"/projects/{s.project}/")
    make(shoots)
    wait_succeeded(t, shoots, seconds=90)      # seconds, unless an open attempt is taken for none
    ledger = t.packet.ledger()
    verify_no_key_twice(ledger, shoots)
    repeats = verify_list_before_repeat(ledger, [])
    refused = sum(1 for e in ledger if e["method"] == "POST" and e["status"] == 422)
    print(f"      {t.name}: {n} objects, {repeats} POSTs after a list without the key, {refused} of them answered 422")
    t.equal(hits(t), n, "POSTs answered 404")
    t.check(refused >= n, "the duplicate check was never met, so the lists missed nothing")
    check_keys(t, shoots)
    t.equal(errors_shown(t, shoots), [], "Errors shown on the way")
    delete_all(t, shoots)


@case(packet=("C-20", "C-21", "S-22", "S-23"))
def wrong_answers_and_kills(t: T) -> None:
    """All wrong answers and failures at random in a few projects, and the gateway killed again and again: one key each."""
    n, kills_wanted = 2 * objects(t), size("FAULT_KILLS", 6)
    t.start(packet={"latency_ms": 50, "flags": ("--dup-check=off", f"--seed={size('FAULT_SEED', 1)}")}, workers=WORKERS)
    for fault in (*ENDINGS, *FAILURES):
        t.packet.fault(fault, percent=2 if fault == "committed-hang" else 8, method="POST")
    projects = [t.packet.project, t.packet.add_project(), t.packet.add_project()]
    killer = Killer(t, size("FAULT_SEED", 1), pause=0.3, roles=("packet-gateway",))
    killer.start()
    shoots: list[Shoot] = []
    end = time.monotonic() + 120 * SCALE

    def within(kills: list, ledger: list[dict]) -> int:
        return sum(1 for k in kills if open_calls(ledger, k.at_ms, "POST"))

    def enough() -> bool:
        return (len(shoots) >= n and len(killer.kills) >= kills_wanted
                and within(killer.kills[:], t.packet.ledger()) >= kills_wanted // 3)

    # Kills need work to hit: when all is done before enough of them did, further objects are made.
    while not enough() and time.monotonic() < end and killer.is_alive():
        if len(shoots) < n or states(t, shoots).get("Succeeded", 0) > len(shoots) - WORKERS:
            shoots += make([s for p in projects for s in crowd(t, 10, t.packet.token, p)])
        time.sleep(0.1)
    kills = killer.finish()
    wait_succeeded(t, shoots)
    ledger = t.packet.ledger()
    verify_no_key_twice(ledger, shoots)
    repeats = verify_list_before_repeat(ledger, kills)
    hit = within(kills, ledger)
    print(f"      {t.name}: {len(shoots)} objects, {hits(t)} wrong answers, {len(kills)} kills of the gateway, {hit} of "
          f"them while a POST was open; POSTs repeated after a list: {repeats}")
    t.check(hits(t) >= len(shoots) // 3, f"only {hits(t)} wrong answers for {len(shoots)} objects")
    t.check(repeats, "no POST was repeated, so the ledger proves nothing about repeats")
    t.check(len(kills) >= kills_wanted, f"only {len(kills)} kills")
    t.check(hit >= kills_wanted // 3, f"only {hit} kills fell between a POST and its answer")
    check_keys(t, shoots)
    # A gateway that died may have left a request on its way: the closing note waits for those objects too.
    now = shoots if objects(t) >= 100 else settled(shoots)
    print(f"      {t.name}: {len(now)} of them are deleted at once")
    delete_all(t, now)
