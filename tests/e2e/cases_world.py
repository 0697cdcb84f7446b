"""A sample of tests/world's scenarios on real processes: the same users' actions and kills at the same times, the same end.

WORLD_SAMPLE names the seeds, separated by commas. Left out of a scenario is what only the world can do: clocks, links, lies of
workers; and what depends on how far the tree has come (moves between seeds have cases of their own, cases_migrate.py).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

from .harness import T, case
from .procs import Failure, wait_for
from .shoot import NAME, OPERATION, TIMESTAMP, Shoot, now_nano

LEFT_OUT = ("kube_fault,kube_twice,packet_fault,packet_slow,packet_out_ms,slow_frame,stop_every_ms,watch_break_every_ms,rival,"
            "outage_every_ms,freeze_every_ms,leases,list_lag_ms,packet_rate,moves,other_project,vandal_every_ms,check_every_ms,"
            "clock_step_every_ms,crash_loop,rogue,ignore_operation")


class Scenario:
    """One world's script, its names replaced by those of shoots of this run."""

    def __init__(self, t: T, seed: int) -> None:
        world = [str(t.build / "tests/world"), "--first", str(seed), "--script", "--off", LEFT_OUT]
        printed = subprocess.run(world, capture_output=True, text=True, check=True).stdout
        lines = [json.loads(line) for line in printed.splitlines()]
        self.t, self.random = t, random.Random(seed)
        self.wishes = [w for w in lines if "exists" in w]
        self.shoots = {w["namespace"]: t.shoot() for w in self.wishes}
        self.lines = [line for line in lines if "ms" in line]
        self.kills = 0

    def play(self) -> None:
        begun = time.monotonic()
        for line in self.lines:
            time.sleep(max(0.0, begun + line["ms"] / 1000 - time.monotonic()))
            if "kill" in line:
                self.kill(line["kill"])
            elif line["status"] // 100 == 2:
                self.act(line)

    def kill(self, role: str) -> None:
        ready = [p for p in self.t.provider.status(check=False).get("processes", [])
                 if p["role"] == role and p["state"] == "ready" and p["pid"] > 0]
        if ready and role != "supervisor" and self.t.provider.kill(self.random.choice(ready)["pid"], signal.SIGKILL):
            self.kills += 1

    def act(self, line: dict) -> None:
        text = json.dumps({"path": line["path"], "body": line["body"]})
        shoot = next(s for ns, s in self.shoots.items() if ns in text)
        for number, (ns, s) in enumerate(self.shoots.items()):
            text = text.replace(ns, s.namespace).replace(f'"w{number:02}"', f'"{NAME}"').replace(f"/w{number:02}", f"/{NAME}")
        request = json.loads(text)
        notes = ((request["body"] or {}).get("metadata") or {}).get("annotations") or {}
        if TIMESTAMP in notes:
            notes[TIMESTAMP] = now_nano()
        self.send(shoot, line["method"], request["path"], request["body"])

    def send(self, shoot: Shoot, method: str, path: str, body: dict | None) -> None:
        """As gardenlet: the old object must be gone before one of the same name is made."""
        if path.endswith("/secrets"):
            shoot.make_secret({"apiToken": shoot.token, "projectID": shoot.project})
            return
        if method == "PATCH":
            shoot.patch(body)
            return
        if method == "POST" and path.endswith("/infrastructures"):
            shoot.wait_gone()
        shoot.client.request(method, path, body)

    def check(self) -> None:
        for wish in self.wishes:
            shoot = self.shoots[wish["namespace"]]
            wait_for(f"{shoot.namespace} to be as wished: {wish}", lambda: self.is_as_wished(shoot, wish), seconds=300)

    def is_as_wished(self, shoot: Shoot, wish: dict) -> bool:
        obj, keys = shoot.get(), self.t.keys(shoot)
        if not wish["exists"]:
            return obj is None and keys == []
        if obj is None or [k["key"].strip() for k in keys] != ([wish["key"]] if wish["key"] else []):
            return False
        status, meta = obj.get("status", {}), obj["metadata"]
        shown = (status.get("providerStatus") or {}).get("sshKeyID")
        return (status.get("lastOperation", {}).get("state") == "Succeeded" and OPERATION not in meta.get("annotations", {})
                and status.get("observedGeneration") == meta["generation"] and shown == (keys[0]["id"] if keys else ""))


@case(patient=True)
def sample_of_the_worlds(t: T) -> None:
    """Scenarios that tests/world drew come to the same end on real processes, in the order and time that the world had them."""
    t.start()
    for seed in os.environ.get("WORLD_SAMPLE", "9,33,46").split(","):
        scenario = Scenario(t, int(seed))
        if not scenario.lines:
            raise Failure(f"the script of seed {seed} is empty")
        scenario.play()
        scenario.check()
        print(f"      {t.name}: seed {seed}: {len(scenario.wishes)} objects, {len(scenario.lines)} actions, {scenario.kills} kills", flush=True)
