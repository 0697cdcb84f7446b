"""Objects at which workers die: the object is blamed, put into quarantine and says so, and nobody else is held up.

The worker in these cases is tests/e2e/bad_worker.c: it does what the annotation MISBEHAVE of an object says.
"""

from __future__ import annotations

import json
import shutil
import time

from .cases_metrics import get, samples, value
from .crowd import make, prepare, size, wait_succeeded
from .harness import T, case
from .procs import Skip, wait_for
from .provider import Provider
from .saboteur import with_saboteur
from .shoot import NAME, Shoot

MISBEHAVE = "e2e/misbehave"
WORKERS = 3


def sanitized(t: T) -> bool:
    """Such a build has its own report for a crash, which fails any case, and no limit for memory."""
    return "san" in t.build.name


def with_bad_worker(t: T, **options: object) -> None:
    """Starts the program with the bad worker in the worker's place."""
    libexec = t.own_programs()
    shutil.copy2(t.build / "tests/bad-worker", libexec / "worker")
    t.start(env={"PROVIDER_PACKET_LIBEXEC": str(libexec)}, **{"workers": WORKERS, **options})


def bad(t: T, how: str) -> Shoot:
    s = t.shoot()
    prepare([s])
    s.make_infrastructure({MISBEHAVE: how})
    return s


def behave(s: Shoot) -> None:
    """The bug is gone. Nothing that makes the object another one has changed."""
    s.patch({"metadata": {"annotations": {MISBEHAVE: None}}})


def suspects(t: T) -> dict[str, dict]:
    return {row["object"]: row for row in json.loads(t.provider.packetctl("--json", "quarantine", "list"))}


def quarantined(t: T, s: Shoot) -> dict | None:
    row = suspects(t).get(f"{s.namespace}/{NAME}")
    return row if row and row["quarantined"] else None


def wait_quarantined(t: T, s: Shoot, seconds: float = 60) -> dict:
    return wait_for(f"{s.namespace} to be in quarantine", lambda: quarantined(t, s), seconds)


def records(t: T, s: Shoot) -> list[dict]:
    """The crash records about this object, newest first."""
    return [r for r in json.loads(t.provider.packetctl("--json", "crashes")) if r["object"] == f"{s.namespace}/{NAME}"]


@case
def quarantine_of_a_crasher(t: T) -> None:
    """Three workers crash at an object: it shows an Error with the cause, is left alone, and is tried again when an operator says so."""
    with_bad_worker(t)
    how, cause = ("abort", "SIGABRT") if sanitized(t) else ("crash", "SIGSEGV")
    s = bad(t, how)
    others = make([t.shoot() for _ in range(5)])
    row = wait_quarantined(t, s)
    t.equal((row["strikes"], row["times"]), (3, 1), "strikes and times")
    t.check(cause in row["cause"], f"cause {row['cause']!r}")
    shown = wait_for("its Error", lambda: (s.status().get("lastError") or {}).get("description"))
    for word in ("quarantine", row["cause"], "packetctl quarantine release", "operator", "tried again in"):
        t.check(word in shown, f"{shown!r} does not speak of {word!r}")
    status = s.status()
    t.equal((status["lastOperation"]["type"], status["lastOperation"]["state"]), ("Create", "Error"), "lastOperation")
    t.equal(status["lastError"].get("codes"), None, "codes")
    wait_for("its Event", lambda: [e for e in t.client.list("Event", s.namespace)["items"] if e["reason"] == "Quarantined"])
    wait_succeeded(t, others)
    t.equal(len(records(t, s)), 3, "crash records")
    time.sleep(2)
    t.equal(len(records(t, s)), 3, "crash records two seconds later")
    t.equal(t.provider.status()["quarantined"], 1, "quarantined in status")
    wait_for("the metric", lambda: value(samples(get(t.provider, "metrics", "/metrics")[1]), "provider_packet_quarantined") == 1)
    behave(s)
    t.check("released 1" in t.provider.packetctl("quarantine", "release", f"{s.namespace}/{NAME}"), "release")
    s.wait_state("Succeeded")
    wait_for("nothing to be held against it", lambda: suspects(t) == {})


@case
def crash_records(t: T) -> None:
    """A crash leaves who, where, at which object, its last words and no secret; the newest 32 are kept."""
    with_bad_worker(t, workers=8)
    s = bad(t, "abort")
    found = wait_for("a crash record", lambda: records(t, s))[0]
    t.equal((found["role"], found["how"]), ("worker", "SIGABRT"), "role and end")
    for where in ("abort", "read_bus", "zloop_start", "main"):      # read_bus is a static function
        t.check(any(f"({where}+" in line for line in found["backtrace"]), f"no {where} in {found['backtrace']}")
    t.check(found["log"] and all(json.loads(line) for line in found["log"][:-1]), f"last log lines {found['log']}")
    t.check(found["peakMemoryKiB"] > 500, f"memory {found['peakMemoryKiB']}")
    t.equal(found["doing"], "taking the job", "step")
    said = t.provider.packetctl("crashes")
    t.check(f"object: {s.namespace}/{NAME}" in said and "backtrace:" in said and "(read_bus+" in said, said)
    for more in [bad(t, "exit") for _ in range(12)]:
        wait_quarantined(t, more)
    files = list((t.provider.runtime / "crashes").iterdir())
    t.equal(len(files), 32, "crash records of 39 deaths")
    text = "".join(f.read_text() for f in files)
    t.check(t.packet.token not in text, "a token stands in a crash record")


@case
def quarantine_survives_the_watcher(t: T) -> None:
    """A new watcher knows what was held against an object; a change of the object ends its quarantine."""
    with_bad_worker(t)
    s = bad(t, "exit")
    wait_quarantined(t, s)
    wait_for("its Error", lambda: s.status().get("lastError"))
    before = len(records(t, s))
    watcher = t.provider.processes("watcher")[0]["pid"]
    t.provider.kill(watcher)
    wait_for("another watcher", lambda: t.provider.status()["ready"] and t.provider.processes("watcher")[0]["pid"] != watcher)
    t.barrier()
    t.equal(len(records(t, s)), before, "crash records")
    t.equal(wait_quarantined(t, s)["times"], 1, "times")
    s.annotate("reconcile")
    row = wait_for("the trial to fail", lambda: (r := quarantined(t, s)) and r["times"] == 2 and r)
    t.equal(len(records(t, s)), before + 1, "crash records after one trial")
    t.check(row["nextTrialMs"] > 100000, f"the second term ends in {row['nextTrialMs']} ms")
    behave(s)
    s.annotate("reconcile")
    s.wait_state("Succeeded")


CAUSES = {"crash": "SIGSEGV", "abort": "SIGABRT", "spin": "did not take its job in time", "eat": "no memory left",
          "big-frames": "did not take its job in time", "garbage-to-watcher": "sent frames that no worker"}


def run_for(t: T, n: int, hows: list[str]) -> tuple[float, dict[str, Shoot]]:
    """Makes the bad ones, then n good ones; how long these took until all were done."""
    project = t.packet.add_project()         # so that lists of keys are as long with the bad ones as without
    shoots = prepare([t.shoot(project=project) for _ in range(n)])
    begun = time.monotonic()
    guilty = {how: bad(t, how) for how in hows}
    for s in shoots:
        s.make_infrastructure()
    wait_succeeded(t, shoots)
    return time.monotonic() - begun, guilty


@case(patient=True)
def four_bad_ones(t: T) -> None:
    """Among many objects one crashes its worker, one spins, one eats memory and one sends too large frames: they alone are in quarantine, the rest is done."""
    n = size("BLAME_OBJECTS", 100)
    with_bad_worker(t, packet={"latency_ms": 20}, workers=5)
    hows = ["abort", "spin", "big-frames"] if sanitized(t) else ["crash", "spin", "eat", "big-frames"]
    alone, _ = run_for(t, n - len(hows), [])
    took, guilty = run_for(t, n - len(hows), hows)
    for how, s in guilty.items():
        row = wait_quarantined(t, s, 120)
        # A container may have less than a worker may take by itself: there the kernel ends it.
        causes = [CAUSES[how]] + ["SIGKILL"] * (how == "eat" and t.kind is not Provider)
        t.check(any(c in row["cause"] for c in causes), f"{how}: {row['cause']!r}")
    t.equal(len(suspects(t)), len(hows), f"suspects: {suspects(t)}")
    t.equal(sorted(k["label"] for k in t.packet.keys()), sorted(s.label for s in t.shoots if s not in guilty.values()), "keys")
    print(f"      {t.name}: {n - len(hows)} objects Succeeded in {took:.1f} s, {took / alone:.2f} of the time without the bad ones; "
          f"{len(hows)} in quarantine", flush=True)


@case
def garbage_to_the_gateway(t: T) -> None:
    """A worker that sends the gateway what no worker sends is ended for it, and nobody else."""
    with_bad_worker(t)
    gateway = t.provider.processes("packet-gateway")[0]["pid"]
    s = bad(t, "garbage-to-gateway")
    others = make([t.shoot() for _ in range(5)])
    row = wait_quarantined(t, s)
    t.check("sent frames that no worker" in row["cause"], f"cause {row['cause']!r}")
    wait_succeeded(t, others)
    t.equal(t.provider.processes("packet-gateway")[0]["pid"], gateway, "the gateway's pid")


FATAL = ("make-socket", "run-program", "make-process", "kill-all", "kill-parent", "trace-parent", "read-parent")
REFUSED = ("open-file", "make-file", "make-code")


@case
def a_worker_that_was_taken_over(t: T) -> None:
    """It cannot open a file or a socket, run or make code, touch another process, or speak in another's name; it dies of the attempt or is refused."""
    if sanitized(t):
        raise Skip(f"a build with sanitizers withholds less: {', '.join(FATAL + REFUSED)}")
    with_bad_worker(t, workers=4)
    others = make([t.shoot() for _ in range(5)])
    before = {p["role"]: p["pid"] for p in t.provider.status()["processes"] if p["role"] != "worker"}
    t.equal([p.get("degraded") for p in t.provider.status()["processes"]], [None] * 7, "what is degraded")
    fatal = {how: bad(t, how) for how in FATAL}
    refused = {how: bad(t, how) for how in REFUSED}
    forger = bad(t, "forge")
    for how, s in fatal.items():
        row = wait_quarantined(t, s)
        t.check("SIGSYS" in row["cause"], f"{how}: {row['cause']!r}")
        said = records(t, s)[0]["backtrace"]
        t.check(said and "system call" in said[0] and "is not allowed" in said[0], f"{how}: {said}")
    for how, s in refused.items():
        s.wait_state("Succeeded")
        line = next(json.loads(line) for line in t.provider_log().splitlines() if f'"what":"{how}"' in line)
        t.equal(line["result"], "refused", how)
    row = wait_quarantined(t, forger)
    t.check("sent frames that no worker" in row["cause"], f"forge: {row['cause']!r}")
    wait_succeeded(t, others)
    t.equal({p["role"]: p["pid"] for p in t.provider.status()["processes"] if p["role"] != "worker"}, before, "the others' pids")


@case
def writes_of_a_worker_that_was_taken_over(t: T) -> None:
    """A PATCH for an object of which it has no job, or for a field that is not a worker's, reaches nobody; its own job ends as usual."""
    with_bad_worker(t, workers=2)
    shoots = [bad(t, how) for how in ("write-another", "write-a-field", "write-another")]
    wait_succeeded(t, shoots)
    tried = [json.loads(line)["what"] for line in t.provider_log().splitlines() if '"tried what is forbidden"' in line]
    t.equal(sorted(set(tried)), ["write-a-field", "write-another"], "what was tried")
    for s in shoots:
        t.check("taken over" not in json.dumps(t.recorder.whole(s.namespace, NAME)), f"{s.namespace} was written")
    t.check("refused a worker's request" in t.provider_log(), "nobody refused the write of a field")


@case
def an_object_that_kills_its_reader(t: T) -> None:
    """Two watchers end at the same object as they read it: the next does not read it, says so, and works on for the others."""
    with_saboteur(t, workers=2)
    first = t.shoot().create()
    first.wait_state("Succeeded")
    s = t.shoot()
    prepare([s])
    s.make_infrastructure({"e2e/kill-the-reader": "now"})
    row = wait_quarantined(t, s)
    t.check("SIGSEGV" in row["cause"], f"cause {row['cause']!r}")
    t.check(row["nextTrialMs"] > 30000, f"it is tried again in {row['nextTrialMs']} ms")
    t.barrier()
    watcher = t.provider.processes("watcher")[0]
    t.equal(len(records(t, s)), 2, "crash records")
    t.equal({r["role"] for r in records(t, s)}, {"watcher"}, "who died")
    s.patch({"metadata": {"annotations": {"e2e/kill-the-reader": None}}})
    t.barrier()
    t.equal(s.status().get("lastOperation"), None, "lastOperation of the object that is not read")
    t.check("released 1" in t.provider.packetctl("quarantine", "release", f"{s.namespace}/{NAME}"), "release")
    s.wait_state("Succeeded")
    t.equal(t.provider.processes("watcher")[0]["pid"], watcher["pid"], "the watcher's pid")
