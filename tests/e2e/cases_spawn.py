"""Processes that cannot be started, or die too often: no busy loop, the others go on, and it is said loudly until it is mended."""

from __future__ import annotations

import errno
import json
import resource
import time
from pathlib import Path

from .cases_clients import descriptors
from .cases_metrics import get, samples
from .cases_restart import processes, settled
from .crowd import make, wait_succeeded
from .harness import T, case
from .procs import wait_for
from .saboteur import library, with_saboteur


def said(t: T, msg: str) -> list[dict]:
    return [line for text in t.provider_log().splitlines() if f'"msg":"{msg}"' in text and (line := json.loads(text))]


def start(t: T) -> Path:
    """Two workers, from programs of the case's own."""
    libexec = t.own_programs()
    t.start(workers=2, env={"PROVIDER_PACKET_LIBEXEC": str(libexec)})
    return libexec


def kill_one(t: T) -> int:
    pid = processes(t, "worker")[0]["pid"]
    t.provider.kill(pid)
    return pid


@case(outside="nobody can take a program out of an image")
def a_program_that_is_missing(t: T) -> None:
    """The worker's program is gone when one is to be started: tried ever more seldom, told each time, and taken up once it is back."""
    libexec = start(t)
    (libexec / "worker").rename(libexec / "gone")
    kill_one(t)
    wait_for("three failures", lambda: len(said(t, "could not start a process")) >= 3)
    before, begun = len(said(t, "could not start a process")), time.monotonic()
    t.barrier()                                       # the other worker goes on
    time.sleep(1)
    rate = (len(said(t, "could not start a process")) - before) / (time.monotonic() - begun)
    t.check(rate < 20, f"{rate:.0f} tries a second")
    t.equal(said(t, "could not start a process")[0]["error"], "No such file or directory", "error")
    (libexec / "gone").rename(libexec / "worker")
    wait_for("both workers", lambda: t.provider.status()["ready"], 60)
    wait_succeeded(t, make([t.shoot() for _ in range(4)]))


@case(outside="limits of a process in a container cannot be changed from without")
def no_descriptor_is_left(t: T) -> None:
    """The supervisor may open nothing more: it starts nothing, says why, answers its clients, and goes on when it may again."""
    start(t)
    pid = t.provider.supervisor()
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(pid) - 1, usual[1]))
    kill_one(t)
    wait_for("a failure", lambda: [x for x in said(t, "could not start a process") if x["error"] == "Too many open files"])
    t.barrier()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    wait_for("both workers", lambda: t.provider.status()["ready"], 60)
    wait_succeeded(t, make([t.shoot() for _ in range(4)]))


@case
def fork_fails(t: T) -> None:
    """No memory and no further process for the supervisor: tried ever more seldom, told each time, and all is well once it works."""
    why = t.directory / "fork"
    t.start(workers=2, env={"LD_PRELOAD": library(t), "SABOTEUR_FORK": str(why)})
    for number, sentence in ((errno.EAGAIN, "Resource temporarily unavailable"), (errno.ENOMEM, "Cannot allocate memory")):
        why.write_text(str(number))
        kill_one(t)
        failures = lambda: [x for x in said(t, "could not start a process") if x["error"] == sentence]   # noqa: E731
        wait_for(f"three times '{sentence}'", lambda: len(failures()) >= 3)
        before, begun = len(failures()), time.monotonic()
        t.barrier()                                   # the other worker goes on
        time.sleep(1)
        rate = (len(failures()) - before) / (time.monotonic() - begun)
        t.check(rate < 20, f"{rate:.0f} tries a second")
        why.unlink()
        wait_for("both workers, and no streak that would park them", lambda: t.provider.status()["ready"] and
                 all(settled(p) for p in processes(t, "worker")), 60)
    wait_succeeded(t, make([t.shoot() for _ in range(4)]))


@case(patient=True)
def parked_and_revived(t: T) -> None:
    """A worker that dies at once, again and again, is parked: status, metric, log and /readyz say so; restart tries it at once."""
    with_saboteur(t, workers=1)
    flag = t.directory / "refuse-worker"
    flag.touch()
    kill_one(t)
    wait_for("it to be parked", lambda: processes(t, "worker")[0]["state"] == "parked", 120)
    t.equal(len(said(t, "a process died too often and is parked")), 1, "lines of the log")
    wait_for("the metric", lambda: [v for labels, v in samples(get(t.provider, "metrics", "/metrics")[1])["provider_packet_process_parked"]
                                    if labels["role"] == "worker"] == [1])
    status, text = get(t.provider, "health", "/readyz")
    t.check(status != 200 and "worker" in text, f"/readyz says {status} {text!r}")
    flag.unlink()
    t.provider.packetctl("restart", "worker")
    wait_for("a worker", lambda: t.provider.status()["ready"], 20)
    t.barrier()
