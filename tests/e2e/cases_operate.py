"""What an operator changes while all runs: the number of workers, whether jobs are begun, what is logged, what is read again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

from .cases_basic import check_succeeded
from .cases_restart import processes, replaced
from .crowd import make, states, wait_succeeded
from .harness import T, case
from .procs import Failure, wait_for
from .shoot import NAME, Shoot


def answer(t: T, *words: str) -> dict:
    return json.loads(t.provider.packetctl("--json", *words))


def refusal(t: T, *words: str) -> str:
    try:
        t.provider.packetctl(*words)
    except Failure as e:
        return str(e)
    raise Failure(f"packetctl {' '.join(words)} was taken")


@case
def scale_workers(t: T) -> None:
    """More and fewer workers while objects are made: the surplus leaves after its jobs, and nothing is lost or shows an Error."""
    t.start(packet={"latency_ms": 20}, workers=2)
    shoots = make([t.shoot() for _ in range(10)])
    t.equal(answer(t, "scale", "workers", "6"), {"done": True, "number": 6}, "answer")
    wait_for("six workers", lambda: [p["state"] for p in processes(t, "worker")] == ["ready"] * 6 and t.provider.status()["ready"])
    t.equal([p["role"] for p in t.provider.status()["processes"]][-1], "exporter", "last row of status")
    shoots += make([t.shoot() for _ in range(20)])
    t.provider.packetctl("scale", "workers", "1")
    wait_for("one worker", lambda: len(processes(t, "worker")) == 1)
    shoots += make([t.shoot() for _ in range(5)])
    wait_succeeded(t, shoots)
    for s in shoots:
        check_succeeded(t, s, None)
        t.equal(sorted(t.recorder.codes(s.namespace, NAME)), [], f"error codes ever shown by {s.namespace}")
    t.check("a process died" not in t.provider_log(), "a worker that leaves in order is told as a death")
    for words in (("workers", "0"), ("workers", "65"), ("pods", "2")):
        refusal(t, "scale", *words)


@case
def drain_and_resume(t: T) -> None:
    """Drained, no job is begun, also by the next watcher, while watch and Lease stay; resumed, all is made up for."""
    t.start(workers=2)
    done = make([t.shoot() for _ in range(3)])
    wait_succeeded(t, done)
    t.provider.packetctl("drain")
    t.equal(t.provider.status()["drained"], True, "drained in status")
    waiting = make([t.shoot() for _ in range(3)])
    watcher = processes(t, "watcher")
    t.provider.kill(watcher[0]["pid"])
    wait_for("another watcher", lambda: replaced(t, "watcher", watcher))
    time.sleep(1)
    t.equal(states(t, waiting), {"none": 3}, "states while drained")
    t.check("drained" in t.provider.packetctl("status"), "status for people does not say it")
    t.provider.packetctl("resume")
    wait_succeeded(t, waiting)
    t.equal(t.provider.status()["drained"], False, "drained in status")


@case(gardener=(66,))
def reload_by_command_and_signal(t: T) -> None:
    """Everybody but the supervisor is replaced while objects are made, by packetctl and by SIGHUP; none is lost or shows an Error."""
    t.start(packet={"latency_ms": 20}, workers=2)
    supervisor = t.provider.status()["pid"]
    for how in ("reload", "SIGHUP"):
        before = t.provider.status()["processes"]
        shoots = make([t.shoot() for _ in range(10)])
        if how == "reload":
            t.check("replacing 5 processes" in t.provider.packetctl("reload"), "answer")
        else:
            os.kill(t.provider.supervisor(), signal.SIGHUP)
        for role in ("watcher", "packet-gateway", "worker", "exporter"):
            wait_for(f"a new {role}", lambda: replaced(t, role, before), seconds=60)
        wait_succeeded(t, shoots)
        for s in shoots:
            check_succeeded(t, s, None)
            t.equal(sorted(t.recorder.codes(s.namespace, NAME)), [], f"error codes ever shown by {s.namespace}")
    t.equal(t.provider.status()["pid"], supervisor, "the supervisor's pid")
    t.check("a process died" not in t.provider_log(), "a process that leaves in order is told as a death")


@case
def loglevel_of_everybody(t: T) -> None:
    """Another level holds for all processes at once, and for those that start later."""
    t.start(log_level="info", workers=1)

    def debug_lines() -> set[str]:
        return {json.loads(line)["logger"] for line in t.provider_log().splitlines() if '"level":"debug"' in line}

    t.barrier()
    t.equal(debug_lines(), set(), "who logs at debug")
    t.provider.packetctl("loglevel", "debug")
    t.barrier()
    wait_for("everybody's debug lines", lambda: debug_lines() == {"supervisor", "watcher", "worker", "packet-gateway", "exporter"})
    t.provider.packetctl("loglevel", "info")
    worker = processes(t, "worker")
    t.provider.kill(worker[0]["pid"])
    wait_for("another worker", lambda: replaced(t, "worker", worker))
    t.provider.packetctl("status")
    quiet = t.provider.log.stat().st_size
    t.barrier()
    t.check(b'"level":"debug"' not in t.provider.log.read_bytes()[quiet:], "somebody still logs at debug")
    refusal(t, "loglevel", "loud")


@case(patient=True)
def jobs_limits_and_retry(t: T) -> None:
    """What is worked on, what Packet allows, and an object that is looked at because an operator wants it."""
    t.start(workers=2)
    t.packet.configure(latencyGetMs=10000)  # longer than packetctl needs to look once on a busy machine
    s = t.shoot().create()
    row = wait_for("its job", lambda: next((r for r in answer(t, "jobs") if r["object"] == f"{s.namespace}/{NAME}"), None))
    t.check(row["doing"], "no step")
    t.packet.configure(latencyGetMs=0)
    wait_for("the gateway's first numbers", lambda: "budget" in t.provider.packetctl("--json", "limits", check=False))
    t.check("Packet API:" in t.provider.packetctl("limits"), "limits for people")
    s.wait_state("Succeeded")
    first = s.key_id()
    t.packet.delete_key(first)
    t.equal(t.keys(s), [], "keys")

    def tried() -> bool:
        t.provider.packetctl("retry", f"{s.namespace}/{NAME}")
        return s.key_id() != first
    wait_for("another key", tried, interval=4)
    t.equal(len(t.keys(s)), 1, "keys")
    t.provider.packetctl("retry", "nobody/knows")
    wait_for("the log to say so", lambda: "asked to try an object that is not known here" in t.provider_log())


@case
def explain_and_events(t: T) -> None:
    """What is with an object: not there, in a worker's hands, settled, failed with its next try; and the runs of all."""
    t.start(workers=2)
    t.check("unknown" in refusal_of_unknown(t), "an object that is not there")
    t.packet.configure(latencyGetMs=3000)
    s = t.shoot().create()
    key = f"{s.namespace}/{NAME}"
    wait_for("it to be in a worker's hands", lambda: "a worker is at it" in explained(t, key).get("why", ""))
    t.packet.configure(latencyGetMs=0)
    s.wait_state("Succeeded")
    said = wait_for("it to be settled", lambda: (x := explained(t, key))["state"] == "settled" and x)
    t.equal([r["result"] for r in said["runs"]], ["done"], "results")
    t.check(said["runs"][0]["text"] and said["runs"][0]["reconcileID"] in t.provider_log(), f"its run {said['runs'][0]}")
    bad = t.shoot().create(secret={"apiToken": "a-wrong-token", "projectID": t.packet.project})
    bad.wait_state("Error")
    for_people = t.provider.packetctl("explain", f"{bad.namespace}/{NAME}")
    t.check("retry" in for_people or "held" in for_people, for_people)
    t.check("desired     generation 1, credentials in Secret" in for_people, for_people)
    t.check("The owner of the credentials must renew the token." in for_people, f"who must act: {for_people}")
    t.check("(ERR_INFRA_UNAUTHENTICATED)" in for_people, for_people)
    desired_and_actual(t, s, key)
    objects = [r["object"] for r in answer(t, "events")]
    t.equal({objects[0], objects[-1]}, {f"{bad.namespace}/{NAME}", key}, "the first and the last of all runs")


def desired_and_actual(t: T, s: Shoot, key: str) -> None:
    """What is wanted and what is there, as the object says it."""
    said = explained(t, key)
    t.equal(said["desired"]["secretName"], "cloudprovider", "its Secret")
    t.equal((said["actual"]["type"], said["actual"]["state"], said["actual"]["progress"]), ("Create", "Succeeded", 100), "lastOperation")
    t.equal((said["actual"]["sshKeyID"], said["actual"]["project"]), (s.key_id(), s.project), "its key")
    t.equal((said["actual"]["openAttempts"], said["actual"]["error"], said["actual"]["codes"]), (0, "", []), "nothing is open")


def explained(t: T, key: str) -> dict:
    text = t.provider.packetctl("--json", "explain", key, check=False)
    return json.loads(text) if text else {}


def refusal_of_unknown(t: T) -> str:
    """Exit status 1, and all the same an answer on standard output."""
    done = subprocess.run([str(t.build / "bin/packetctl"), "--runtime-dir", str(t.provider.runtime), "explain", "nobody/knows"],
                          stdout=subprocess.PIPE, text=True, timeout=30, env=t.provider.env)
    t.equal(done.returncode, 1, "exit status")
    return done.stdout
