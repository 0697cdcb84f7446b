"""Cases of moving to another seed and of force deletion: the ways on which an object's end is not the key's end (gardener 46-58).

The other seed is the same API server: the Infrastructure is made anew with the state that gardenlet carried over.
"""

from __future__ import annotations

import base64
import json

from .cases_basic import check_succeeded
from .harness import T, case
from .procs import wait_for
from .shoot import FINALIZER, NAME, OPERATION, Shoot

FORCE = "confirmation.gardener.cloud/force-deletion"


def finalizers(obj: dict) -> list[str]:
    return obj["metadata"].get("finalizers") or []


def operation(obj: dict) -> str | None:
    return (obj["metadata"].get("annotations") or {}).get(OPERATION)


def last(obj: dict) -> dict:
    return obj.get("status", {}).get("lastOperation", {})


def migrated(t: T, s: Shoot) -> dict:
    """The object after gardenlet has asked for its migration and seen it done."""
    s.annotate("migrate")
    return wait_for("the migration", lambda: (o := s.get()) and (last(o).get("type"), last(o).get("state")) == ("Migrate", "Succeeded")
                    and not finalizers(o) and not operation(o) and o)


def moved_away(t: T) -> tuple[Shoot, str, dict]:
    """A Shoot whose object has left the old seed, the id of its key, and the state that gardenlet carries over."""
    s = t.shoot().create()
    s.wait_state("Succeeded")
    key = s.key_id()
    state = migrated(t, s)["status"]["state"]
    s.delete()
    s.wait_gone()
    return s, key, state


def check_arrived(t: T, s: Shoot, key: str) -> None:
    s.wait_state("Succeeded", "Restore")
    t.equal(check_succeeded(t, s, "Restore"), key, "id after the restore")
    t.equal(t.packet.calls().count("POST project-keys"), 1, "POSTs")


def arrive(s: Shoot, state: dict | None) -> None:
    """The object on the other seed: made to wait, given its state, then to be restored."""
    s.make_infrastructure(annotations={OPERATION: "wait-for-state"})
    if state is not None:
        s.client.patch("Infrastructure", s.namespace, NAME, {"status": {"state": state}}, "/status")
    s.annotate("restore")


def since(t: T, s: Shoot, kind: str) -> list[dict]:
    """The versions from the first one of that type of operation on."""
    versions = t.recorder.whole(s.namespace, NAME)
    return versions[next(i for i, v in enumerate(versions) if last(v).get("type") == kind):]


@case(gardener=(49, 50, 51, 52, 58, 78))
def migrate(t: T) -> None:
    """Migrate: no call, Processing, Succeeded, then finalizer and annotation go in one write; afterwards it is left alone, its key stays."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    key, before, calls = s.key_id(), s.status(), len(t.packet.ledger())
    obj = migrated(t, s)
    t.equal(obj["status"]["state"], before["state"], "state after the migration")
    t.check(t.packet.token not in json.dumps(obj["status"]), "the token is in the status")
    steps = [(last(v)["state"], FINALIZER in finalizers(v), operation(v)) for v in since(t, s, "Migrate")]
    t.equal([x for i, x in enumerate(steps) if not i or steps[i - 1] != x],
            [("Processing", True, "migrate"), ("Succeeded", True, "migrate"), ("Succeeded", False, None)],
            "the order of its writes")
    t.equal({last(v)["description"] for v in since(t, s, "Migrate")[:1]}, {"Starting migration of the Infrastructure"}, "text")
    s.annotate("reconcile")
    s.delete()
    s.wait_gone()
    t.barrier()
    t.equal([k["id"] for k in t.keys(s)], [key], "the key")
    t.equal(len(t.packet.ledger()), calls + 2, "calls to Packet, two of them the barrier's")


@case(gardener=(53, 54))
def restore_with_state(t: T) -> None:
    """Restore with the state that was carried over: finalizer, Processing, annotation off, Succeeded, the same key and no POST."""
    t.start()
    s, key, state = moved_away(t)
    arrive(s, state)
    check_arrived(t, s, key)
    versions = since(t, s, "Restore")
    t.equal((last(versions[0])["state"], last(versions[0])["description"], FINALIZER in finalizers(versions[0])),
            ("Processing", "Restoring the Infrastructure", True), "the first write of the restore")
    t.equal(operation(versions[-1]), None, "annotation at the end")


@case(gardener=(55,))
def restore_without_state(t: T) -> None:
    """Restore without any state takes an identical key over, and makes none."""
    t.start()
    s, key, _ = moved_away(t)
    arrive(s, None)
    check_arrived(t, s, key)


@case(gardener=(56,))
def restore_from_terraform(t: T) -> None:
    """The Go extension's Terraform state, packed or plain, is taken over: its key stays; an empty or broken one is no obstacle."""
    t.start()
    inner = json.dumps({"version": 4, "outputs": {"key_pair_id": {"value": "ID", "type": "string"}}, "resources": []})

    def packed(text: str) -> dict:
        return {"data": base64.b64encode(text.encode()).decode(), "encoding": "base64"}
    forms = [lambda i: packed(inner.replace("ID", i)), lambda i: {"data": inner.replace("ID", i), "encoding": "none"},
             lambda i: packed(""), lambda i: {"data": "{broken", "encoding": "none"}]
    for form in forms:
        s = t.shoot()
        made = t.packet.put_key(s.label, s.key)
        s.make_namespace()
        s.make_secret({"apiToken": s.token, "projectID": s.project})
        s.make_cluster()
        arrive(s, form(made))
        s.wait_state("Succeeded", "Restore")
        t.equal(check_succeeded(t, s, "Restore"), made, "id")
    t.check("POST project-keys" not in t.packet.calls(), "a key was posted")


@case(gardener=(57,))
def restore_that_fails_at_first(t: T) -> None:
    """While a restore fails it stays one: type Restore in each Error, the annotation is kept or the type remembered; it heals by itself."""
    t.start()
    s = t.shoot()
    made = t.packet.put_key(s.label, s.key)
    s.make_namespace()
    s.make_cluster()
    arrive(s, None)                  # no Secret yet
    s.wait_state("Error", "Restore")
    s.make_secret({"apiToken": s.token, "projectID": s.project})
    s.wait_state("Succeeded", "Restore")
    t.equal(check_succeeded(t, s, "Restore"), made, "id")
    kinds = {last(v).get("type") for v in t.recorder.versions(s.namespace, NAME)} - {None}
    t.equal(kinds, {"Restore"}, "types shown")


@case(gardener=(46, 47))
def force_deletion(t: T) -> None:
    """Credentials that are broken hold a deletion up, unless the Shoot is annotated for force deletion with a true value."""
    t.start()
    stuck, forced = t.shoot().create(), t.shoot().create()
    for s, value in ((stuck, "yes"), (forced, "TRUE")):
        s.wait_state("Succeeded")
        shoot = {"metadata": {"annotations": {FORCE: value}}}
        t.client.patch("Cluster", "", s.namespace, {"spec": {"shoot": shoot}})
        s.make_secret({"apiToken": "wrong-" + s.namespace, "projectID": s.project})
        s.patch({"metadata": {"annotations": {FORCE: "true"}}})     # on the Infrastructure it means nothing
        s.delete()
    forced.wait_gone()
    t.check_error(stuck.wait_state("Error", "Delete"), "Delete", "Error deleting Infrastructure", ["ERR_INFRA_UNAUTHENTICATED"])
    t.check(FINALIZER in finalizers(stuck.get()), "the finalizer is gone")
    t.equal(len(t.keys(forced)), 1, "keys of the one that was forced")
    told = wait_for("an Event that says so", lambda: [e for e in t.client.list("Event", forced.namespace)["items"]
                                                      if e["reason"] == "ForceDeletion"])
    t.check(t.keys(forced)[0]["id"] in told[0]["message"], f"the Event does not name the key: {told[0]['message']}")
    stuck.make_secret({"apiToken": stuck.token, "projectID": stuck.project})
    stuck.wait_gone()
    t.equal(t.keys(stuck), [], "keys of the other one")


@case(gardener=(41,))
def deletion_without_our_finalizer(t: T) -> None:
    """An object that is being deleted and has only another's finalizer is not touched."""
    t.start_packet()
    s = t.shoot().create()
    s.patch({"metadata": {"finalizers": ["example.org/other"]}})
    s.delete()
    t.start()
    t.barrier()
    t.check(not s.get().get("status") and finalizers(s.get()) == ["example.org/other"], f"it was touched: {s.get()}")
    t.equal(t.keys(s), [], "keys")
    s.patch({"metadata": {"finalizers": None}})
    s.wait_gone()


@case(gardener=(40,))
def hibernated_shoot(t: T) -> None:
    """A hibernated Shoot's object is dealt with like any other."""
    t.start()
    s = t.shoot()
    s.make_namespace()
    s.make_secret({"apiToken": s.token, "projectID": s.project})
    s.make_cluster()
    t.client.patch("Cluster", "", s.namespace, {"spec": {"shoot": {"spec": {"hibernation": {"enabled": True}},
                                                                   "status": {"hibernated": True}}}})
    s.make_infrastructure()
    s.wait_state("Succeeded")
    check_succeeded(t, s)
    s.delete()
    s.wait_gone()
    t.equal(t.keys(s), [], "keys")
