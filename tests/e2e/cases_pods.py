"""Two pods on one API server, each behind a link of its own: links cut, slow and silent, processes stopped and killed.

Size by environment: PODS_SECONDS (30; `make soak` takes more), PODS_OBJECTS (40; a release takes 100), PODS_SEED,
PODS_LEASE ("3/2/1": seconds of duration, renew deadline and retry period).
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import yaml

from .cases_leader import LEASE, leadership
from .crowd import check_keys, delete_all, make, size, states, wait_succeeded
from .harness import T, case
from .namespaces import Namespace, Way
from .pods import Pod, Trouble, kube_writes, packet_writes, terms, verify_writers
from .procs import SCALE, Skip, wait_for
from .provider import Provider
from .shoot import Shoot, new_key

WORKERS = 3


def lease_flags() -> tuple[tuple[str, ...], float]:
    duration, renew, retry = os.environ.get("PODS_LEASE", "3/2/1").split("/")
    return (f"--leader-election-lease-duration-seconds={duration}", f"--leader-election-renew-deadline-seconds={renew}",
            f"--leader-election-retry-period-seconds={retry}"), float(duration)


def kubeconfig_through(t: T, way: Way, host: str) -> Path:
    """The program's own, but by this way; the certificate is for another name than the address."""
    config = yaml.safe_load(t.kube.provider_kubeconfig.read_text())
    config["clusters"][0]["cluster"] |= {"server": f"https://{host}:{way.port}", "tls-server-name": "kubernetes.default"}
    path = t.directory / f"{host}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


def open_pod(t: T, name: str, namespace: Namespace) -> Pod:
    target = urlsplit(t.packet.url)
    kube, packet = Way(namespace, t.kube.port), Way(namespace, target.port)
    flags, _ = lease_flags()
    provider = Provider(t.build, t.directory / name, kubeconfig_through(t, kube, namespace.host),
                        urlunsplit(target._replace(netloc=f"{namespace.host}:{packet.port}")), t.packet.ca_file,
                        leader_election=True, workers=WORKERS, prefix=namespace.prefix,
                        flags=(*flags, f"--packet-consumer-token={name}"))
    return Pod(name, namespace, kube, packet, provider)


def open_pods(t: T, namespaces: list[Namespace]) -> list[Pod]:
    for number in (0, 1):
        namespaces.append(Namespace(number).open())
    t.start_packet(latency_ms=30, addresses=tuple(n.host for n in namespaces))
    t.client.delete("Lease", "garden", LEASE)
    pods = [open_pod(t, name, namespace) for name, namespace in zip(("pod-a", "pod-b"), namespaces)]
    t.others = [p.provider for p in pods]
    for p in pods:
        p.provider.start()
    return pods


def some_work(t: T, shoots: list[Shoot], most: int, chance: random.Random) -> None:
    """One thing that a user does: a new Shoot, a reconcile, a new key."""
    what = chance.random()
    if what < 0.3 and len(shoots) < most:
        shoots += make([t.shoot()])
    elif what < 0.7:
        chance.choice(shoots).annotate("reconcile")
    else:
        chance.choice(shoots).set_key(new_key(), "reconcile")


def in_order(t: T, shoots: list[Shoot]) -> bool:
    """Succeeded, with the present generation, no operation asked for, and the present key in Packet."""
    if states(t, shoots) != {"Succeeded": len(shoots)}:
        return False
    wanted = sorted((s.label, s.key) for s in shoots)
    return sorted((k["label"], k["key"]) for k in t.packet.keys()) == wanted


@case(gardener=(59, 60), kubernetes=(54, 57), patient=True, outside="each of its pods has a network of its own")
def two_pods_in_trouble(t: T) -> None:
    """Links cut, slow and silent, processes stopped and killed, in two pods: never two writers, and all objects in order."""
    if t.kube.kind != "real":
        raise Skip("the simulated API server does not note where a request came from")
    namespaces: list[Namespace] = []
    pods: list[Pod] = []
    mark = t.kube.audit.mark()
    try:
        pods = open_pods(t, namespaces)
        run(t, pods, mark)
    finally:
        for p in pods:
            p.close()
        for n in namespaces:
            n.close()


def run(t: T, pods: list[Pod], mark: int) -> None:
    seconds, objects, seed = size("PODS_SECONDS", 30) * SCALE, size("PODS_OBJECTS", 40), size("PODS_SEED", 1)
    _, duration = lease_flags()
    wait_for("a leader", lambda: any(leadership(p.provider).get("leading") for p in pods))
    chance = random.Random(seed)
    shoots = make([t.shoot() for _ in range(objects // 2)])
    troubles = [Trouble(p, seed * 100 + n, 3 * duration) for n, p in enumerate(pods)]
    for trouble in troubles:
        trouble.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        some_work(t, shoots, objects, chance)
        for p in pods:
            p.restart()
        time.sleep(chance.uniform(0.05, 0.4))
    for trouble in troubles:
        trouble.finish()
    for p in pods:
        p.restart()
    shoots += make([t.shoot() for _ in range(objects - len(shoots))])
    healed = time.monotonic()
    wait_succeeded(t, shoots, 400)
    wait_for("all keys to be the wanted ones", lambda: in_order(t, shoots), 400, 0.5)
    check_keys(t, shoots)
    took = time.monotonic() - healed
    report(t, pods, mark, len(shoots), took)
    delete_all(t, shoots, 400)
    for p in pods:
        p.provider.stop()


def report(t: T, pods: list[Pod], mark: int, objects: int, took: float) -> None:
    requests = t.kube.audit.requests(t.kube.user, mark)
    names = {p.namespace.source: p.name for p in pods}
    who = lambda r: names[r.source]
    held = terms(requests, who, LEASE)
    kube, packet = kube_writes(requests, who), packet_writes(t.packet.ledger())
    count = verify_writers(kube + packet, held)
    refused = sum(1 for w in kube if not w.applied)
    print(f"      {t.name}: {len(held) - 1} changes of the leader, {sum(count.values())} writes {count}, {refused} of them refused by"
          f" the API server, {len(packet)} to Packet; {objects} objects in order {took:.1f} s after the last trouble", flush=True)
    for p in pods:
        print(f"      {t.name}: {p.name}: {dict(sorted(p.troubles.items()))}", flush=True)
    t.check(len(held) > 1, "the leader never changed: nothing is shown")
    t.check(kube and packet, "no writes: nothing is shown")
