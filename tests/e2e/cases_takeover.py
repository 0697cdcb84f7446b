"""Taking over a seed from the Go extension: objects exactly as it leaves them, found by a program that starts afterwards."""

from __future__ import annotations

import base64
import json

from .cases_basic import check_succeeded
from .harness import T, case
from .procs import wait_for
from .shoot import FINALIZER, NAME, PROVIDER_API, Shoot


def terraform_state(version: int, key: str) -> dict:
    """What its Terraform leaves, in the two forms there were, as its RawState packs it (contract gardener 7.3)."""
    outputs = {"key_pair_id": {"value": key, "type": "string", "sensitive": False}}
    inner = {"version": version, "terraform_version": "0.12.31" if version == 4 else "0.11.15", "serial": 1,
             **({"outputs": outputs, "resources": []} if version == 4 else {"modules": [{"path": ["root"], "outputs": outputs}]})}
    return {"data": base64.b64encode(json.dumps(inner).encode()).decode(), "encoding": "base64"}


def left_by_go(t: T, version: int) -> tuple[Shoot, str]:
    """A Succeeded Infrastructure with finalizer, Terraform's state and the key, and nothing of ours."""
    s = t.shoot()
    key = t.packet.put_key(s.label, s.key)
    s.create()
    s.patch({"metadata": {"finalizers": [FINALIZER]}})
    s.client.patch("Infrastructure", s.namespace, NAME, {"status": {
        "observedGeneration": 1, "state": terraform_state(version, key),
        "lastOperation": {"type": "Create", "state": "Succeeded", "progress": 100, "lastUpdateTime": "2026-01-01T00:00:00Z",
                          "description": "Successfully reconciled infrastructure"},
        "providerStatus": {"apiVersion": PROVIDER_API, "kind": "InfrastructureStatus", "sshKeyID": key}}}, "/status")
    return s, key


@case(gardener=(56,))
def take_over_from_the_go_extension(t: T) -> None:
    """Succeeded objects are left alone at the start; the first reconcile adopts all: nothing made or deleted, the id stays, only tags are written."""
    t.start_packet()
    left = [left_by_go(t, version) for version in (3, 4, 4)]
    before = {s.namespace: s.get()["metadata"]["resourceVersion"] for s, _ in left}
    t.start()
    t.barrier()
    t.equal({s.namespace: s.get()["metadata"]["resourceVersion"] for s, _ in left}, before, "the objects before anybody asked")
    mark = len(t.packet.ledger())
    for s, key in left:
        s.annotate("reconcile")
        s.wait_state("Succeeded", "Reconcile")
        t.equal(check_succeeded(t, s, "Reconcile"), key, "id")
        t.equal([(k["id"], k["key"]) for k in t.keys(s)], [(key, s.key)], "keys of the project")
        state = {k: v for k, v in s.status()["state"].items() if v}      # attempts may stay, empty
        t.equal((sorted(state), state["id"]), (["fingerprint", "id", "label", "project"], key), "our state")
    t.equal(set(t.packet.calls(mark)) - {"GET project-keys", "GET key"}, {"PUT key"}, "what was changed in Packet")
    t.equal(t.packet.calls(mark).count("PUT key"), len(left), "PUTs")
    mark = len(t.packet.ledger())
    left[0][0].annotate("reconcile")
    wait_for("a second reconcile", lambda: "GET project-keys" in t.packet.calls(mark) and not left[0][0].get()["metadata"].get(
        "annotations", {}).get("gardener.cloud/operation"))
    t.check("PUT key" not in t.packet.calls(mark), "the second reconcile writes again")
    s, key = left[1]
    s.delete()
    s.wait_gone()
    t.equal(t.keys(s), [], "keys of the one that was deleted")
