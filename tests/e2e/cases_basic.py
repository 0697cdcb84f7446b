"""Cases of the main job: create, reconcile, rotate, delete, as gardenlet asks for them (default mode, annotations)."""

from __future__ import annotations

import base64

from .gardenlet import not_ready
from .harness import T, case
from .kubeclient import kubectl, load_yaml
from .procs import REPO, wait_for
from .shoot import CONFIRM, FINALIZER, NAME, OPERATION, PROVIDER_API, TIMESTAMP, Shoot, new_key


def check_succeeded(t: T, shoot: Shoot, kind: str | None = "Create") -> str:
    """Everything a Succeeded object must show (kind None: of whatever type the last run was); returns the id of its key."""
    obj = shoot.get()
    status, meta = obj["status"], obj["metadata"]
    op = status["lastOperation"]
    text = "Successfully restored Infrastructure" if kind == "Restore" else "Successfully reconciled infrastructure"
    t.equal((op["type"], op["state"], op["progress"], op["description"]), (kind or op["type"], "Succeeded", 100, text), "lastOperation")
    t.check("lastError" not in status, "lastError is still there")
    t.equal(not_ready(obj), "", "what gardenlet says")
    t.equal(status["observedGeneration"], meta["generation"], "observedGeneration")
    t.check(FINALIZER in meta["finalizers"], "finalizer")
    t.check(OPERATION not in meta.get("annotations", {}), "operation annotation is still there")
    t.check(isinstance(status.get("state"), dict), f"state is no object: {status.get('state')!r}")
    for field in ("lastErrors", "nodesCIDR", "egressCIDRs", "networking", "conditions"):
        t.check(field not in status, f"status.{field} was written")
    keys = t.keys(shoot)
    t.equal(len(keys), 1, "number of keys")
    t.equal(keys[0]["label"], shoot.label, "label of the key")
    t.equal(keys[0]["key"].strip(), shoot.key, "material of the key")
    t.equal(status["providerStatus"], {"apiVersion": PROVIDER_API, "kind": "InfrastructureStatus",
                                       "sshKeyID": keys[0]["id"]}, "providerStatus")
    t.check(keys[0]["id"] in str(status["state"]), "the key's id is not in status.state")
    return keys[0]["id"]


@case(gardener=(3, 5, 6, 7, 8, 18, 19, 21, 22, 28, 31, 32, 33), packet=("C-21",), kubernetes=(39, 40))
def create(t: T) -> None:
    """A new object becomes Succeeded with exactly the status of gardener 11.6, one key with the label, nothing else."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded", "Create")
    check_succeeded(t, s)
    wait_for("the last version to be recorded",
             lambda: "Create/Succeeded" in t.recorder.operations(s.namespace, NAME), seconds=10)
    t.equal(t.recorder.operations(s.namespace, NAME), ["none", "Create/Processing", "Create/Succeeded"], "steps")
    t.equal(t.packet.calls(), ["GET project-keys", "POST project-keys"], "Packet calls")
    first = next(v for v in t.recorder.versions(s.namespace, NAME) if v["metadata"].get("finalizers"))
    t.check("status" not in first, "the finalizer was not the first write")
    processing = next(v for v in t.recorder.versions(s.namespace, NAME) if v.get("status"))
    t.equal(processing["status"]["lastOperation"]["description"], "Reconciling the infrastructure", "text of Processing")
    t.check("observedGeneration" not in processing["status"], "Processing wrote observedGeneration")


@case(gardener=(12, 42), packet=("C-26",), kubernetes=(39,))
def delete(t: T) -> None:
    """Confirmation and DELETE: key gone, the three steps of gardener 2.6 in their order, object gone."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    other = t.shoot().create()
    other.wait_state("Succeeded")
    s.delete()
    s.wait_gone()
    t.equal(t.keys(s), [], "keys of the deleted object")
    wait_for("the last version to be recorded",
             lambda: "Delete/Succeeded" in t.recorder.operations(s.namespace, NAME), seconds=10)
    t.equal(t.recorder.operations(s.namespace, NAME)[-3:], ["Create/Succeeded", "Delete/Processing", "Delete/Succeeded"],
            "steps")
    texts = [v["status"]["lastOperation"]["description"] for v in t.recorder.versions(s.namespace, NAME)
             if v.get("status", {}).get("lastOperation", {}).get("type") == "Delete"]
    t.equal((texts[0], texts[-1]), ("Deleting the Infrastructure", "Successfully deleted Infrastructure"), "texts")
    check_succeeded(t, other)


@case(gardener=(42,), kubernetes=(38,))
def delete_keeps_foreign_finalizer(t: T) -> None:
    """Only the own finalizer is taken off; somebody else's keeps the object."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    s.patch({"metadata": {"finalizers": ["example.org/other", FINALIZER]}})
    s.delete()
    wait_for("the own finalizer to go", lambda: s.get()["metadata"]["finalizers"] == ["example.org/other"])
    t.equal(t.keys(s), [], "keys")
    s.patch({"metadata": {"finalizers": None}})
    s.wait_gone()


@case(gardener=(43,), packet=("C-27",))
def delete_when_key_is_gone(t: T) -> None:
    """A key that somebody removed already counts as deleted."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    t.packet.delete_key(s.key_id())
    s.delete()
    s.wait_gone()
    t.check_never(s, "Error")


@case(gardener=(34,), packet=("C-24",))
def rotate_key(t: T) -> None:
    """A new key with the annotation: the same id, the new material, the old material gone."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    before = check_succeeded(t, s)
    old = s.key
    s.set_key(new_key(), "reconcile")
    s.wait_state("Succeeded", "Reconcile")
    t.equal(check_succeeded(t, s, "Reconcile"), before, "id after the rotation")
    t.check(not any(k["key"].strip() == old for k in t.packet.keys()), "the old key is still there")


@case(gardener=(4, 10, 11, 17, 27, 29, 30), kubernetes=(46,))
def reconcile_without_change(t: T) -> None:
    """The reconcile annotation without a change: it goes before any status write, the timestamp and other annotations
    stay, the id stays, no second key."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    before = check_succeeded(t, s)
    t.reconcile(s, **{"example.org/mine": "stays"})
    t.equal(check_succeeded(t, s, "Reconcile"), before, "id")
    meta = s.get()["metadata"]
    t.equal(meta["annotations"].get("example.org/mine"), "stays", "a foreign annotation")
    t.check(TIMESTAMP in meta["annotations"], "the timestamp annotation was removed")
    for v in t.recorder.versions(s.namespace, NAME):
        if v.get("status", {}).get("lastOperation", {}).get("type") == "Reconcile":
            t.check(OPERATION not in v["metadata"].get("annotations", {}), "a status was written before the annotation went")
    stamp = meta["annotations"][TIMESTAMP][:19]
    t.check(s.status()["lastOperation"]["lastUpdateTime"][:19] >= stamp, "lastUpdateTime lies before the timestamp annotation")


@case(gardener=(9,))
def spec_change_waits_for_annotation(t: T) -> None:
    """In default mode a changed spec alone starts nothing; the next reconcile annotation applies it."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    old = s.key
    s.set_key(new_key())
    t.barrier()
    t.equal(t.recorder.operations(s.namespace, NAME), ["none", "Create/Processing", "Create/Succeeded"], "steps")
    t.check(any(k["key"].strip() == old for k in t.packet.keys()), "the key was changed without being asked")
    t.reconcile(s)
    check_succeeded(t, s, "Reconcile")


@case(gardener=(16,))
def spec_change_in_ignore_mode(t: T) -> None:
    """With --ignore-operation-annotation=true a changed generation is enough, and a reconcile annotation is still removed."""
    t.start(annotation_mode=False)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    s.set_key(new_key(), "reconcile")
    s.wait_state("Succeeded", "Reconcile")
    check_succeeded(t, s, "Reconcile")


@case(gardener=(15,))
def wait_for_state_is_left_alone(t: T) -> None:
    """An object annotated wait-for-state: no finalizer, no status, no annotation change, no call; later it restores."""
    t.start()
    s = t.shoot().create(annotations={OPERATION: "wait-for-state"})
    t.barrier()
    t.check_untouched(s)
    t.equal(s.get()["metadata"]["annotations"][OPERATION], "wait-for-state", "annotation")
    s.annotate("reconcile")
    s.wait_state("Succeeded")
    check_succeeded(t, s)


@case(gardener=(14, 48))
def failed_shoot_is_left_alone(t: T) -> None:
    """While the Shoot is Failed nothing is written and nothing is sent, not even for a deletion."""
    t.start()
    s = t.shoot().create(shoot_state="Failed")
    deleted = t.shoot().create()
    deleted.wait_state("Succeeded")
    deleted.set_shoot_state("Failed")
    deleted.delete()
    t.barrier()
    t.check_untouched(s)
    t.equal(len(t.keys(deleted)), 1, "keys of the failed Shoot that is being deleted")
    t.check("Delete/Processing" not in t.recorder.operations(deleted.namespace, NAME), "the deletion began")
    for shoot in (s, deleted):
        shoot.set_shoot_state("Succeeded")
        shoot.annotate("reconcile")
    s.wait_state("Succeeded")
    deleted.wait_gone()


@case(gardener=(1, 2))
def other_types_and_classes_are_left_alone(t: T) -> None:
    """spec.type other than packet, and classes other than shoot, are somebody else's; class shoot is ours."""
    t.start()
    ours = t.shoot().create(**{"class": "shoot"})
    others = [t.shoot().create(type="aws"), t.shoot().create(**{"class": "seed"}), t.shoot().create(type="Packet")]
    ours.wait_state("Succeeded")
    t.barrier()
    for s in others:
        t.check_untouched(s)


@case
def existing_key_is_adopted(t: T) -> None:
    """A key with the wanted label and material that is in the project already is taken over, not made again."""
    t.start()
    s = t.shoot()
    made = t.packet.put_key(s.label, s.key)
    s.create()
    s.wait_state("Succeeded")
    t.equal(check_succeeded(t, s), made, "id")
    t.check("POST project-keys" not in t.packet.calls(), "a key was posted")


@case(gardener=(10, 13))
def restart_changes_nothing(t: T) -> None:
    """After a restart of the program a Succeeded object is left as it is, and work goes on."""
    first = t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    before = s.get()["metadata"]["resourceVersion"]
    first.stop()
    calls = len(t.packet.ledger())
    t.start()
    t.barrier()
    t.equal(s.get()["metadata"]["resourceVersion"], before, "resourceVersion of the object")
    t.equal(t.packet.calls(calls), ["GET project-keys", "POST project-keys"], "calls (all of the barrier's object)")


@case(gardener=(13,))
def created_while_away(t: T) -> None:
    """Objects created, rotated and deleted while no program runs are dealt with at the next start."""
    first = t.start()
    gone, kept = t.shoot().create(), t.shoot().create()
    gone.wait_state("Succeeded")
    kept.wait_state("Succeeded")
    first.stop()
    fresh = t.shoot().create()
    gone.delete()
    kept.set_key(new_key(), "reconcile")
    t.start()
    fresh.wait_state("Succeeded")
    gone.wait_gone()
    kept.wait_state("Succeeded", "Reconcile")
    check_succeeded(t, kept, "Reconcile")
    t.equal(t.keys(gone), [], "keys of the deleted object")


@case(gardener=(59,))
def with_leader_election(t: T) -> None:
    """With leader election the Lease is held by the program before the first write, and everything works."""
    t.start(leader_election=True)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    lease = t.client.get("Lease", "garden", "provider-packet-leader-election")
    t.check(lease and lease["spec"].get("holderIdentity"), f"the Lease is {lease and lease['spec']}")
    check_succeeded(t, s)


@case
def kubectl_example(t: T) -> None:
    """Unmodified kubectl applies the example, waits, prints, annotates and deletes; example/30-infrastructure.yaml works."""
    program = t.kube.kubectl
    example = REPO / "example/30-infrastructure.yaml"
    objects = load_yaml(example)
    secret = next(o for o in objects if o["kind"] == "Secret")
    t.start_packet()
    token, project = (base64.b64decode(secret["data"][k]).decode() for k in ("apiToken", "projectID"))
    t.packet.admin("POST", "projects", {"id": project})
    t.packet.admin("POST", "tokens", {"token": token})
    t.start(annotation_mode=False)

    def k(*args: str) -> str:
        return kubectl(program, t.kube.admin_kubeconfig, *args)
    s = Shoot(t.client, "shoot--foobar--packet", token, project)
    t.shoots.append(s)
    k("apply", "-f", str(example))
    k("wait", "-n", s.namespace, "infrastructure/infrastructure", "--timeout=60s",
      "--for=jsonpath={.status.lastOperation.state}=Succeeded")
    s.key = base64.b64decode(next(o for o in objects if o["kind"] == "Infrastructure")["spec"]["sshPublicKey"]).decode()
    before = check_succeeded(t, s)
    columns = k("get", "infra", "-n", s.namespace).splitlines()
    t.equal(columns[0].split(), ["NAME", "TYPE", "REGION", "STATUS", "AGE"], "columns of kubectl get")
    t.equal(columns[1].split()[:4], ["infrastructure", "packet", "ewr1", "Succeeded"], "row of kubectl get")
    t.check(before in k("get", "infra", "-n", s.namespace, "infrastructure", "-o", "yaml"), "id in kubectl get -o yaml")
    k("apply", "-f", str(example))
    k("annotate", "infra", "-n", s.namespace, "infrastructure", f"{CONFIRM}=true")
    k("delete", "infra", "-n", s.namespace, "infrastructure", "--timeout=60s")
    t.equal(t.keys(s), [], "keys after kubectl delete")
    t.check(s.get() is None, "the object is still there")
