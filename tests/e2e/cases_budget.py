"""Cases in which Packet allows fewer calls than there is work: by the simulator's own count nothing goes over the limit,
nobody waits for others' credentials, deletes go first, and waiting never looks like an error.

BUDGET_OBJECTS is the number of objects of one credential (40 with the simulator, 12 with the real API server; the closing
note of a release takes 200). Shares of the limit are judged from 200 on: fewer objects are done before a rate is measured.
"""

from __future__ import annotations

from .crowd import check_keys, errors_shown, make, prepare, size, states, wait_succeeded
from .harness import T, case
from .procs import wait_for
from .shoot import Shoot

MANY = 200
CALLS_MAX = 2.05               # for each object: the list, the POST, and one for all now and then


def objects(t: T) -> int:
    return size("BUDGET_OBJECTS", 40 if t.kube.kind == "sim" else 12)


def limited(rate: int, *config: str, headers: bool = True) -> dict:
    """Options of a simulator that allows each token `rate` calls a second, and announces it unless `headers` is False."""
    switches = ('"rateHeaders":true' if headers else '"rateRetryAfter":"none"', *config)
    return {"flags": (f"--rate={rate}", f"--config={{{','.join(switches)}}}")}


def by_token(ledger: list[dict], others: list[dict]) -> list[dict]:
    """The calls of the ledger that were made with the same token as those."""
    return [e for e in ledger if e["token"] == others[0]["token"]]


def share_used(ledger: list[dict], rate: int) -> float:
    """Admitted calls in relation to all that the limit allowed from the first to the last of them, its burst included."""
    times = [e["receivedMs"] for e in ledger if e["status"] != 429]
    return len(times) / (rate + (times[-1] - times[0]) / 1000 * rate)


def refusals(ledger: list[dict]) -> int:
    return sum(1 for e in ledger if e["status"] == 429)


def violations(t: T) -> int:
    return t.packet.counters()["violations"]["rate"]


def announced(t: T, rate: int) -> None:
    n = objects(t)
    t.start(packet=limited(rate))
    shoots = make([t.shoot() for _ in range(n)])
    wait_succeeded(t, shoots)
    ledger = t.packet.ledger()
    share = share_used(ledger, rate)
    print(f"      {t.name}: {n} objects, {rate} calls/s allowed, {len(ledger)} calls, {len(ledger) / n:.3f} each, share used "
          f"{share:.3f}, over the limit {violations(t)}")
    t.equal(violations(t), 0, "calls over an announced limit")
    t.check(len(ledger) <= CALLS_MAX * n, f"{len(ledger)} calls for {n} objects")
    t.equal(errors_shown(t, shoots), [], "Errors shown on the way")
    if n >= MANY:
        t.check(share >= 0.98, f"only {share:.3f} of the limit was used")
    check_keys(t, shoots)


@case(packet=("C-34", "C-37", "S-26"))
def an_announced_limit_is_kept(t: T) -> None:
    """10 calls a second, announced: never exceeded, all converge with two calls each, and waiting is no Error."""
    announced(t, 10)


@case(packet=("C-34", "C-37", "S-26"))
def waiting_for_budget_is_no_error(t: T) -> None:
    """20 calls a second, announced: at most 2.05 calls for each object, and no Error is ever shown."""
    announced(t, 20)


@case(packet=("C-35", "C-36", "S-26"))
def a_silent_limit_is_found(t: T) -> None:
    """10 calls a second and no header that says so: found with few 429s, most of it used, and waiting is no Error."""
    n, rate = objects(t), 10
    t.start(packet=limited(rate, headers=False))
    shoots = make([t.shoot() for _ in range(n)])
    wait_succeeded(t, shoots)
    ledger = t.packet.ledger()
    seconds = (ledger[-1]["receivedMs"] - ledger[0]["receivedMs"]) / 1000
    share = share_used(ledger, rate)
    print(f"      {t.name}: {n} objects, {rate} calls/s allowed, {len(ledger)} calls in {seconds:.0f} s, {refusals(ledger)} "
          f"answered 429, share used {share:.3f}")
    # The first ones show that there is a limit; each later one ends a climb that takes longer than that.
    t.check(refusals(ledger) <= 3 + seconds / 8, f"{refusals(ledger)} calls were answered 429 in {seconds:.0f} s")
    t.equal(errors_shown(t, shoots), [], "Errors shown on the way")
    if n >= MANY:
        t.check(share >= 0.8, f"only {share:.3f} of the limit was used")
    check_keys(t, shoots)


@case
def a_late_delete_overtakes_creates(t: T) -> None:
    """A delete that comes when a crowd waits for budget is sent before all but a few of them."""
    n, rate = objects(t) * 3 // 4, 10
    t.start(packet=limited(rate))
    old = t.shoot().create()
    old.wait_state("Succeeded")
    shoots = make([t.shoot() for _ in range(n)])
    wait_for("the crowd to be on its way", lambda: posts(t.packet.ledger()) > 3)
    before = len(t.packet.ledger())
    waiting = n + 1 - posts(t.packet.ledger())
    old.delete()
    old.wait_gone()
    wait_succeeded(t, shoots)
    later = t.packet.ledger()[before:]
    place = next(i for i, e in enumerate(later) if e["method"] == "DELETE")
    print(f"      {t.name}: {waiting} creates wait; {place} calls were made between the wish and the delete, "
          f"{posts(later[place:])} creates came after it")
    # Calls that were admitted before it, and what starts while its Secret and Cluster are read.
    t.check(place <= 2 * rate, f"{place} calls went before the delete")
    t.check(posts(later[place:]) >= waiting // 2, f"only {posts(later[place:])} of {waiting} creates came after the delete")
    t.equal(violations(t), 0, "calls over an announced limit")


def posts(ledger: list[dict]) -> int:
    return sum(1 for e in ledger if e["method"] == "POST")


@case(packet=("C-37",))
def credentials_do_not_slow_each_other(t: T) -> None:
    """A second credential's objects are done long before the first one's crowd."""
    n, few = objects(t), 5
    t.start(packet=limited(10))
    first = [t.shoot() for _ in range(n)]
    project = t.packet.add_project()
    second = prepare([t.shoot(t.packet.add_token(), project) for _ in range(few)])
    make(first)
    wait_for("the crowd to be on its way", lambda: posts(t.packet.ledger()) > 3)
    for s in second:
        s.make_infrastructure()
    wait_succeeded(t, second)
    left = n - states(t, first).get("Succeeded", 0)
    wait_succeeded(t, first)
    ledger = t.packet.ledger()
    theirs = [e for e in ledger if e["projectId"] == project]
    begun, ended = ledger.index(theirs[0]), ledger.index(theirs[-1])
    between = len(by_token(ledger[begun:ended], ledger[:1]))
    print(f"      {t.name}: when the {few} of the second credential were done, {left} of {n} of the first one's were not; "
          f"{between} of its calls were made meanwhile")
    t.check(left >= n // 3, f"only {left} of {n} were left")
    t.equal(violations(t), 0, "calls over an announced limit")
    t.equal(errors_shown(t, first + second), [], "Errors shown on the way")


@case(packet=("C-20", "S-23"))
def one_call_in_five_fails(t: T) -> None:
    """A fifth of all calls answers 500: all converge, and hardly any object ever shows an Error."""
    n = objects(t)
    t.start(packet={"flags": ("--seed=7", '--fault={"count":-1,"percent":20,"fault":{"status":500}}')}, workers=20)
    shoots = make([t.shoot() for _ in range(n)])
    wait_succeeded(t, shoots)
    shown, ledger = errors_shown(t, shoots), t.packet.ledger()
    failed = sum(1 for e in ledger if e["status"] == 500)
    print(f"      {t.name}: {n} objects, {len(ledger)} calls, {failed} of them answered 500, {len(shown)} times Error")
    t.check(failed >= len(ledger) // 10, f"only {failed} of {len(ledger)} calls failed")
    t.check(len(shown) <= 2, f"{len(shown)} Errors were shown: {shown[:3]}")
    check_keys(t, shoots)


@case(packet=("C-20", "S-22"))
def one_create_in_five_loses_its_answer(t: T) -> None:
    """A fifth of the creates is carried out and never answered: all converge, and no object ever shows an Error."""
    n = objects(t)
    t.start(packet={"flags": ("--seed=7", '--fault={"count":-1,"percent":20,"match":{"method":"POST"},'
                              '"fault":{"preset":"committed-reset"}}')}, workers=20)
    shoots = make([t.shoot() for _ in range(n)])
    wait_succeeded(t, shoots)
    lost = sum(1 for e in t.packet.ledger() if e["fate"] == "reset")
    print(f"      {t.name}: {n} objects, {lost} creates lost their answer")
    t.check(lost >= n // 20, f"only {lost} creates lost their answer")
    t.equal(errors_shown(t, shoots), [], "Errors shown on the way")
    check_keys(t, shoots)
