"""Cases of drift: what somebody changes at Packet is found by itself, put right and told; finding nothing writes nothing."""

from __future__ import annotations

import time

from .cases_basic import check_succeeded
from .harness import T, case
from .procs import wait_for
from .shoot import NAME, Shoot, new_key

SOON = ("--drift-check-interval-seconds=1",)


def told(t: T, s: Shoot, reason: str, words: str) -> dict:
    """The object's Event of that reason whose message has the words."""
    def probe() -> dict | None:
        events = t.client.list("Event", s.namespace)["items"]
        return next((e for e in events if e["reason"] == reason and words in e["message"]), None)
    return wait_for(f"an Event {reason} with {words!r}", probe)


def put_right(t: T, s: Shoot, what: str, change) -> str:
    """The change is found and repaired by one whole run, and an Event says what it was. Returns the key's id."""
    since = int(s.get()["metadata"]["resourceVersion"])
    change()
    t.wait_run(s, since)
    told(t, s, "SSHKeyDrift", what)
    return check_succeeded(t, s, "Reconcile")


@case(gardener=(33,), patient=True)     # a key made a moment ago counts as there for ten seconds, whatever lists say
def drift_is_put_right(t: T) -> None:
    """A key that is removed, gets other material, another label, or a second one beside it: as it was within the interval."""
    t.start(flags=SOON)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    first = check_succeeded(t, s)
    second = put_right(t, s, f"SSH key {first} is not there any more", lambda: t.packet.delete_key(first))
    t.check(second != first, "the id is the removed key's")
    put_right(t, s, "with another public key", lambda: t.packet.alter_key(second, key=new_key()))
    put_right(t, s, "has another label", lambda: t.packet.alter_key(second, label="somebody's"))
    t.equal(s.key_id(), second, "id after changes in place")
    t.check_never(s, "Error")


@case
def drift_finds_nothing(t: T) -> None:
    """A check of what is as it was left reads thrice in Kubernetes and once in Packet, and writes nothing."""
    t.start(flags=SOON)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    t.barrier()
    mark, calls = t.kube.audit.mark(), len(t.packet.ledger())
    wait_for("three checks", lambda: len(t.packet.ledger()) >= calls + 3)
    seen = [r for r in t.kube.audit.requests(t.kube.user, mark) if not r.apart() and r.about(s.namespace, NAME)]
    t.equal([str(r) for r in seen if r.verb != "get"], [], "what was not only read")
    t.check(len(seen) <= 3 * (len(t.packet.ledger()) - calls + 1), f"{len(seen)} requests for {len(t.packet.ledger()) - calls} checks")
    t.equal(set(t.packet.calls(calls)), {"GET project-keys"}, "Packet calls")
    check_succeeded(t, s)
    t.equal([e["reason"] for e in t.client.list("Event", s.namespace)["items"] if "rift" in e["reason"]], [], "Events")


@case(patient=True)
def drift_check_that_fails(t: T) -> None:
    """No credentials, or no answer: an Event, nothing written; a later check is as before."""
    t.start(flags=SOON)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    version = s.get()["metadata"]["resourceVersion"]
    s.client.delete("Secret", s.namespace, "cloudprovider")
    told(t, s, "DriftCheckFailed", "the next check comes by itself")
    t.equal(s.get()["metadata"]["resourceVersion"], version, "the object's version")
    s.make_secret({"apiToken": s.token, "projectID": s.project})
    key = s.key_id()
    put_right(t, s, f"SSH key {key} is not there any more", lambda: t.packet.delete_key(key))


@case
def drift_is_switched_off(t: T) -> None:
    """With an interval of 0 nobody looks."""
    t.start(flags=("--drift-check-interval-seconds=0",))
    s = t.shoot().create()
    s.wait_state("Succeeded")
    t.barrier()
    calls = len(t.packet.ledger())
    t.packet.delete_key(s.key_id())
    time.sleep(3)
    t.equal(t.packet.calls(calls), [], "Packet calls")
