"""Cases about the tests themselves: each proof that the other cases rely on must be able to fail."""

from __future__ import annotations

from typing import Callable

from .audit import Request
from .chaos import Job, Kill, open_calls, summary, verify_list_before_repeat, verify_no_key_twice
from .harness import T, case
from .procs import Failure
from .provider import SANITIZER


def call(method: str, received: int, answer: int | None, label: str = "a", status: int = 200, committed: bool = False,
         project: str = "p") -> dict:
    return {"method": method, "kind": "project-keys", "receivedMs": received, "answerMs": answer, "status": status,
            "fate": "answer" if answer is not None else "hang", "committed": committed, "late": False, "projectId": project,
            "body": {"label": label} if method == "POST" else None}


def must_fail(t: T, what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except Failure:
        return
    t.check(False, f"{what} was not noticed")


@case
def proof_of_list_before_repeat(t: T) -> None:
    """A POST repeated after an unknown outcome without a list sent since is found; with one it is not."""
    kills = [Kill(120, "packet-gateway", 1)]
    first, again = call("POST", 100, 150), call("POST", 300, 350, committed=True)
    too_early, good = call("GET", 110, 160), call("GET", 200, 250)
    must_fail(t, "a blind repeat", lambda: verify_list_before_repeat([first, again], kills))
    must_fail(t, "a list sent before the kill", lambda: verify_list_before_repeat([first, too_early, again], kills))
    t.equal(verify_list_before_repeat([first, good, again], kills), 1, "repeats")
    must_fail(t, "a list of another project",
              lambda: verify_list_before_repeat([first, call("GET", 200, 250, project="q"), again], kills))
    must_fail(t, "a list sent before the answer", lambda: verify_list_before_repeat([first, too_early, again], []))
    must_fail(t, "a cut off list",
              lambda: verify_list_before_repeat([first, {**good, "fate": "truncate"}, again], kills))
    hang, late = call("POST", 100, None), call("POST", 15_300, 15_350)
    must_fail(t, "a list sent while the POST was open", lambda: verify_list_before_repeat([hang, good, late], []))
    t.equal(verify_list_before_repeat([hang, call("GET", 15_200, 15_250), late], []), 1, "repeats after a time-out")


@case
def proof_of_no_key_twice(t: T) -> None:
    """Two creates that were carried out for one label are found."""
    made = call("POST", 100, 150, committed=True)
    must_fail(t, "a second create", lambda: verify_no_key_twice([made, call("POST", 300, None, committed=True)], []))
    verify_no_key_twice([made, call("POST", 300, 350)], [])


@case
def proof_of_kills_in_flight(t: T) -> None:
    """A kill counts as in flight only with a job or an open call at that moment."""
    ledger = [call("POST", 100, 150), call("GET", 500, None)]
    jobs = [Job(2, 190, 210), Job(7, 40, 60)]
    kills = [Kill(120, "packet-gateway", 1), Kill(160, "packet-gateway", 1), Kill(120, "worker", 2),
             Kill(200, "worker", 2), Kill(200, "worker", 7), Kill(50, "watcher", 3)]
    got = summary(kills, jobs, ledger)
    t.equal((got["in flight"], got["gateway within a POST"]), (3, 1), "in flight, within a POST")
    t.equal(len(open_calls(ledger, 10_000)), 1, "a call that is never answered stays open")


@case
def proof_of_counts(t: T) -> None:
    """List, watch, Lease and Event requests are apart; a request about another object is not this one's."""
    def request(verb: str, resource: str, namespace: str = "n", name: str = "x") -> Request:
        return Request("u", verb, resource, namespace, name, 200, "")
    t.check(all(r.apart() for r in (request("list", "infrastructures"), request("watch", "infrastructures"),
                                    request("create", "events"), request("update", "leases"))), "background requests")
    t.check(not request("patch", "infrastructures/status").apart(), "a status patch is not background")
    t.check(request("get", "clusters", "", "n").about("n", "x"), "the Cluster belongs to the object")
    t.check(not request("patch", "infrastructures", "other").about("n", "x"), "another object's patch")


@case
def proof_of_sanitizer_reports(t: T) -> None:
    """What ASan and UBSan print is recognised."""
    for line in ("==1==ERROR: AddressSanitizer: heap-use-after-free on", "a.c:3:4: runtime error: signed integer overflow"):
        t.check(SANITIZER.search(line), line)
