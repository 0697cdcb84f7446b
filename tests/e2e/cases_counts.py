"""Cases that count requests where they arrive: Kubernetes' by the API server's audit log, Packet's by the ledger."""

from __future__ import annotations

import time
from typing import Callable

from .audit import Request
from .harness import T, case
from .shoot import NAME, Shoot, new_key

KUBERNETES_LIMIT = 5


def count(t: T, shoot: Shoot, action: Callable[[], None], calls: list[str]) -> None:
    """Does the action and checks what it cost; prints the numbers, background requests apart."""
    mark, packet = t.kube.audit.mark(), len(t.packet.ledger())
    action()
    time.sleep(0.3)      # whatever comes after the last write would be one request too many, so give it time to come
    seen = t.kube.audit.requests(t.kube.user, mark)
    own = [r for r in seen if not r.apart() and r.about(shoot.namespace, NAME)]
    others = [r for r in seen if not r.apart() and r not in own]
    apart = {v: sum(1 for r in seen if r.apart() and v in (r.verb, r.resource)) for v in ("list", "watch", "leases", "events")}
    print(f"      {t.name}: {len(own)} Kubernetes requests ({summary(own)}), apart: {apart}; Packet: {t.packet.calls(packet)}")
    t.check(own, "the audit log shows nothing about the object")
    t.check(len(own) <= KUBERNETES_LIMIT, f"{len(own)} Kubernetes requests: {[str(r) for r in own]}")
    t.equal([str(r) for r in own if r.code >= 400], [], "refused requests")
    t.equal([str(r) for r in others], [], "requests about something else")
    t.check(calls == t.packet.calls(packet), f"Packet calls {t.packet.calls(packet)}, wanted {calls}")


def summary(requests: list[Request]) -> str:
    return ", ".join(f"{r.verb} {r.resource}" for r in requests)


@case
def requests_of_a_create(t: T) -> None:
    """At most 5 Kubernetes requests and exactly 2 Packet calls for a create."""
    t.start()
    t.barrier()
    s = t.shoot()
    s.make_namespace()
    s.make_secret({"apiToken": s.token, "projectID": s.project})
    s.make_cluster()

    def action() -> None:
        s.make_infrastructure()
        s.wait_state("Succeeded")
    count(t, s, action, ["GET project-keys", "POST project-keys"])


@case
def requests_of_a_reconcile(t: T) -> None:
    """At most 5 Kubernetes requests and exactly 1 Packet call for a reconcile that finds nothing to do."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    t.barrier()          # a change that meets the last run still ending is read afresh, which is one request more
    count(t, s, lambda: t.reconcile(s), OneRead())


class OneRead(list):
    """A no-op may look at the list or at the key by its id: one read in either case."""

    def __eq__(self, other: object) -> bool:
        return other in (["GET project-keys"], ["GET key"])

    def __repr__(self) -> str:
        return "one read of the list or of the key"


@case
def requests_of_a_rotation(t: T) -> None:
    """At most 5 Kubernetes requests and exactly 2 Packet calls when the public key has changed."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    t.barrier()

    def action() -> None:
        since = int(s.get()["metadata"]["resourceVersion"])
        s.set_key(new_key(), "reconcile")
        t.wait_run(s, since)
    count(t, s, action, ["GET project-keys", "PUT key"])


@case
def requests_of_a_delete(t: T) -> None:
    """At most 5 Kubernetes requests and exactly 1 Packet call for a delete."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    t.barrier()

    def action() -> None:
        s.delete()
        s.wait_gone()
    count(t, s, action, ["DELETE key"])


@case(kubernetes=(45,))
def idle_is_silent(t: T) -> None:
    """With nothing to do the program asks nothing about its objects and calls nothing in Packet."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    mark, packet = t.kube.audit.mark(), len(t.packet.ledger())
    time.sleep(2)
    t.equal([str(r) for r in t.kube.audit.requests(t.kube.user, mark) if not r.apart()], [], "Kubernetes requests while idle")
    t.equal(t.packet.calls(packet), [], "Packet calls while idle")
