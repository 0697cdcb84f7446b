"""Rows of requests: counted where they arrive, by the API server's audit log and the Packet simulator's ledger."""

from __future__ import annotations

import time
from collections import Counter
from typing import Callable

from e2e.shoot import NAME, Shoot

from .rig import Rig, Session
from .table import Row, Table

KUBERNETES = {"create": 5, "no-op": 5, "delete": 5}
PACKET = {"create": 2, "no-op": 1, "delete": 1}
SETTLE_S = 0.4     # a request after the last write would be one too many; give it time to come


def requests(rig: Rig, table: Table) -> None:
    """Kubernetes requests and Packet calls for a create, a no-op reconcile and a delete."""
    actions = {"create": Session.create_and_wait, "no-op": Session.reconcile_and_wait, "delete": Session.delete_and_wait}
    shoots = rig.shoots(rig.size(10, 3))
    with rig.session() as session:
        for name, action in actions.items():
            count_all(rig, table, session, shoots, name, action)


def count_all(rig: Rig, table: Table, session: Session, shoots: list[Shoot], name: str,
              action: Callable[[Session, Shoot], float]) -> None:
    mark, packet = rig.kube.audit.mark(), len(session.packet.ledger())
    for s in shoots:
        action(session, s)
    time.sleep(SETTLE_S)
    seen = rig.kube.audit.requests(rig.kube.user, mark)
    own = [r for r in seen if not r.apart() and any(r.about(s.namespace, NAME) for s in shoots)]
    other = [r for r in seen if not r.apart() and r not in own]
    refused = sum(1 for r in own if r.code == 409)
    note = (f"{summary(own, len(shoots))}; answered 409: {refused}; apart (for {len(shoots)}): "
            f"{apart(seen)}; about anything else: {len(other)}")
    table.add(Row(f"Kubernetes requests: {name}", [len(own) / len(shoots)], "", f"<= {KUBERNETES[name]}",
                  [KUBERNETES[name]], note=note))
    calls = session.packet.calls(packet)
    table.add(Row(f"Packet calls: {name}", [len(calls) / len(shoots)], "", str(PACKET[name]), [PACKET[name]],
                  note=", ".join(f"{n}x {c}" for c, n in Counter(calls).items())))


def summary(requests_: list, objects: int) -> str:
    found = Counter(f"{r.verb} {r.resource}" for r in requests_)
    return ", ".join(f"{n / objects:g}x {what}" for what, n in found.items())


def apart(seen: list) -> str:
    found = Counter(r.resource.split("/")[0] if r.resource.split("/")[0] in ("leases", "events") else r.verb
                    for r in seen if r.apart())
    return ", ".join(f"{n}x {what}" for what, n in found.items()) or "none"
