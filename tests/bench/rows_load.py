"""Rows of load: many creates and no-op reconciles at once, beside the bare generator on the same server in the same run.

Rates are compared over the time after the last object was created, so that creating them weighs on neither side.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

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


@dataclass
class Baseline:
    """The same of the bare generator, and what only making or annotating the objects costs the API server."""

    runs: dict[int, bare.Bare] = field(default_factory=dict)
    writes: bare.Bare | None = None
    noop: bare.Bare | None = None
    create_cpu: float = 0
    annotate_cpu: float = 0


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
    shoots = rig.shoots(rig.size(1000, 60))
    base = baseline(rig, rig.shoots(rig.size(300, 40)))
    five, peak, noop = with_program(rig, shoots, 5)
    twenty, _, _ = with_program(rig, shoots, 20)
    add_rates(table, len(shoots), base, five, twenty)
    add_cpu(table, base, five, noop)
    table.add(Row(f"PSS of all processes: {len(shoots)} objects under load, peak", [peak / MIB], "MiB", "<= 30 (then 16, 11)",
                  [30], note="5 workers; Go 86, Rust 11"))


def baseline(rig: Rig, shoots: list[Shoot]) -> Baseline:
    base = Baseline()
    for parallel in (5, 20):
        base.runs[parallel] = fresh(rig, shoots, base, parallel, f"--search-ms={SEARCH_MS}", f"--pause-ms={SEARCH_MS}")
        if parallel == 20:
            base.noop = annotated(rig, shoots, base)
        rig.clear()
    base.writes = fresh(rig, shoots, base, 20, "--writes-only")
    rig.clear()
    return base


def fresh(rig: Rig, shoots: list[Shoot], base: Baseline, parallel: int, *flags: str) -> bare.Bare:
    cpu = Cpu([bare.api_server(rig.kube)])
    each(shoots, lambda s: s.make_infrastructure())
    base.create_cpu = cpu.used() / len(shoots)
    return bare.run(rig.build, rig.kube, versions(rig, shoots), parallel, *flags)


def annotated(rig: Rig, shoots: list[Shoot], base: Baseline) -> bare.Bare:
    cpu = Cpu([bare.api_server(rig.kube)])
    each(shoots, lambda s: s.annotate("reconcile"))
    base.annotate_cpu = cpu.used() / len(shoots)
    return bare.run(rig.build, rig.kube, versions(rig, shoots), 5, "--noop", f"--search-ms={SEARCH_MS}")


def versions(rig: Rig, shoots: list[Shoot]) -> list[tuple[str, str]]:
    """(namespace, resource version) of each, as loadgen wants them."""
    wanted = {s.namespace for s in shoots}
    listed = rig.client.list("Infrastructure")["items"]
    return [(o["metadata"]["namespace"], o["metadata"]["resourceVersion"]) for o in listed
            if o["metadata"]["namespace"] in wanted]


def with_program(rig: Rig, shoots: list[Shoot], workers: int) -> tuple[Load, int, Load]:
    """Creates of all and no-op reconciles of some of them; the peak of PSS in between."""
    with rig.session(workers=workers) as session:
        sampler = Sampler(session.tree())
        created = run(rig, session, shoots, lambda s: s.make_infrastructure())
        peak = sampler.stop()
        some = shoots[:rig.size(300, 20)]
        noop = run(rig, session, some, lambda s: s.annotate("reconcile")) if workers == 5 else Load()
        created.errors = rig.onlooker.errors()
    return created, peak, noop


def run(rig: Rig, session: Session, shoots: list[Shoot], ask) -> Load:
    """ask(shoot) for all at once, then wait until every one of them has done a whole run."""
    before = {n: seen[-1].version for n, seen in rig.onlooker.everything().items() if seen}
    own, server = Cpu(session.pids()), Cpu([bare.api_server(rig.kube)])
    each(shoots, ask)
    runs = [rig.onlooker.wait_run(s.namespace, before.get(s.namespace, 0) + 1, seconds=300) for s in shoots]
    per_second, steady = rates(runs)
    return Load(per_second, steady, own.used() / len(shoots), server.used() / len(shoots))


def rates(runs: list[tuple[Seen, Seen]]) -> tuple[float, float]:
    """Objects per second from first to last, and from the time when all were there."""
    begin, all_there, end = min(b.at for b, _ in runs), max(b.at for b, _ in runs), max(e.at for _, e in runs)
    late = sum(1 for _, e in runs if e.at > all_there)
    return len(runs) / (end - begin), late / (end - all_there) if late > 1 else len(runs) / (end - begin)


def add_rates(table: Table, n: int, base: Baseline, five: Load, twenty: Load) -> None:
    for workers, got, before in ((5, five, "18 and 36"), (20, twenty, "20 and 45")):
        against = base.runs[workers]
        ratio = got.steady / against.per_second
        target, limit = (">= 0.90 of bare, ahead of Rust", 0.9) if workers == 20 else (">= 1.05 x Rust", None)
        table.add(Row(f"{n} creates at once, {workers} workers", [got.per_second], "/s", target, [], True, ratio, limit,
                      note=f"ratio: {got.steady:.1f}/s after the last was created, bare generator with {workers} in parallel "
                           f"{against.per_second:.1f}/s; `Error` shown {got.errors} times; Go and Rust elsewhere: {before}/s"))
    table.add(Row("bare generator: the three writes alone, 20 in parallel", [base.writes.per_second], "/s", "(70 to 79 there)"))


def add_cpu(table: Table, base: Baseline, five: Load, noop: Load) -> None:
    made, asked = base.runs[5], base.noop
    table.add(Row("own CPU per create / no-op", [five.own_cpu * 1000, noop.own_cpu * 1000], "ms", "<= 2 / <= 1.5", [2, 1.5],
                  note="user and system time of the whole tree; Go 16 / 9.5, Rust 2.0 / 1.9; the bare generator itself "
                       f"{made.cpu_seconds / made.objects * 1000:.2f} / {asked.cpu_seconds / asked.objects * 1000:.2f}"))
    for name, got, bare_run, ask in (("create", five, made, base.create_cpu), ("no-op", noop, asked, base.annotate_cpu)):
        ours, theirs = got.server_cpu - ask, bare_run.server_cpu / bare_run.objects
        table.add(Row(f"API server's CPU per {name}", [ours * 1000], "ms", "<= 1.15 x bare", [], False, ours / theirs, 1.15,
                      note=f"bare generator with the same requests {theirs * 1000:.1f} ms; the {ask * 1000:.1f} ms of asking "
                           "for it (POST or annotation) are taken off"))
    writes = base.writes
    table.add(Row("API server's CPU for the three bare writes", [writes.server_cpu / writes.objects * 1000], "ms", "(24 there)"))
