"""Runs the bare load generator (loadgen.c) against objects made for it, and reads what the API server spent on it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

from e2e.procs import Failure

from .proc import Cpu


@dataclass(frozen=True)
class Bare:
    objects: int
    seconds: float
    per_second: float
    requests: int
    cpu_seconds: float
    server_cpu: float          # of the API server, for the whole run


def run(build, kube, objects: list[tuple[str, str]], parallel: int, *flags: str) -> Bare:
    """objects: (namespace, resource version). flags as in loadgen.c. It uses the program's own user."""
    cpu = Cpu([api_server(kube)])
    done = subprocess.run([str(build / "tests/loadgen"), "--server", kube.url, "--ca", str(kube.ca_file),
                           "--parallel", str(parallel), *flags], text=True, timeout=600,
                          input="".join(f"{ns} {version}\n" for ns, version in objects),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "LOADGEN_TOKEN": kube.provider_token})
    if done.returncode != 0:
        raise Failure(f"the bare generator ended with status {done.returncode}: {done.stderr.strip()[:300]}")
    return Bare(**json.loads(done.stdout), server_cpu=cpu.used())


def api_server(kube) -> int:
    """The process that answers Kubernetes requests (etcd apart)."""
    pids = kube.pids()
    return pids.get("kube-apiserver") or next(iter(pids.values()))
