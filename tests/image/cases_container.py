"""What only a container shows: its confinement, packetctl by exec, deaths inside it, two of them beside each other (gardener 59-68)."""

from __future__ import annotations

import time
from pathlib import Path

from e2e.cases_blame import bad, behave, wait_quarantined, with_bad_worker
from e2e.cases_leader import LEASE, two_trees, wait_leading
from e2e.chaos import verify_no_key_twice
from e2e.container import USER, Container, controllers
from e2e.crowd import check_keys, make, states, wait_succeeded
from e2e.harness import T, case
from e2e.pods import kube_writes, packet_writes, terms, verify_writers
from e2e.procs import SCALE, Skip, wait_for
from e2e.shoot import NAME

CONTRACT = 20       # seconds: 15 of the Lease, a look every 2, and some for the machine


def proc_status(pid: int) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


@case(gardener=(68,))
def container_is_restricted(t: T) -> None:
    """Every process is non-root, without capabilities, with no-new-privileges; nothing can be written; there is no shell."""
    p = t.start()
    for pid in [p.supervisor(), *(q["pid"] for q in p.processes())]:
        s = proc_status(pid)
        t.equal(s["Uid"].split(), [str(USER)] * 4, "user")
        t.equal({s[k].strip("0") for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {""}, "capabilities")
        t.equal(s["NoNewPrivs"], "1", "no-new-privileges")
    mounts = Path(f"/proc/{p.supervisor()}/mountinfo").read_text().splitlines()
    t.check(next(m for m in mounts if m.split()[4] == "/").split()[5].startswith("ro"), "the root can be written")
    for shell in ("sh", "bash", "/bin/sh", "busybox"):
        t.check(p.execute(shell, "-c", "true", check=False).returncode != 0, f"there is a {shell}")
    for q in p.processes():
        t.equal(proc_status(q["pid"])["Seccomp"], "2", f"the {q['role']}'s own filter")


@case
def packetctl_by_exec(t: T) -> None:
    """`packetctl status` and `explain` without flags, with --socket, and with PACKETCTL_SOCKET."""
    p, s = t.start(), t.shoot().create()
    s.wait_state("Succeeded")
    socket = "/run/gardener-extension-provider-packet/control.sock"
    for words in (("packetctl", "status"), ("packetctl", "--socket", socket, "status")):
        t.check("watcher" in p.execute(*words).stdout, f"{words} shows no watcher")
    by_env = p.execute("packetctl", "status", env=f"PACKETCTL_SOCKET={socket}")
    t.check("watcher" in by_env.stdout, "PACKETCTL_SOCKET")
    wrong = p.execute("packetctl", "status", env="PACKETCTL_SOCKET=/run/nobody/control.sock", check=False)
    t.equal((wrong.returncode, "/run/nobody/control.sock" in wrong.stderr), (3, True), "a socket that is not there")
    t.check(s.namespace in p.packetctl("explain", f"{s.namespace}/{NAME}"), "explain")


@case
def workers_are_killed_in_a_container(t: T) -> None:
    """Workers are killed while objects are made: all succeed, one key each."""
    p = t.start()
    shoots = make([t.shoot() for _ in range(20)])
    for _ in range(10):
        for q in p.processes("worker")[:2]:
            if q["pid"] > 0:
                p.kill(q["pid"])
        time.sleep(0.2)
    wait_succeeded(t, shoots)
    check_keys(t, shoots)


@case
def greedy_worker_in_a_container(t: T) -> None:
    """A worker that eats memory dies alone in 64 MiB, and the others work on."""
    if "memory" not in controllers():
        raise Skip("this machine has no cgroup controller for memory")
    with_bad_worker(t)
    p = t.provider
    who = lambda: {1: p.supervisor(), **{q["role"]: q["pid"] for q in p.processes() if q["role"] != "worker"}}
    before = who()
    s = bad(t, "eat")
    wait_quarantined(t, s)
    behave(s)
    wait_succeeded(t, make([t.shoot() for _ in range(5)]))
    t.equal(who(), before, "who lives")


@case(gardener=(66,))
def container_stops_in_time(t: T) -> None:
    """SIGTERM amid work: ended with status 0 in under 30 s."""
    p = t.start()
    make([t.shoot() for _ in range(10)])
    begun = time.monotonic()
    p.stop()
    took = time.monotonic() - begun
    t.check(took < 30, f"it took {took:.1f} s")
    print(f"      {t.name}: {took:.1f} s", flush=True)


def one_writer(t: T, pods: dict[str, Container], mark: int) -> str:
    """By audit log and ledger: whoever wrote held the Lease. Says who did how much."""
    who = {p.credential: name for name, p in pods.items()}
    requests = t.kube.audit.requests(t.kube.user, mark)
    source = lambda r: who.get(r.credential, r.credential)
    held = terms(requests, source, LEASE)
    count = verify_writers(kube_writes(requests, source) + packet_writes(t.packet.ledger()), held)
    t.check(len(held) > 1, f"the leader never changed: {held}")
    return f"leaders {' '.join(name for _, name in held)}, writes {count}"


@case(gardener=(59, 60))
def two_replicas(t: T) -> None:
    """One of two containers leads; it is killed; the other leads within the contract's time; never two writers, nobody has a second key."""
    mark = t.kube.audit.mark()
    first, second = two_trees(t, flags=(), packet={"latency_ms": 200})      # with the usual 15, 10 and 2 s
    shoots = make([t.shoot() for _ in range(20)])
    wait_for("some to be done", lambda: states(t, shoots).get("Succeeded", 0) >= 5)
    begun = time.monotonic()
    first.kill_supervisor()
    shoots += make([t.shoot() for _ in range(5)])
    wait_leading(second)
    took = time.monotonic() - begun
    t.check(took < CONTRACT * SCALE, f"{took:.1f} s until the other led, not {CONTRACT}")
    wait_succeeded(t, shoots)
    check_keys(t, shoots)
    verify_no_key_twice(t.packet.ledger(), shoots)
    said = one_writer(t, {"first": first, "second": second}, mark)
    print(f"      {t.name}: the other leads {took:.1f} s after the kill; {said}", flush=True)
    first.abandon()
    t.provider = None
