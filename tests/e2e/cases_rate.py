"""Cases of a Packet that limits: many objects at once under one credential, with and without the headers that announce it.

RATE_OBJECTS is the number of objects (40 with the simulator, 10 with the real API server). The arithmetic of the limit is
in tests/unit/test_gateway_rate_*.c; here the whole program meets it through real sockets and clocks.
"""

from __future__ import annotations

from .crowd import check_keys, errors_shown, make, size, wait_succeeded
from .harness import T, case
from .shoot import Shoot

RATE = 20


def crowd(t: T, headers: bool) -> list[Shoot]:
    t.start(packet={"latency_ms": 20, "flags": (f"--rate={RATE}", f"--rate-burst={RATE}")})
    t.packet.configure(rateHeaders=headers)
    shoots = [t.shoot() for _ in range(size("RATE_OBJECTS", 40 if t.kube.kind == "sim" else 10))]
    make(shoots)
    wait_succeeded(t, shoots)
    check_keys(t, shoots)
    ledger = t.packet.ledger()
    seconds = (ledger[-1]["receivedMs"] - ledger[0]["receivedMs"]) / 1000
    print(f"      {t.name}: {len(ledger)} calls for {len(shoots)} objects in {seconds:.1f} s, "
          f"{len(ledger) / seconds / RATE:.2f} of the rate, violations {t.packet.counters()['violations']}")
    return shoots


@case(packet=("C-37",))
def announced_limit(t: T) -> None:
    """40 objects, 20 calls a second announced by headers: never exceeded, no Error shown, one key each."""
    shoots = crowd(t, headers=True)
    violations = t.packet.counters()["violations"]
    t.equal((violations["rate"], violations["duringPause"]), (0, 0), "calls beyond the limit, calls in a pause")
    t.equal(errors_shown(t, shoots), [], "errors shown")


@case(packet=("C-35", "C-36"))
def silent_limit(t: T) -> None:
    """40 objects, 20 calls a second without a word: found out by a few 429s, none while told to wait, no Error shown."""
    shoots = crowd(t, headers=False)
    violations = t.packet.counters()["violations"]
    t.equal(violations["duringPause"], 0, "calls in a pause")
    t.check(violations["rate"] <= 10, f"{violations['rate']} calls were refused")
    t.equal(errors_shown(t, shoots), [], "errors shown")
