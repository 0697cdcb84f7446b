"""Kills parts of the program while it works, and proves afterwards from records what the kills hit.

Killer sends the SIGKILLs and notes what was under way at each; verify_* read the Packet ledger. Used by cases_chaos.py.
"""

from __future__ import annotations

import datetime
import json
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .harness import T
from .procs import Failure
from .shoot import Shoot

ROLES = ("packet-gateway", "worker", "watcher")
SILENT_MS = 15_000                 # a call without a byte for so long is given up (packet-gateway/transfer.c)


@dataclass
class Kill:
    at_ms: int                     # wall clock, as in ledger and log
    role: str
    pid: int


@dataclass
class Job:
    """From the watcher's trace: given to a worker, until its answer or its death."""

    worker: int
    from_ms: int
    to_ms: int


class Killer(threading.Thread):
    """Kills the roles in turn until told to stop; between two kills it waits for the tree to be whole again."""

    def __init__(self, t: T, seed: int, pause: float, roles: tuple[str, ...] = ROLES) -> None:
        super().__init__(daemon=True)
        self.roles = roles
        self.t, self.random, self.pause = t, random.Random(seed), pause
        self.kills: list[Kill] = []
        self.done = threading.Event()
        self.trouble: Exception | None = None

    def run(self) -> None:
        try:
            turn = 0
            while not self.done.is_set():
                if self.kill_one(self.roles[turn % len(self.roles)]):
                    turn += 1
                    self.done.wait(self.pause * (0.5 + self.random.random()))
                else:
                    self.done.wait(0.01)
        except Exception as e:
            self.trouble = e

    def kill_one(self, role: str) -> bool:
        """One kill of that role, at a moment with work under way; False if there was none to kill just now."""
        provider = self.t.provider
        self.wait_for_call("POST" if role == "packet-gateway" else None)
        processes = provider.status(check=False).get("processes", [])
        ready = [p for p in processes if p["role"] == role and p["state"] == "ready" and p["pid"] > 0]
        if not ready:
            return False
        if role == "packet-gateway":
            self.wait_for_call("POST")
        victim = self.random.choice(ready)
        at = time.time_ns() // 1_000_000
        if provider.kill(victim["pid"], signal.SIGKILL):
            self.kills.append(Kill(at, role, victim["pid"]))
            return True
        return False

    def wait_for_call(self, method: str | None) -> None:
        """Up to half a second until the simulator holds such a call whose answer is some time away."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end and not self.done.is_set():
            soon = time.time_ns() // 1_000_000 + 10
            if any(method in (None, e["method"]) and (e["answerMs"] or 0) > soon for e in self.t.packet.ledger_tail()):
                return
            time.sleep(0.005)

    def finish(self) -> list[Kill]:
        self.done.set()
        self.join(30)
        if self.trouble:
            raise self.trouble
        return self.kills


def open_calls(ledger: list[dict], at_ms: int, method: str | None = None) -> list[dict]:
    """Calls that the simulator had received and not answered at that moment."""
    return [e for e in ledger if e["receivedMs"] <= at_ms < (e["answerMs"] or 2**62) and method in (None, e["method"])
            and not e["late"]]


def read_jobs(log: Path) -> list[Job]:
    """The jobs of every worker that ever lived, from the program's log at level debug."""
    open_jobs: dict[int, int] = {}
    jobs: list[Job] = []
    for line in log.read_text(errors="replace").splitlines():
        if '"JOB"' not in line and '"DONE"' not in line and "a process died" not in line:
            continue
        e = json.loads(line)
        at = int(datetime.datetime.fromisoformat(e["ts"]).timestamp() * 1000)
        if e["logger"] == "watcher" and e.get("name") == "JOB" and e.get("way") == "out" and e.get("verdict") == "sent":
            open_jobs[e["pid"]] = at
        elif (e["logger"] == "watcher" and e.get("name") == "DONE" and e.get("way") == "in") or e["msg"] == "a process died":
            if e["pid"] in open_jobs:
                jobs.append(Job(e["pid"], open_jobs.pop(e["pid"]), at))
    return jobs + [Job(pid, at, 2**62) for pid, at in open_jobs.items()]


def hit(kill: Kill, jobs: list[Job], ledger: list[dict]) -> bool:
    """Did it end a job (a worker's own, or any, since watcher and gateway take their workers with them) or a call?"""
    for job in jobs:
        if job.from_ms <= kill.at_ms < job.to_ms and (kill.role != "worker" or job.worker == kill.pid):
            return True
    return kill.role == "packet-gateway" and bool(open_calls(ledger, kill.at_ms))


def summary(kills: list[Kill], jobs: list[Job], ledger: list[dict]) -> dict[str, int]:
    """What the kills hit, by the program's trace and the ledger."""
    within = [k for k in kills if k.role == "packet-gateway" and open_calls(ledger, k.at_ms, "POST")]
    return {"kills": len(kills), **{role: sum(1 for k in kills if k.role == role) for role in ROLES},
            "in flight": sum(1 for k in kills if hit(k, jobs, ledger)), "gateway within a POST": len(within)}


def verify_no_key_twice(ledger: list[dict], shoots: list[Shoot]) -> None:
    """At most one create was ever carried out for each label."""
    made: dict[str, int] = {}
    for e in ledger:
        if e["method"] == "POST" and e["committed"]:
            made[e["body"]["label"]] = made.get(e["body"]["label"], 0) + 1
    twice = {label: n for label, n in made.items() if n != 1}
    if twice:
        raise Failure(f"keys that were created more than once: {twice}")
    missing = [s.label for s in shoots if s.label not in made]
    if missing:
        raise Failure(f"no create in the ledger for {missing[:5]}")


def unknown_since(post: dict, kills: list[Kill]) -> int:
    """When the outcome of this POST could be known to be unknown: its answer, or the death of the gateway before it."""
    hang = post["fate"] == "hang"
    end = post["receivedMs"] + SILENT_MS if hang else post["answerMs"] or post["receivedMs"]
    deaths = [k.at_ms for k in kills if k.role == "packet-gateway" and post["receivedMs"] <= k.at_ms < end]
    # The gateway measures from the sending, which comes a little before the arrival.
    return max(deaths) if deaths else end - (1000 if hang else 0)


def verify_list_before_repeat(ledger: list[dict], kills: list[Kill]) -> int:
    """A POST after another one comes only after a complete list of its project that was sent once the other's outcome was
    unknown. Returns the repeats."""
    posts: dict[str, list[dict]] = {}
    lists: dict[str, list[dict]] = {}
    for e in ledger:
        if e["method"] == "POST":
            posts.setdefault(e["body"]["label"], []).append(e)
        elif e["method"] == "GET" and e["kind"] == "project-keys" and e["status"] == 200 and e["fate"] == "answer":
            lists.setdefault(e["projectId"], []).append(e)
    repeats = 0
    for label, tries in posts.items():
        for before, again in zip(tries, tries[1:]):
            repeats += 1
            since = unknown_since(before, kills)
            if not any(e["receivedMs"] >= since and e["answerMs"] <= again["receivedMs"]
                       for e in lists.get(again["projectId"], [])):
                raise Failure(f"{label}: posted again at {again['receivedMs']} without a list since {since}")
    return repeats
