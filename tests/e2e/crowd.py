"""Many Shoots at once: made, waited for, compared with the keys in Packet, deleted. Sizes come from the environment.

Used by the cases that need a crowd; what the crowd meets on its way is in the cases.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from .harness import T
from .procs import wait_for
from .shoot import NAME, Shoot


def size(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


def prepare(shoots: list[Shoot]) -> list[Shoot]:
    """Everything of these Shoots but the Infrastructures."""
    def one(s: Shoot) -> None:
        s.make_namespace()
        s.make_secret({"apiToken": s.token, "projectID": s.project})
        s.make_cluster()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, shoots))
    return shoots


def make(shoots: list[Shoot]) -> list[Shoot]:
    """All of these Shoots; everything but the Infrastructures first, then those at once."""
    prepare(shoots)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda s: s.make_infrastructure(), shoots))
    return shoots


def states(t: T, shoots: list[Shoot]) -> dict[str, int]:
    """How many of them are in which state of lastOperation; deleted ones are not counted."""
    found: dict[str, int] = {}
    names = {s.namespace for s in shoots}
    for obj in t.client.list("Infrastructure")["items"]:
        if obj["metadata"]["namespace"] in names:
            state = obj.get("status", {}).get("lastOperation", {}).get("state", "none")
            found[state] = found.get(state, 0) + 1
    return found


def wait_succeeded(t: T, shoots: list[Shoot], seconds: float = 300) -> None:
    wait_for("all objects to be Succeeded", lambda: states(t, shoots) == {"Succeeded": len(shoots)}, seconds, 0.3)


def check_keys(t: T, shoots: list[Shoot]) -> None:
    """One key for each, with its label and its material, and its id in the object; no other keys."""
    keys = t.packet.keys()
    t.equal(sorted((k["label"], k["key"]) for k in keys), sorted((s.label, s.key) for s in shoots), "labels and keys")
    ids = {k["label"]: k["id"] for k in keys}
    for s in shoots:
        t.equal(s.key_id(), ids[s.label], f"sshKeyID of {s.namespace}")


def settled(shoots: list[Shoot]) -> list[Shoot]:
    """Those for which no request is on its way whose end nobody knows; the others' deletion waits for three minutes."""
    return [s for s in shoots if not (s.status().get("state") or {}).get("unsettled")]


def delete_all(t: T, shoots: list[Shoot], seconds: float = 300) -> None:
    """Deletes them at once; then neither object nor key may be left."""
    labels = {s.label for s in shoots}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda s: s.delete(), shoots))
    wait_for("all objects to be gone", lambda: states(t, shoots) == {}, seconds, 0.3)
    t.equal([k for k in t.packet.keys() if k["label"] in labels], [], "keys after everything was deleted")


def errors_shown(t: T, shoots: list[Shoot]) -> list[str]:
    """Every Error that any of them ever showed, as "namespace: text"; one that stands for several versions counts once."""
    shown = []
    for s in shoots:
        before = ""
        for v in t.recorder.versions(s.namespace, NAME):
            op = v.get("status", {}).get("lastOperation") or {}
            if op.get("state") == "Error" and before != "Error":
                shown.append(f"{s.namespace}: {op.get('description')}")
            before = op.get("state", "")
    return shown
