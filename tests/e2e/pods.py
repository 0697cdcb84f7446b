"""Two whole process trees as two pods, the troubles that befall them, and the proof that only one of them ever wrote.

Trouble is one thread for each pod; verify_writers reads the audit log and the Packet ledger. Used by cases_pods.py.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Callable

from .audit import Request
from .namespaces import Namespace, Way
from .procs import Failure
from .provider import Provider

CONSUMER = "x-consumer-token"       # tells the pods apart in the Packet ledger
STOPPED = ("watcher", "packet-gateway", "worker", "supervisor")


@dataclass
class Pod:
    name: str
    namespace: Namespace
    kube: Way
    packet: Way
    provider: Provider
    troubles: dict[str, int] = field(default_factory=dict)
    down: bool = False          # waits for restart()

    def restart(self) -> None:
        """Only the test's main thread starts programs: they end with the thread that started them."""
        if self.down:
            self.provider.start(wait=False)
            self.down = False

    def close(self) -> None:
        self.provider.abandon()
        self.kube.close()
        self.packet.close()
        self.namespace.close()


class Trouble(threading.Thread):
    """One trouble after the other for one pod, until told to stop; then all is as if nothing had been.

    Never two at a time: bytes that a stopped or killed process has already given to the kernel would else wait in a cut link
    and arrive when another leads. Nothing that runs inside a pod can call those back; the lock by resourceVersion and the
    open attempts are for them, and other cases show those.
    """

    def __init__(self, pod: Pod, seed: int, longest: float) -> None:
        super().__init__(daemon=True)
        self.pod, self.random, self.longest = pod, random.Random(seed), longest
        self.done = threading.Event()
        self.trouble: Exception | None = None

    def run(self) -> None:
        kinds = [self.cut, self.slow, self.hold_kube, self.hold_packet, self.stop_one, self.stop_all, self.kill_one, self.kill_all]
        try:
            while not self.done.wait(self.random.uniform(0.2, self.longest / 4)):
                kind = self.random.choice(kinds)
                if kind():
                    self.pod.troubles[kind.__name__] = self.pod.troubles.get(kind.__name__, 0) + 1
        except Exception as e:
            self.trouble = e

    def finish(self) -> None:
        self.done.set()
        self.join(60)
        if self.trouble:
            raise self.trouble

    def _during(self, begin: Callable[[], None], end: Callable[[], None]) -> bool:
        begin()
        try:
            # Often shorter than the Lease, often longer.
            self.done.wait(self.longest * self.random.random())
        finally:
            end()
        return True

    def cut(self) -> bool:
        return self._during(self.pod.namespace.cut, self.pod.namespace.heal)

    def slow(self) -> bool:
        delay = self.random.uniform(0.02, 0.6)
        return self._during(lambda: self._ways(delay), lambda: self._ways(0.0))

    def _ways(self, delay: float) -> None:
        self.pod.kube.delay = self.pod.packet.delay = delay

    def hold_kube(self) -> bool:
        return self._during(lambda: setattr(self.pod.kube, "held", True), lambda: setattr(self.pod.kube, "held", False))

    def hold_packet(self) -> bool:
        return self._during(lambda: setattr(self.pod.packet, "held", True), lambda: setattr(self.pod.packet, "held", False))

    def _pids(self, roles: tuple[str, ...]) -> list[int]:
        p = self.pod.provider
        found = [q["pid"] for q in p.status(check=False).get("processes", []) if q["pid"] > 0 and q["role"] in roles]
        return found + ([p.child.pid] if "supervisor" in roles and found else [])

    def _signal(self, pids: list[int], sig: int) -> None:
        for pid in pids:
            self.pod.provider.kill(pid, sig)

    def stop_one(self) -> bool:
        pids = self._pids((self.random.choice(STOPPED),))[:1]
        return bool(pids) and self._during(lambda: self._signal(pids, signal.SIGSTOP), lambda: self._signal(pids, signal.SIGCONT))

    def stop_all(self) -> bool:
        pids = self._pids(STOPPED)
        # The supervisor first and last: it must not see the others hang.
        return bool(pids) and self._during(lambda: self._signal(pids[-1:] + pids[:-1], signal.SIGSTOP),
                                           lambda: self._signal(pids[:-1] + pids[-1:], signal.SIGCONT))

    def kill_one(self) -> bool:
        pids = self._pids((self.random.choice(STOPPED[:3]),))[:1]
        self._signal(pids, signal.SIGKILL)
        return bool(pids)

    def kill_all(self) -> bool:
        p = self.pod.provider
        if self.pod.down or self.random.random() < 0.5:
            return False
        p.child.process.kill()
        p.child.stop()
        self.done.wait(self.longest * self.random.random())
        self.pod.down = True
        return True


@dataclass
class Write:
    at: float               # when it arrived, seconds since 1970
    pod: str
    what: str
    applied: bool


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


Who = Callable[[Request], str]      # the pod that a request came from


def kube_writes(requests: list[Request], who: Who) -> list[Write]:
    """Every write to an Infrastructure or a Secret, applied or refused."""
    return [Write(_seconds(r.at), who(r), str(r), r.code < 300) for r in requests
            if r.verb in ("create", "update", "patch", "delete") and r.resource.split("/")[0] in ("infrastructures", "secrets")]


def packet_writes(ledger: list[dict]) -> list[Write]:
    """Every mutation that reached Packet, carried out or not."""
    found = []
    for e in ledger:
        if e["method"] in ("POST", "PUT", "DELETE"):
            pod = next((v for k, v in e["headers"].items() if k.lower() == CONSUMER), "?")
            found.append(Write(e["receivedMs"] / 1000, pod, f"{e['method']} {e['path']}", True))
    return found


def terms(requests: list[Request], who: Who, lease: str) -> list[tuple[float, str]]:
    """Who took the Lease, and when that write arrived: one entry for each change of hands."""
    found: list[tuple[float, str]] = []
    writes = [r for r in requests if r.resource == "leases" and r.name == lease and r.code < 300 and r.verb in ("create", "update")]
    for r in sorted(writes, key=lambda r: r.at):
        if not found or found[-1][1] != who(r):
            found.append((_seconds(r.at), who(r)))
    return found


def verify_writers(writes: list[Write], held: list[tuple[float, str]]) -> dict[str, int]:
    """No write of one pod after the other has taken the Lease, until it has taken it again. Returns the writes of each term's pod.

    Stronger than what the Lease alone gives: a writer ends before its term does (design 12.15), so that even what is under way
    has arrived. Times are those of arrival at servers on one machine with one clock.
    """
    count: dict[str, int] = {}
    at = -1
    for w in sorted(writes, key=lambda w: w.at):
        while at + 1 < len(held) and held[at + 1][0] <= w.at:
            at += 1
        if at < 0:
            raise Failure(f"{w.what} by {w.pod} before anybody held the Lease")
        if held[at][1] != w.pod:
            raise Failure(f"two writers: {w.what} by {w.pod} {1000 * (w.at - held[at][0]):.0f} ms after {held[at][1]} took the Lease"
                          f" ({'applied' if w.applied else 'refused'})")
        count[w.pod] = count.get(w.pod, 0) + 1
    return count
