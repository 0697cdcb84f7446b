"""Kills parts of the program while it works, and proves afterwards from records what the kills hit.

Killer sends the SIGKILLs and notes what was under way at each; verify_* read the Packet ledger. Used by cases_chaos.py.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from dataclasses import dataclass, field

from .harness import T
from .procs import Failure
from .shoot import Shoot

ROLES = ("packet-gateway", "worker", "watcher")


@dataclass
class Kill:
    at_ms: int                     # wall clock, as in the ledger
    role: str
    pid: int
    doing: str                     # what packetctl said the killed process was doing
    busy_workers: list[str] = field(default_factory=list)   # the same of every worker that had a job

    def hit_job(self) -> bool:
        """A worker with a job of its own, or the watcher or gateway while some worker had one."""
        if self.role == "worker":
            return self.doing not in ("", "idle")
        return bool(self.busy_workers)


class Killer(threading.Thread):
    """Kills the roles in turn until told to stop; between two kills it waits for the tree to be whole again."""

    def __init__(self, t: T, seed: int, pause: float) -> None:
        super().__init__(daemon=True)
        self.t, self.random, self.pause = t, random.Random(seed), pause
        self.kills: list[Kill] = []
        self.done = threading.Event()
        self.trouble: Exception | None = None

    def run(self) -> None:
        try:
            turn = 0
            while not self.done.is_set():
                if self.kill_one(ROLES[turn % len(ROLES)]):
                    turn += 1
                    self.done.wait(self.pause * (0.5 + self.random.random()))
                else:
                    self.done.wait(0.01)
        except Exception as e:
            self.trouble = e

    def kill_one(self, role: str) -> bool:
        """One kill of that role, preferably at something that has work; False if there was none to kill just now."""
        provider = self.t.provider
        processes = provider.status(check=False).get("processes", [])
        ready = [p for p in processes if p["role"] == role and p["state"] == "ready" and p["pid"] > 0]
        busy = [p["doing"] for p in processes if p["role"] == "worker" and p.get("doing", "idle") not in ("", "idle")]
        if not ready:
            return False
        working = [p for p in ready if p.get("doing", "idle") not in ("", "idle")]
        victim = self.random.choice(working or ready)
        if role == "packet-gateway":
            self.wait_for_open_post()
        at = time.time_ns() // 1_000_000
        if provider.kill(victim["pid"], signal.SIGKILL):
            self.kills.append(Kill(at, role, victim["pid"], victim.get("doing", ""), busy))
            return True
        return False

    def wait_for_open_post(self) -> None:
        """Up to half a second until the simulator holds a POST whose answer is some time away. The worst moment to die in."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end and not self.done.is_set():
            now = time.time_ns() // 1_000_000
            if any(e["method"] == "POST" and (e["answerMs"] or 0) > now + 10 for e in self.t.packet.ledger_tail()):
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


def summary(kills: list[Kill], ledger: list[dict]) -> dict[str, int]:
    """What the kills hit, by trace (packetctl's "doing") and ledger."""
    ends_calls = ("packet-gateway", "watcher")         # their death ends the calls that are under way
    in_flight = [k for k in kills if k.hit_job() or (k.role in ends_calls and open_calls(ledger, k.at_ms))]
    return {
        "kills": len(kills),
        **{role: sum(1 for k in kills if k.role == role) for role in ROLES},
        "in flight": len(in_flight),
        "gateway within a POST": sum(1 for k in kills if k.role == "packet-gateway" and open_calls(ledger, k.at_ms, "POST")),
    }


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


def verify_list_before_repeat(ledger: list[dict], kills: list[Kill]) -> int:
    """A POST after one whose outcome was lost comes only after a complete list that was sent since. Returns the repeats."""
    lost_at = sorted(k.at_ms for k in kills)
    posts: dict[str, list[dict]] = {}
    for e in ledger:
        if e["method"] == "POST":
            posts.setdefault(e["body"]["label"], []).append(e)
    repeats = 0
    for label, tries in posts.items():
        for before, again in zip(tries, tries[1:]):
            repeats += 1
            unknown = [k for k in lost_at if before["receivedMs"] <= k < (before["answerMs"] or 2**62)]
            since = max([before["receivedMs"], *unknown])
            listed = [e for e in ledger if e["method"] == "GET" and e["kind"] == "project-keys" and e["status"] == 200
                      and e["fate"] == "answer" and e["receivedMs"] >= since and e["answerMs"] <= again["receivedMs"]]
            if not listed:
                raise Failure(f"{label}: posted again at {again['receivedMs']} without a list since {since}")
    return repeats
