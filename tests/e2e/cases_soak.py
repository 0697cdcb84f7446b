"""The supervisor for a long time under random deaths of its children: it leaks nothing, leaves no zombie, and answers all the while."""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path

from .cases_clients import ASK_STATUS, descriptors, memory_kib
from .crowd import make, size, wait_succeeded
from .harness import T, case
from .procs import wait_for

KILLS_A_MINUTE = 110                  # a hundred, and time for looking


def zombies(pid: int) -> set[int]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) == pid:
            found.add(int(stat.parent.name))
    return found


def answer_ms(t: T) -> float:
    """How long the control socket takes for an answer, without the start of a process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(30)
        begun = time.monotonic()
        s.connect(str(t.provider.runtime / "control.sock"))
        s.send(bytes(ASK_STATUS))
        t.check(len(s.recv(1 << 20)) > 100, "no status")
        return (time.monotonic() - begun) * 1000


def whole(t: T) -> tuple[int, int]:
    """Descriptors and memory once all processes are back."""
    t.provider.wait_ready(180)
    time.sleep(2)
    pid = t.provider.supervisor()
    return descriptors(pid), memory_kib(pid, "RssAnon")


@case(patient=True)
def supervisor_under_kills(t: T) -> None:
    """A hundred random SIGKILLs of children a minute: descriptors and memory stay as they were, no zombie, the control socket answers."""
    seconds = size("KILLS_SECONDS", 30)
    t.start(workers=size("KILLS_WORKERS", 5))
    pid, random_ = t.provider.supervisor(), random.Random(1)
    begun, first, kills = time.monotonic(), None, 0
    answers, dead = [], set()
    while (now := time.monotonic() - begun) < seconds:
        victims = [p for p in t.provider.processes() if p["pid"] > 0]
        if victims and t.provider.kill(random_.choice(victims)["pid"]):
            kills += 1
        answers.append(answer_ms(t))
        still = zombies(pid)
        t.equal(still & dead, set(), "zombies that were there a moment ago")
        dead = still
        if first is None and now > min(60, seconds / 3):
            first = whole(t)
        time.sleep(60 / KILLS_A_MINUTE if victims else 0.05)
    last = whole(t)
    print(f"      {t.name}: {kills} kills in {seconds} s; descriptors {first[0]}, then {last[0]}; anonymous memory {first[1]} KiB, then {last[1]}; "
          f"the control socket answered {len(answers)} times, in {sorted(answers)[len(answers) * 99 // 100]:.1f} ms (p99), "
          f"{max(answers):.1f} ms at most", flush=True)
    t.equal(last[0], first[0], "descriptors")
    sanitized = "san" in t.build.name                 # its heap keeps what was freed
    t.check(sanitized or last[1] <= first[1] + 256, f"anonymous memory went from {first[1]} to {last[1]} KiB")
    wait_for("no zombie", lambda: not zombies(pid))
    t.check(max(answers) < 1000, f"the slowest answer took {max(answers):.0f} ms")
    wait_succeeded(t, make([t.shoot() for _ in range(5)]))
