"""Rows of load: many creates and no-op reconciles at once, beside the bare generator on the same server in the same run.

Rates are compared over the time after the last object was created, so that creating them weighs on neither side.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Callable

from e2e.shoot import Shoot

from . import bare
from .onlooker import Seen
from .proc import Cpu, pss_kib
from .rig import Rig, Session, each
from .table import Row, Table

SEARCH_MS = 50     # what the generator takes the place of: the search beside the patches, the POST after them
MIB = 1024


@dataclass
class Load:
    """What a number of objects cost the program."""

    per_second: float = 0        # all in, the creating too
    steady: float = 0            # after the last one was created
    own_cpu: float = 0           # seconds for each object
    server_cpu: float = 0
    errors: int = 0
    by_role: dict[str, float] = field(default_factory=dict)


@dataclass
class Against:
    """The bare generator before and after the program, and what only asking for the objects costs the API server."""

    runs: list[bare.Bare] = field(default_factory=list)
    ask_cpu: float = 0          # seconds for each object

    def per_second(self) -> float:
        return sum(r.objects for r in self.runs) / sum(r.seconds for r in self.runs)

    def server_cpu(self) -> float:
        return sum(r.server_cpu for r in self.runs) / sum(r.objects for r in self.runs)

    def own_cpu(self) -> float:
        return sum(r.cpu_seconds for r in self.runs) / sum(r.objects for r in self.runs)


class Sampler(threading.Thread):
    """The largest sum of PSS, looked at once a second."""

    def __init__(self, tree: list[tuple[str, int]]) -> None:
        super().__init__(daemon=True)
        self._tree, self._done = tree, threading.Event()
        self.peak = 0
        self.start()

    def run(self) -> None:
        while not self._done.wait(1):
            self.peak = max(self.peak, sum(pss_kib(pid) for _, pid in self._tree))

    def stop(self) -> int:
        self._done.set()
        self.join(10)
        return self.peak


def load(rig: Rig, table: Table) -> None:
    """1,000 creates at once with 5 and with 20 workers, rates, CPU and memory, beside the bare generator."""
    shoots, few = rig.shoots(rig.size(rig.objects, 60)), rig.shoots(rig.size(200, 40))
    peak, writes = 0, Against()
    creates: dict[int, tuple[Load, Against]] = {}
    noops = (Load(), Against())
    for workers in (5, 20):
        against = Against()
        bare_creates(rig, few, against, workers, noops[1] if workers == 5 else None)
        created, noop, got_peak = with_program(rig, shoots, workers)
        bare_creates(rig, few, against, workers)
        creates[workers] = created, against
        if workers == 5:
            noops, peak = (noop, noops[1]), got_peak
    bare_run(rig, few, writes, 20, "--writes-only")
    add_rates(table, len(shoots), creates, writes)
    add_cpu(table, {"create": creates[5], "no-op": noops}, writes)
    table.add(Row(f"PSS of all processes: {len(shoots)} objects under load, peak", [peak / MIB], "MiB", "<= 30 (then 16, 11)",
                  [30], note="5 workers; Go 86, Rust 11"))


def bare_creates(rig: Rig, shoots: list[Shoot], creates: Against, parallel: int, noops: Against | None = None) -> None:
    """The generator instead of the program: creates, and no-op reconciles of the same objects if wanted."""
    bare_run(rig, shoots, creates, parallel, f"--search-ms={SEARCH_MS}", f"--pause-ms={SEARCH_MS}", clear=noops is None)
    if noops:
        bare_run(rig, shoots, noops, parallel, "--noop", f"--search-ms={SEARCH_MS}", ask=lambda s: s.annotate("reconcile"))


def bare_run(rig: Rig, shoots: list[Shoot], against: Against, parallel: int, *flags: str, clear: bool = True,
             ask: Callable[[Shoot], object] = Shoot.make_infrastructure) -> None:
    cpu = Cpu([bare.api_server(rig.kube)])
    each(shoots, ask)
    against.ask_cpu = cpu.used() / len(shoots)
    against.runs.append(bare.run(rig.build, rig.kube, versions(rig, shoots), parallel, *flags))
    if clear:
        rig.clear()


def versions(rig: Rig, shoots: list[Shoot]) -> list[tuple[str, str]]:
    """(namespace, resource version) of each, as loadgen wants them."""
    wanted = {s.namespace for s in shoots}
    listed = rig.client.list("Infrastructure")["items"]
    return [(o["metadata"]["namespace"], o["metadata"]["resourceVersion"]) for o in listed
            if o["metadata"]["namespace"] in wanted]


def with_program(rig: Rig, shoots: list[Shoot], workers: int) -> tuple[Load, Load, int]:
    """Creates of all, no-op reconciles of some of them, and the peak of PSS meanwhile."""
    with rig.session(workers=workers) as session:
        sampler = Sampler(session.tree())
        created = run(rig, session, shoots, Shoot.make_infrastructure)
        created.errors = rig.onlooker.errors()
        noop = run(rig, session, shoots[:rig.size(300, 20)], lambda s: s.annotate("reconcile")) if workers == 5 else Load()
        return created, noop, sampler.stop()


def run(rig: Rig, session: Session, shoots: list[Shoot], ask: Callable[[Shoot], object]) -> Load:
    """ask(shoot) for all at once, then wait until every one of them has done a whole run."""
    before = {n: seen[-1].version for n, seen in rig.onlooker.everything().items() if seen}
    tree = session.tree()
    own = {role: Cpu([pid for r, pid in tree if r == role]) for role, _ in tree}
    server = Cpu([bare.api_server(rig.kube)])
    each(shoots, ask)
    runs = [rig.onlooker.wait_run(s.namespace, before.get(s.namespace, 0) + 1, seconds=300) for s in shoots]
    per_second, steady = rates(runs)
    by_role = {role: cpu.used() / len(shoots) for role, cpu in own.items()}
    return Load(per_second, steady, sum(by_role.values()), server.used() / len(shoots), by_role=by_role)


def rates(runs: list[tuple[Seen, Seen]]) -> tuple[float, float]:
    """Objects per second from first to last, and from the time when all were there."""
    begin, all_there, end = min(b.at for b, _ in runs), max(b.at for b, _ in runs), max(e.at for _, e in runs)
    late = sum(1 for _, e in runs if e.at > all_there)
    return len(runs) / (end - begin), late / (end - all_there) if late > 1 else len(runs) / (end - begin)


def add_rates(table: Table, n: int, creates: dict[int, tuple[Load, Against]], writes: Against) -> None:
    for workers, before in ((5, "18 and 36"), (20, "20 and 45")):
        got, against = creates[workers]
        target, limit = (">= 0.90 of bare, ahead of Rust", 0.9) if workers == 20 else (">= 1.05 x Rust", None)
        table.add(Row(f"{n} creates at once, {workers} workers", [got.per_second], "/s", target, [], True,
                      got.steady / against.per_second(), limit,
                      note=f"ratio: {got.steady:.1f}/s after the last was created, the bare generator with {workers} in "
                           f"parallel {', '.join(f'{r.per_second:.1f}' for r in against.runs)}/s (before, after); `Error` "
                           f"shown {got.errors} times; Go and Rust on their machine {before}/s"))
    table.add(Row("bare generator: the three writes alone, 20 in parallel", [writes.per_second()], "/s", "(70 to 79 there)"))


def add_cpu(table: Table, found: dict[str, tuple[Load, Against]], writes: Against) -> None:
    generator = " / ".join(f"{against.own_cpu() * 1000:.2f}" for _, against in found.values())
    roles = ", ".join(f"{role} {cpu * 1000:.2f}" for role, cpu in found["create"][0].by_role.items())
    table.add(Row("own CPU per create / no-op", [got.own_cpu * 1000 for got, _ in found.values()], "ms", "<= 2 / <= 1.5", [2, 1.5],
                  ratio=found["create"][0].own_cpu / found["create"][1].own_cpu(),
                  note="user and system time of the whole tree; Go 16 / 9.5, Rust 2.0 / 1.9; the bare generator "
                       f"{generator}; a create: {roles}"))
    for name, (got, against) in found.items():
        ours = got.server_cpu - against.ask_cpu
        table.add(Row(f"API server's CPU per {name}", [ours * 1000], "ms", "<= 1.15 x bare", [], False,
                      ours / against.server_cpu(), 1.15,
                      note=f"the bare generator with the same requests {against.server_cpu() * 1000:.1f} ms; the "
                           f"{against.ask_cpu * 1000:.1f} ms of asking for it (POST, annotation) are taken off"))
    table.add(Row("API server's CPU for the three bare writes", [writes.server_cpu() * 1000], "ms", "(24 there)"))
