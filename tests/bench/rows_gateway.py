"""Rows of the packet-gateway alone: what it adds to a call, and how many calls it makes through one credential."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid

from e2e.packetsim import PacketSim
from e2e.procs import Failure

from .rig import Rig
from .table import Row, Table

PARALLEL = 16


def gateway(rig: Rig, table: Table) -> None:
    """What the gateway adds to a call, and its calls a second without a limit, beside the same requests without it."""
    count = rig.size(4000, 1000)
    projects = [str(uuid.uuid4()) for _ in range(PARALLEL)]
    sim = PacketSim(rig.build, rig.directory / "gateway", 0, tuple(f"--project={p}" for p in projects)).start()
    try:
        series = load(rig, sim, projects, count)
    finally:
        sim.stop()
    one, bare = series["gateway"], series["bare"]
    many, bare_many = series["gateway_parallel"], series["bare_parallel"]
    table.add(Row("gateway: added latency per call, p50 / p99",
                  [(one[p] - bare[p]) / 1000 for p in ("p50_us", "p99_us")], "ms", "< 1 (p99)", [None, 1],
                  note=f"{one['p50_us'] / 1000:.2f} / {one['p99_us'] / 1000:.2f} ms, without it "
                       f"{bare['p50_us'] / 1000:.2f} / {bare['p99_us'] / 1000:.2f}; {count} lists one after the other, "
                       "messages there and back included"))
    table.add(Row("gateway: calls through one credential without a limit", [many["per_second"]], "1/s", "", [],
                  ratio=many["per_second"] / bare_many["per_second"],
                  note=f"{PARALLEL} at once; libcurl alone {bare_many['per_second']:.0f}/s; defaults: {defaults(rig)}"))


def load(rig: Rig, sim: PacketSim, projects: list[str], count: int) -> dict[str, dict[str, float]]:
    done = subprocess.run([str(rig.build / "tests/gateway-load"), "--gateway", str(rig.build / "libexec/packet-gateway"),
                           "--url", sim.url, "--ca", str(sim.ca_file), "--count", str(count),
                           *(f"--project={p}" for p in projects)], text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "GATEWAY_LOAD_TOKEN": sim.token})
    if done.returncode != 0:
        raise Failure(f"gateway-load ended with status {done.returncode}: {done.stderr.strip()[:300]}")
    return json.loads(done.stdout)


def defaults(rig: Rig) -> str:
    """The values that the program's own --help gives for what limits it."""
    text = subprocess.run([str(rig.build / "bin/gardener-extension-provider-packet"), "--help"], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    found = re.findall(r"--(packet-(?:rate|burst|parallel))=N\s.*?Default: ([0-9]+)", text, re.S)
    return ", ".join(f"--{name}={value}" for name, value in found)
