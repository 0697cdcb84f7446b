"""Cases about tokens: where they may stand, and that they stand nowhere else, whatever fails and whoever dies.

A token may be in the memory of the gateway while a grant refers to it, and in the watcher's while a Secret is read and handed
over. Needs root, to read the memory of processes that cannot be dumped.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
from pathlib import Path

from . import memory
from .harness import T, case
from .procs import Failure, Skip, wait_for
from .shoot import Shoot, new_key

ROLES = ("watcher", "packet-gateway", "worker")


def marker(t: T, known: bool = True) -> str:
    """A token that the harness too looks for after the case."""
    token = "marker-" + secrets.token_hex(16)
    t.secrets.append(token)
    if known:
        t.packet.admin("POST", "tokens", {"token": token, "kind": "user"})
    return token


def echo(t: T, status: int, token: str, count: int = -1) -> None:
    """Every answer to this token repeats it, in its text and as its request id."""
    t.packet.fault({"status": status, "text": f"token {token} is bad", "headers": {"X-Request-Id": token}}, count, token=token)


def traces(t: T, tokens: list[str]) -> dict[str, list[memory.Trace]]:
    """What the memory of each role holds of these tokens."""
    found: dict[str, list[memory.Trace]] = {"supervisor": []}
    found["supervisor"] += [x for token in tokens for x in memory.find(t.provider.supervisor(), token)]
    for p in t.provider.processes():
        if p["pid"] > 0:
            found.setdefault(p["role"], []).extend(x for token in tokens for x in memory.find(p["pid"], token))
    return found


def check_clean(t: T, tokens: list[str], roles: set[str] | None = None) -> None:
    """After a moment no memory of these roles (None: of any) holds a token."""
    found: list[str] = []

    def probe() -> bool:
        found[:] = [f"{role}: {x}" for role, places in traces(t, tokens).items() if roles is None or role in roles
                    for x in places]
        return not found
    try:
        wait_for("clean memories", probe, 5, 0.5)
    except Failure:
        raise Failure(f"a token stands in {len(found)} places of memory: {found[:3]}") from None


def check_silent(t: T, tokens: list[str]) -> None:
    """Neither log nor file nor object nor Event nor control answer nor command line holds a token, encoded or not."""
    texts = {"log": t.provider.log.read_bytes(), "status": t.provider.packetctl("--json", "status").encode()}
    texts["objects and Events"] = json.dumps([t.client.list("Infrastructure"), t.client.list("Event"),
                                              [t.recorder.versions(s.namespace, "infrastructure") for s in t.shoots]]).encode()
    for path in t.provider.runtime.rglob("*"):
        if path.is_file():
            texts[str(path)] = path.read_bytes()
    for pid in [t.provider.supervisor(), *(p["pid"] for p in t.provider.processes() if p["pid"] > 0)]:
        for name in ("cmdline", "environ"):
            texts[f"{name} of {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes()
    for token in tokens:
        for shape in memory.shapes(token):
            for name, text in texts.items():
                t.check(shape not in text, f"a token stands in {name}")


def crash(t: T, role: str, sig: int, shoot: Shoot) -> None:
    """Ends one of that role while a run begins, and waits until it is done all the same."""
    shoot.annotate("reconcile")
    pids = [p["pid"] for p in t.provider.processes(role) if p["pid"] > 0]
    t.provider.kill(pids[0], sig)
    t.provider.wait_ready()
    shoot.wait_state("Succeeded")


@case(packet=("C-7",))
def no_token_anywhere(t: T) -> None:
    """Created, rotated, refused with the token in the answer, crashed: no log, file, object or other memory holds a token."""
    if os.geteuid() != 0:
        raise Skip("reading the memory of the program's processes needs root")
    t.start_packet(latency_ms=20)
    tokens = [marker(t) for _ in range(6)]
    good, later, refused, limited, failing, silent = tokens
    t.start(workers=2, log_level="debug")
    first = t.shoot(good).create()
    first.wait_state("Succeeded")
    first.set_key(new_key(), "reconcile")
    first.wait_state("Succeeded")
    first.make_secret({"apiToken": later, "projectID": first.project})
    t.reconcile(first)

    for token, status, count in ((refused, 401, -1), (limited, 429, 2), (failing, 500, -1)):
        echo(t, status, token, count)
    others = [t.shoot(token).create() for token in (refused, limited, failing)]
    others[0].wait_state("Error")
    others[1].wait_state("Succeeded")
    others[2].wait_state("Error")
    check_silent(t, tokens)

    # While a call is under way the gateway holds its token: so the search finds what is there.
    t.packet.fault({"delayMs": 4000}, count=1, method="GET", token=silent)
    held = t.shoot(silent).create()
    wait_for("the call that takes its time", lambda: any(e["fault"] and e["method"] == "GET" and e["status"] == 200 for e in t.packet.ledger()))
    sanitized = "san" in t.build.name             # its heap keeps what was freed
    t.check(sanitized or traces(t, [silent])["packet-gateway"], "a token in use was not found in the gateway's memory")
    check_clean(t, tokens, {"supervisor", "worker", "exporter"} | (set() if sanitized else {"watcher"}))
    held.wait_state("Succeeded")

    for role in ROLES:
        for sig in (signal.SIGKILL, signal.SIGABRT):
            crash(t, role, sig, first)
    t.packet.clear_faults()
    first.delete()
    first.wait_gone()
    for s in (*others, held):
        s.annotate("reconcile")
    for s in (*others, held):
        s.wait_state("Succeeded")
    check_clean(t, tokens, {"supervisor", "worker", "exporter"} if sanitized else None)
    check_silent(t, tokens)

