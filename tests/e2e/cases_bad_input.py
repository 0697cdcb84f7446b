"""Cases of bad input: each with the status, code or silence of gardener section 15, a retry by itself where it failed,
another object that is not disturbed, and no secret anywhere (the harness looks after every case)."""

from __future__ import annotations

import uuid

from .cases_basic import check_succeeded
from .harness import T, case
from .procs import wait_for
from .shoot import NAME, OPERATION, PROVIDER_API, Shoot, new_key

PHRASE = "Error reconciling infrastructure"
CONFIG_PHRASE = "Error checking infrastructure config"
RETRYABLE = {"ERR_RETRYABLE_INFRA_DEPENDENCIES"}


def failing(t: T, bad: Shoot, codes: list[str], *words: str, phrase: str = PHRASE) -> None:
    """The bad object shows its error while a good one beside it becomes Succeeded; nothing was made for the bad one."""
    good = t.shoot().create()
    obj = bad.wait_state("Error", "Create")
    t.check_error(obj, "Create", phrase, codes, *words)
    good.wait_state("Succeeded")
    check_succeeded(t, good)
    t.equal(t.keys(bad), [], "keys of the failing object")


def transient(t: T, bad: Shoot) -> None:
    """What was shown while it failed for a while: never a code that ends Gardener's own retries."""
    shown = t.recorder.codes(bad.namespace, NAME)
    t.check(shown <= RETRYABLE, f"codes shown for a transient failure: {sorted(shown)}")


def heals(t: T, bad: Shoot, kind: str = "Create") -> None:
    """It becomes Succeeded by itself, without a new event, still as its first creation."""
    bad.wait_state("Succeeded", kind, seconds=120)
    check_succeeded(t, bad, kind)


@case(gardener=(23, 25, 36, 80))
def secret_missing(t: T) -> None:
    """No Secret: Error without a code, naming the Secret; it is picked up by itself when the Secret appears."""
    t.start()
    s = t.shoot().create(secret={})
    failing(t, s, [], "cloudprovider")
    s.make_secret({"apiToken": s.token, "projectID": s.project})
    heals(t, s)


@case(gardener=(24, 36, 76))
def secret_without_token(t: T) -> None:
    """No apiToken: ERR_CONFIGURATION_PROBLEM, nothing is sent; heals when the Secret does."""
    secret_field(t, "apiToken")


@case(gardener=(36, 76))
def secret_without_project(t: T) -> None:
    """No projectID: ERR_CONFIGURATION_PROBLEM, nothing is sent; heals when the Secret does."""
    secret_field(t, "projectID")


def secret_field(t: T, field: str) -> None:
    t.start()
    s = t.shoot()
    data = {"apiToken": s.token, "projectID": s.project}
    s.create(secret={k: v for k, v in data.items() if k != field})
    s.wait_state("Error")
    t.equal(t.packet.calls(), [], "Packet calls")
    failing(t, s, ["ERR_CONFIGURATION_PROBLEM"], field)
    s.make_secret(data)
    heals(t, s)


@case(gardener=(76,), packet=("C-5",))
def secret_empty_or_malformed(t: T) -> None:
    """An empty token, a project id that is no UUID, control characters in the token: ERR_CONFIGURATION_PROBLEM, nothing sent."""
    t.start()
    bad = []
    for change in ({"apiToken": " \n"}, {"projectID": "not-a-uuid"}, {"apiToken": "to\r\nX-Injected: 1"}):
        s = t.shoot()
        bad.append(s.create(secret={"apiToken": s.token, "projectID": s.project, **change}))
    for s in bad:
        t.check_error(s.wait_state("Error"), "Create", PHRASE, ["ERR_CONFIGURATION_PROBLEM"])
    t.equal(t.packet.calls(), [], "Packet calls")
    t.barrier()


@case(gardener=(35,), packet=("C-5",))
def secret_with_whitespace(t: T) -> None:
    """Blanks and newlines around both values do no harm."""
    t.start()
    s = t.shoot()
    s.create(secret={"apiToken": f" {s.token}\n", "projectID": f"\t{s.project} \n"})
    s.wait_state("Succeeded")
    check_succeeded(t, s)
    t.check_never(s, "Error")


@case(gardener=(20, 24), packet=("C-33",))
def wrong_token(t: T) -> None:
    """401: ERR_INFRA_UNAUTHENTICATED; heals when the Secret holds a good token."""
    t.start()
    s = t.shoot(token="wrong-token-of-this-case")
    s.create()
    failing(t, s, ["ERR_INFRA_UNAUTHENTICATED"], "token")
    s.make_secret({"apiToken": t.packet.token, "projectID": s.project})
    heals(t, s)


@case(gardener=(76,), packet=("C-38",))
def unknown_project(t: T) -> None:
    """404 of the project: ERR_INFRA_UNAUTHORIZED, the text names the project; heals when the Secret does."""
    t.start()
    missing = str(uuid.uuid4())
    s = t.shoot(project=missing)
    s.create()
    failing(t, s, ["ERR_INFRA_UNAUTHORIZED"], missing)
    s.make_secret({"apiToken": s.token, "projectID": t.packet.project})
    heals(t, s)


@case(gardener=(39,), packet=("C-40",))
def api_down(t: T) -> None:
    """Nobody listens at the API: Error without a final code, then Succeeded by itself when it is back; one key."""
    t.start()
    ready = t.shoot().create()
    ready.wait_state("Succeeded")
    keys = t.packet.keys()
    t.packet.pause()
    s = t.shoot().create()
    wait_for("the object to be begun or to fail", lambda: s.status().get("lastOperation"))
    t.barrier_kubernetes()
    t.packet.resume()
    heals(t, s)
    transient(t, s)
    t.equal([k["id"] for k in t.packet.keys()][: len(keys)], [k["id"] for k in keys], "keys that were there before")


@case(gardener=(39,))
def api_answers_500(t: T) -> None:
    """500 to everything: no final code; Succeeded by itself afterwards, one key."""
    t.start()
    t.packet.fault({"status": 500}, count=6)
    s = t.shoot().create()
    heals(t, s)
    transient(t, s)


@case(gardener=(39,))
def api_answers_500_for_long(t: T) -> None:
    """500 without end: Error with a text that speaks of the API and no final code; another credential is not disturbed."""
    t.start()
    token = t.packet.add_token()
    t.packet.fault({"status": 500}, token=token)
    s = t.shoot(token=token).create()
    good = t.shoot().create()
    good.wait_state("Succeeded", seconds=120)
    obj = s.wait_state("Error", "Create", seconds=240)
    t.check(obj["status"]["lastOperation"]["description"].startswith(PHRASE), "text")
    transient(t, s)
    t.packet.clear_faults()
    heals(t, s)


@case(gardener=(30,), packet=("C-20", "S-22"))
def create_answers_500_after_commit(t: T) -> None:
    """The create is carried out but answers 500, or nothing: the key is found and adopted, never posted twice."""
    t.start(packet={"flags": ("--dup-check=off",)})
    shoots = []
    for fault in ({"status": 500, "commit": True}, {"fate": "reset", "commit": True}, {"status": 404, "commit": True}):
        t.packet.fault(fault, method="POST", count=1)
        shoots.append(t.shoot().create())
        heals(t, shoots[-1])
    t.equal(t.packet.calls().count("POST project-keys"), len(shoots), "number of POSTs")


def gauges(t: T) -> dict[str, int]:
    """The gateway's numbers, as packetctl --json shows them."""
    row = next(row for row in t.provider.status()["processes"] if row["role"] == "packet-gateway")
    return row.get("gauges", {})


@case(gardener=(39,), packet=("C-34", "S-26"))
def api_answers_429(t: T) -> None:
    """429 with Retry-After: waited for; no Error is shown at the first one, never a final code; one key."""
    t.start()
    t.packet.fault({"status": 429, "retryAfter": 1}, count=2)
    s = t.shoot().create()
    heals(t, s)
    t.equal(sorted(t.recorder.codes(s.namespace, NAME)), [], "codes shown")
    t.equal(t.packet.counters()["violations"]["duringPause"], 0, "requests sent while told to wait")
    wait_for("packetctl to count both 429s", lambda: gauges(t).get("refused") == 2)
    t.check("answered 429: 2 in" in t.provider.packetctl("status"), "packetctl status shows the 429s")


@case(gardener=(77,))
def provider_config_missing(t: T) -> None:
    """No providerConfig at all is fine."""
    t.start()
    s = t.shoot().create(providerConfig=None)
    s.wait_state("Succeeded")
    check_succeeded(t, s)


@case(gardener=(77,), kubernetes=(35,))
def provider_config_of_wrong_kind(t: T) -> None:
    """A wrong kind or apiVersion: ERR_CONFIGURATION_PROBLEM as a failed check, once; nothing is made; heals when it is corrected."""
    t.start()
    s = t.shoot().create(providerConfig={"apiVersion": PROVIDER_API, "kind": "WorkerConfig"})
    other = t.shoot().create(providerConfig={"apiVersion": "aws.provider.extensions.gardener.cloud/v1alpha1",
                                             "kind": "InfrastructureConfig"})
    failing(t, s, ["ERR_CONFIGURATION_PROBLEM"], "It is tried again when the Infrastructure changes.", phrase=CONFIG_PHRASE)
    t.equal(t.recorder.operations(s.namespace, NAME), ["none", "Create/Processing", "Create/Error"], "what it went through")
    t.check_error(other.wait_state("Error"), "Create", CONFIG_PHRASE, ["ERR_CONFIGURATION_PROBLEM"])
    posted = {e["body"]["label"] for e in t.packet.ledger() if e["method"] == "POST"}
    t.check(not posted & {s.label, other.label}, "a key was posted for a wrong providerConfig")
    s.patch({"spec": {"providerConfig": {"kind": "InfrastructureConfig"}}})
    s.annotate("reconcile")
    heals(t, s)


@case(gardener=(77,), kubernetes=(60,))
def provider_config_with_unknown_fields(t: T) -> None:
    """Unknown fields are accepted, with one Warning Event, which is counted up when it is told again."""
    t.start()
    s = t.shoot().create(providerConfig={"apiVersion": PROVIDER_API, "kind": "InfrastructureConfig", "colour": "blue"})
    s.wait_state("Succeeded")
    check_succeeded(t, s)
    def warnings(times: int) -> list[dict]:
        return [e for e in t.client.list("Event", s.namespace)["items"] if e.get("type") == "Warning" and e["count"] == times]
    first = wait_for("a Warning Event", lambda: warnings(1), seconds=20)
    s.annotate("reconcile")
    again = wait_for("the Event's second time", lambda: warnings(2), seconds=20)
    t.equal([e["metadata"]["uid"] for e in again], [e["metadata"]["uid"] for e in first], "the Warning Event told twice")


@case(gardener=(37, 81))
def no_ssh_key(t: T) -> None:
    """No sshPublicKey: Succeeded, sshKeyID is the empty string, nothing is posted; switched on and off later it follows."""
    t.start()
    s = t.shoot().create(sshPublicKey=None)
    s.wait_state("Succeeded", "Create")
    empty = {"apiVersion": PROVIDER_API, "kind": "InfrastructureStatus", "sshKeyID": ""}
    t.equal(s.status()["providerStatus"], empty, "providerStatus")
    t.check("POST project-keys" not in t.packet.calls(), "a key was posted")
    s.set_key(new_key(), "reconcile")
    s.wait_state("Succeeded", "Reconcile")
    check_succeeded(t, s, "Reconcile")
    s.set_key(None, "reconcile")
    wait_for("sshKeyID to become empty", lambda: s.status().get("providerStatus") == empty)
    s.wait_state("Succeeded", "Reconcile")  # the id goes out of the state before the key goes from Packet
    t.equal(t.keys(s), [], "keys after SSH access was switched off")


@case(gardener=(26, 80))
def cluster_missing(t: T) -> None:
    """No Cluster: nothing is written, the annotation stays, nothing is sent; picked up by itself when it appears."""
    t.start()
    s = t.shoot().create(cluster=False, annotations={OPERATION: "reconcile"})
    t.barrier()
    t.check_untouched(s)
    t.equal(s.get()["metadata"]["annotations"][OPERATION], "reconcile", "operation annotation")
    s.make_cluster()
    heals(t, s)
    t.check_never(s, "Error")


@case(gardener=(44, 74))
def credentials_lost_before_delete(t: T) -> None:
    """Secret gone while a key exists: Delete/Error/50 with the finalizer kept; finishes when the Secret is back."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    t.client.delete("Secret", s.namespace, "cloudprovider")
    s.delete()
    obj = s.wait_state("Error", "Delete")
    t.check_error(obj, "Delete", "Error deleting Infrastructure", [], "cloudprovider")
    t.check(obj["metadata"]["finalizers"], "the finalizer went although a key exists")
    t.equal(len(t.keys(s)), 1, "keys")
    s.make_secret({"apiToken": s.token, "projectID": s.project})
    s.wait_gone(seconds=120)
    t.equal(t.keys(s), [], "keys at the end")


@case(gardener=(75,))
def never_had_credentials(t: T) -> None:
    """An object that never had credentials, so that nothing was ever posted for it, can be deleted without any."""
    t.start()
    s = t.shoot().create(secret={})
    s.wait_state("Error")
    s.delete()
    s.wait_gone()
    t.equal(t.packet.calls(), [], "Packet calls")


@case(kubernetes=(20, 22))
def api_server_gone_and_back(t: T) -> None:
    """The API server dies and comes back: the program stays up, catches up with what it missed, and no key is made twice."""
    t.start(packet={"flags": ("--dup-check=off",)}, kubeconfig=t.kube.breakable_kubeconfig())
    before = t.shoot().create()
    before.wait_state("Succeeded")
    half = [t.shoot() for _ in range(5)]
    for s in half:
        s.create()
    t.kube.stop_apiserver()
    wait_for("the program to notice", lambda: "error" in t.provider.log.read_text(errors="replace").lower(), seconds=60)
    t.check(t.provider.child.alive(), "the program ended")
    t.kube.start_apiserver()
    after = t.shoot().create()
    for s in (*half, after):
        s.wait_state("Succeeded", seconds=120)
        check_succeeded(t, s, None)     # whose last patch's answer was lost may have run again as a Reconcile
    t.forgive_refusals()    # a real API server that starts answers 403 until it has read its RBAC objects
    before.set_key(new_key(), "reconcile")
    before.wait_state("Succeeded", "Reconcile")
    t.equal(t.packet.calls().count("POST project-keys"), len(half) + 2, "number of POSTs")


@case(kubernetes=(29,))
def first_list_never_comes(t: T) -> None:
    """With --cache-sync-timeout-seconds the program ends with a status of its own; without it goes on trying, and is not ready."""
    kubeconfig = t.kube.breakable_kubeconfig()
    t.kube.stop_apiserver()
    try:
        p = t.start(kubeconfig=kubeconfig, flags=("--cache-sync-timeout-seconds=1",))
        wait_for("its end", lambda: not p.child.alive(), seconds=30)
        t.equal(p.child.stop(), 81, "status")
        p.child = None
        t.check("within --cache-sync-timeout-seconds" in t.provider_log(), "the log does not say why")
    finally:
        t.kube.start_apiserver()
    t.forgive_refusals()


@case
def huge_and_odd_objects(t: T) -> None:
    """Objects with a key of garbage, of megabytes, or a foreign secretRef fail for themselves; the others go on."""
    t.start()
    garbage = t.shoot().create(sshPublicKey="bm90IGEga2V5")
    foreign = t.shoot().create(secretRef={"name": "elsewhere", "namespace": "kube-system"})
    large = t.shoot().create(providerConfig={"apiVersion": PROVIDER_API, "kind": "InfrastructureConfig", "pad": "x" * 900_000})
    t.check_error(garbage.wait_state("Error"), "Create", PHRASE, ["ERR_CONFIGURATION_PROBLEM"])
    t.barrier()
    t.check(foreign.status().get("lastOperation", {}).get("state") != "Succeeded", "a foreign Secret was used")
    wait_for("the large object to be dealt with", lambda: large.status().get("lastOperation", {}).get("state") in
             ("Succeeded", "Error"))
    t.check(t.provider.child.alive(), "the program ended")
