"""Rows of a Packet API that limits or fails: what it costs in calls and time, and what users see of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .rig import Rig, Session, each
from .table import Row, Table

RATE = 20
SECONDS = 240


def create_all(rig: Rig, session: Session, count: int) -> float:
    """Creates so many at once; seconds from the first one's sight to the last one's Succeeded."""
    shoots = rig.shoots(count)
    each(shoots, lambda s: s.make_infrastructure())
    runs = [rig.onlooker.wait_run(s.namespace, seconds=SECONDS) for s in shoots]
    return max(e.at for _, e in runs) - min(b.at for b, _ in runs)


def rate(rig: Rig, table: Table) -> None:
    """200 objects while the API allows 20 calls a second."""
    count = rig.size(200, 40)
    with rig.session() as session:
        free = 2 * count / create_all(rig, session, count)
    for name, config, judged in (("limit of 20/s, announced", '{"rateHeaders":true}', True),
                                 ("limit of 20/s, to be found out", '{"rateRetryAfter":"none"}', False)):
        with rig.session(packet=(f"--rate={RATE}", f"--rate-burst={RATE}", f"--config={config}")) as session:
            took = create_all(rig, session, count)
            seen = Limited(took, session.packet.ledger(), session.packet.counters()["violations"], rig.onlooker.errors())
        add_rate(table, f"{count} objects, {name}", count, seen, free, judged)


@dataclass
class Limited:
    took: float            # seconds
    ledger: list[dict]
    violations: dict[str, int]
    errors: int

    def share(self) -> float:
        """Of the allowed rate, between the first call and the last."""
        seconds = (self.ledger[-1]["receivedMs"] - self.ledger[0]["receivedMs"]) / 1000
        return len(self.ledger) / seconds / RATE


def add_rate(table: Table, name: str, count: int, seen: Limited, free: float, judged: bool) -> None:
    """Where the API server alone keeps the program below the limit, the rows of time are shown and not judged."""
    floor = 2 * count / RATE          # the gateway begins every epoch with an empty bucket (design 12.6)
    timed = judged and free > 1.2 * RATE
    why = f"; without a limit {free:.1f} calls/s" + ("" if free > 1.2 * RATE else ": the API server is the limit here")
    statuses = ", ".join(f"{n}x {s}" for s, n in Counter(e["status"] for e in seen.ledger).items())
    table.add(Row(f"{name}: calls per object", [len(seen.ledger) / count], "", "<= 2.05", [2.05] if judged else [],
                  note=f"{statuses}; Go 3.5 to 4.9, Rust 8.1"))
    table.add(Row(f"{name}: times `Error` was shown", [seen.errors], "", "0", [0] if judged else [],
                  note="Go 230 to 460, Rust 1,036"))
    table.add(Row(f"{name}: time over the floor", [seen.took / floor], "", "<= 1.05", [1.05] if timed else [],
                  note=f"{seen.took:.1f} s, the floor is {floor:.1f} s{why}; Go 1.2 to 1.3, Rust 1.4"))
    table.add(Row(f"{name}: rate exceeded", [seen.violations["rate"] + seen.violations["duringPause"]], "calls", "never",
                  [0] if judged else [], note=f"the simulator's count: {seen.violations}"))
    table.add(Row(f"{name}: share of the rate used", [seen.share()], "", ">= 0.98", [0.98] if timed else [], True))


def faults(rig: Rig, table: Table) -> None:
    """200 objects while 20 % of the calls answer 500, or 20 % of the creates lose their answer."""
    count = rig.size(200, 30)
    cases = (("20 % of calls answer 500", {"status": 500}, {}, 2, "120, Rust 115"),
             ("20 % of creates lose their answer", {"fate": "reset", "commit": True}, {"method": "POST"}, 0, "54, Rust 42"))
    for name, fault, match, limit, before in cases:
        with rig.session(latency_ms=50) as session:
            session.packet.admin("POST", "faults", {"match": match, "count": -1, "percent": 20, "fault": fault})
            took = create_all(rig, session, count)
            errors, ledger, keys = rig.onlooker.errors(), session.packet.ledger(), len(session.packet.keys())
        table.add(Row(f"{count} objects, {name}: times `Error` was shown", [errors], "", f"<= {limit}", [limit],
                      note=f"{took:.1f} s, {len(ledger) / count:.2f} calls per object, {keys} keys at the end; Go {before}"))
