"""Cases of leader election and the heartbeat: hand-over, take-over, a killed watcher, a stopped tree, an API server that is gone.

The durations are short by flags; what is asserted are orders and what the Lease itself says, and times only as bounds.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
import urllib.request
import uuid
from datetime import datetime, timedelta

from .cases_basic import check_succeeded
from .harness import T, case
from .kubeclient import path_of
from .procs import Skip, wait_for
from .provider import Provider

LEASE = "provider-packet-leader-election"
HEARTBEAT = "gardener-extension-heartbeat"
DURATION = 3
SHORT = (f"--leader-election-lease-duration-seconds={DURATION}", "--leader-election-renew-deadline-seconds=2",
         "--leader-election-retry-period-seconds=1")


class LeaseLog:
    """Every version of one Lease, in the order in which the API server showed them."""

    def __init__(self, t: T, name: str) -> None:
        self.specs: list[dict] = []
        self._name = name
        collection = path_of("Lease", "garden")
        version = t.client.request("GET", collection)["metadata"]["resourceVersion"]
        self._watch = t.client.open_watch(collection, version)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for event in self._watch:
                obj = event["object"]
                if obj.get("metadata", {}).get("name") == self._name:
                    self.specs.append(obj["spec"])
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass        # closed under the reader, or the API server went away

    def close(self) -> None:
        self._watch.close()

    def holders(self) -> list[str]:
        """Who held it, one after the other; "" for nobody."""
        found: list[str] = []
        for spec in list(self.specs):
            holder = spec.get("holderIdentity") or ""
            if not found or found[-1] != holder:
                found.append(holder)
        return found


def leadership(p: Provider) -> dict:
    return p.status(check=False).get("leadership") or {}


def wait_leading(p: Provider, seconds: float = 60) -> dict:
    return wait_for(f"{p.directory.name} to lead", lambda: (s := leadership(p)).get("leading") and s, seconds)


def metrics(p: Provider) -> str:
    """What /metrics says; the port is the one that the log names."""
    line = next(n for n in map(json.loads, p.log.read_text().splitlines()) if n.get("for") == "metrics")
    with urllib.request.urlopen(f"http://{line['address']}/metrics", timeout=10) as answer:
        return answer.read().decode()


def stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


def two_trees(t: T, flags: tuple[str, ...] = SHORT, **options: object) -> tuple[Provider, Provider]:
    """The first leads, the second is ready and stands by. Packet can tell them apart."""
    t.client.delete("Lease", "garden", LEASE)
    first = t.start(leader_election=True, flags=(*flags, "--packet-consumer-token=first"), **options)
    wait_leading(first)
    second = t.start_second(leader_election=True, flags=(*flags, "--packet-consumer-token=second"), **options)
    got = wait_for("the second to see the first", lambda: (s := leadership(second)).get("holder") and s)
    t.equal((got["leading"], got["holder"]), (False, leadership(first)["identity"]), "the second's view")
    t.check(second.status()["ready"], "a standby is not ready")
    return first, second


def tree_of(p: Provider) -> list[int]:
    """The supervisor and all its children."""
    return [p.supervisor()] + [q["pid"] for q in p.processes() if q["pid"] > 0]


@case(gardener=(59, 60), kubernetes=(56, 60))
def hand_over(t: T) -> None:
    """A clean stop gives the Lease back: the standby leads before the Lease would have run out, and work goes on."""
    first, second = two_trees(t)
    ours, theirs = leadership(first)["identity"], leadership(second)["identity"]
    log = LeaseLog(t, LEASE)
    before = t.shoot().create()
    before.wait_state("Succeeded")
    wait_for("a renewal", lambda: log.holders() == [ours])
    for p, words, leads in ((first, f"leader by Lease garden/{LEASE} as {ours}", 1),
                            (second, f"standby for Lease garden/{LEASE}, held by {ours}", 0)):
        t.check(words in p.packetctl("status"), f"packetctl status says {p.packetctl('status')!r}")
        t.check(f'leader_election_master_status{{name="{LEASE}"}} {leads}\n' in metrics(p), metrics(p))
    first.stop()
    t.check(not first.child, "the first still runs")
    wait_leading(second)
    said = {f"{ours} became leader", f"{ours} stopped leading", f"{theirs} became leader"}
    wait_for("the Events of the election", lambda: said <= {
        e["message"] for e in t.client.list("Event", "garden")["items"]
        if (e["reason"], e["type"], e["involvedObject"]["kind"], e["involvedObject"]["name"]) == ("LeaderElection", "Normal", "Lease", LEASE)})
    wait_for("the hand-over", lambda: log.holders()[-1:] == [theirs])
    log.close()
    t.equal(log.holders(), [ours, "", theirs], "holders of the Lease")
    released = next(s for s in log.specs if not s.get("holderIdentity"))
    t.equal(released["leaseDurationSeconds"], 1, "duration of the released Lease")
    taken = next(s for s in log.specs if s.get("holderIdentity") == theirs)
    t.equal(taken["leaseTransitions"], released["leaseTransitions"] + 1, "leaseTransitions")
    gap = stamp(taken["acquireTime"]) - stamp(released["renewTime"])
    print(f"      {t.name}: {gap.total_seconds() * 1000:.0f} ms from the release to the next leader", flush=True)
    t.check(gap < timedelta(seconds=10), f"{gap} from the release to the next leader")
    after = t.shoot().create()
    after.wait_state("Succeeded")
    check_succeeded(t, after)
    t.equal(second.processes("worker")[0]["restarts"], 0, "restarts of the standby's workers")


@case(gardener=(59, 60), kubernetes=(57,))
def killed_tree_is_followed(t: T) -> None:
    """SIGKILL of the leading tree: the standby takes over, and not before the Lease has run out."""
    first, second = two_trees(t)
    theirs = leadership(second)["identity"]
    log = LeaseLog(t, LEASE)
    wait_for("a renewal", lambda: log.specs)
    killed = time.monotonic()
    first.kill_supervisor()
    wait_for("the children to end", lambda: not first.survivors(), seconds=15)
    wait_leading(second)
    took = time.monotonic() - killed
    wait_for("the take-over", lambda: log.holders()[-1:] == [theirs])
    log.close()
    at = next(i for i, s in enumerate(log.specs) if s["holderIdentity"] == theirs)
    waited = stamp(log.specs[at]["acquireTime"]) - stamp(log.specs[at - 1]["renewTime"])
    print(f"      {t.name}: {took:.1f} s from SIGKILL to the next leader, Lease of {DURATION} s", flush=True)
    t.check(waited >= timedelta(seconds=DURATION), f"taken {waited} after the last renewal")
    t.check(took < 10 * (DURATION + 1), f"took over after {took:.1f} s")
    first.abandon()                                     # it left its sockets, as one that was killed does
    s = t.shoot().create()
    s.wait_state("Succeeded")
    check_succeeded(t, s)


@case(gardener=(59,))
def killed_watcher_leads_again(t: T) -> None:
    """SIGKILL of the leading watcher: its successor finds the supervisor's identity in the Lease and works on at once."""
    t.client.delete("Lease", "garden", LEASE)
    p = t.start(leader_election=True)                   # with the usual 15 s: nobody could wait for them unseen
    before = wait_leading(p)
    acquired = t.client.get("Lease", "garden", LEASE)["spec"]["acquireTime"]
    log = LeaseLog(t, LEASE)
    victim = p.processes("watcher")[0]
    killed = time.monotonic()
    t.check(p.kill(victim["pid"]), "the watcher was gone")
    s = t.shoot().create()
    s.wait_state("Succeeded")
    took = time.monotonic() - killed
    check_succeeded(t, s)
    print(f"      {t.name}: {took * 1000:.0f} ms from SIGKILL to the next finished reconcile", flush=True)
    t.check(took < 10, f"{took:.1f} s")
    log.close()
    t.equal(log.holders(), [before["identity"]], "holders")
    spec = t.client.get("Lease", "garden", LEASE)["spec"]
    t.equal((spec["acquireTime"], spec["leaseTransitions"]), (acquired, before["transitions"]), "acquireTime, transitions")
    t.check(p.processes("watcher")[0]["incarnation"] > victim["incarnation"], "it was not replaced")


@case(gardener=(59,))
def container_restarts_in_its_pod(t: T) -> None:
    """A container that is killed and started again in its pod finds the pod's identity in the Lease and leads at once."""
    if os.geteuid() != 0:
        raise Skip("only root may make a process the first of its namespace")
    t.client.delete("Lease", "garden", LEASE)
    env = {"POD_NAME": "pod-a", "POD_UID": str(uuid.uuid4())}
    as_first = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    p = t.start(leader_election=True, env=env, prefix=as_first)     # with the usual 15 s
    before = wait_leading(p)
    t.equal(before["identity"], f"pod-a_{env['POD_UID']}", "identity")
    s = t.shoot().create()
    s.wait_state("Succeeded")
    log = LeaseLog(t, LEASE)
    p.kill_supervisor()
    wait_for("the container's processes to end", lambda: not p.survivors(), seconds=15)
    killed = time.monotonic()
    p.start(wait=False)
    t.reconcile(s)
    took = time.monotonic() - killed
    check_succeeded(t, s, "Reconcile")
    print(f"      {t.name}: {took * 1000:.0f} ms from the start to the first finished reconcile", flush=True)
    t.check(took < 10, f"{took:.1f} s")
    log.close()
    t.equal(log.holders(), [before["identity"]], "holders")
    p.packetctl("stop")                                             # a signal would only reach unshare
    p.child.process.wait()
    p.child = None
    p.assert_nothing_left()


@case(gardener=(59, 60), kubernetes=(54,))
def stopped_tree_writes_nothing_more(t: T) -> None:
    """SIGSTOP of the whole leading tree amid work, past the end of its Lease: it wakes up, writes nothing and stands by."""
    first, second = two_trees(t, packet={"latency_ms": 400})
    shoots = [t.shoot() for _ in range(8)]
    for s in shoots:
        s.create()
    wait_for("work in Packet", lambda: t.packet.ledger())
    stopped = tree_of(first)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    wait_leading(second)
    for s in shoots:
        s.wait_state("Succeeded", seconds=300)
    audit, ledger = t.kube.audit.mark(), len(t.packet.ledger())
    versions = {s.namespace: s.get()["metadata"]["resourceVersion"] for s in shoots}
    watcher = next(p for p in _seen(first, "watcher"))
    for pid in reversed(stopped):
        os.kill(pid, signal.SIGCONT)
    wait_for("the first to stand by", lambda: (s := leadership(first)).get("leading") is False
             and s.get("holder") == leadership(second)["identity"] and first.status()["ready"]
             and first.processes("watcher")[0]["pid"] != watcher)
    t.check("exit 79" in str(first.processes("watcher")[0].get("lastExit")), f"{first.processes('watcher')[0]}")
    writes = [str(r) for r in t.kube.audit.requests(t.kube.user, audit)
              if r.verb not in ("get", "list", "watch") and not r.resource.startswith("leases")]
    t.equal(writes, [], "writes to Kubernetes after the stopped tree went on")
    t.equal([c for c in t.packet.calls(ledger) if not c.startswith("GET")], [], "changes in Packet after it went on")
    t.equal({s.namespace: s.get()["metadata"]["resourceVersion"] for s in shoots}, versions, "versions")
    for s in shoots:
        t.equal(len(t.keys(s)), 1, f"keys of {s.namespace}")


def _seen(p: Provider, role: str) -> list[int]:
    return [pid for pid, r in p.seen.items() if r == role]


@case(gardener=(59,), kubernetes=(55,))
def lease_lost_to_an_outage(t: T) -> None:
    """The API server is gone for longer than the deadline: the watcher ends with 79, the pod stays, and leads again later."""
    t.client.delete("Lease", "garden", LEASE)
    p = t.start(leader_election=True, flags=SHORT, kubeconfig=t.kube.breakable_kubeconfig())
    wait_leading(p)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    before = p.processes("watcher")[0]
    t.kube.stop_apiserver()
    wait_for("the watcher to give up", lambda: (w := p.processes("watcher"))[0]["incarnation"] > before["incarnation"]
             and w[0]["state"] == "ready")
    t.check("exit 79" in str(p.processes("watcher")[0].get("lastExit")), f"{p.processes('watcher')[0]}")
    t.check(p.child.alive(), "the supervisor ended")
    t.equal(leadership(p).get("leading"), False, "leading without an API server")
    t.kube.start_apiserver()
    wait_leading(p)
    after = t.shoot().create()
    after.wait_state("Succeeded", seconds=120)
    check_succeeded(t, after)
    t.forgive_refusals()    # a real API server that starts answers 403 until it has read its RBAC objects


@case(gardener=(61,), kubernetes=(58, 59, 72))
def heartbeat(t: T) -> None:
    """The heartbeat Lease has Gardener's shape and is renewed, but not while the gateway is stopped."""
    t.client.delete("Lease", "garden", HEARTBEAT)
    log = LeaseLog(t, HEARTBEAT)
    p = t.start(leader_election=True, flags=(*SHORT, "--heartbeat-renew-interval-seconds=1"))
    wait_for("three beats", lambda: len(log.specs) >= 3)
    for spec in log.specs:
        t.equal((spec["holderIdentity"], spec["leaseDurationSeconds"]), ("provider-packet", 1), "the heartbeat")
        t.equal(sorted(spec), ["holderIdentity", "leaseDurationSeconds", "renewTime"], "fields of the heartbeat")
        stamp(spec["renewTime"])
    victim = p.processes("packet-gateway")[0]
    p.kill(victim["pid"], signal.SIGSTOP)
    wait_for("a beat that is left out", lambda: "packet-gateway does not answer" in p.log.read_text(errors="replace"))
    wait_for("the gateway to be replaced", lambda: (g := p.processes("packet-gateway")[0])["state"] == "ready"
             and g["incarnation"] > victim["incarnation"])
    beats = len(log.specs)
    wait_for("beats again", lambda: len(log.specs) >= beats + 2)
    log.close()
    times = [stamp(s["renewTime"]) for s in log.specs]
    gap = max(b - a for a, b in zip(times, times[1:]))
    t.check(gap > timedelta(seconds=1.5), f"no beat was left out: {gap}")
