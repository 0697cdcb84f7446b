"""Cases that hold the simulated API server to the real one: the same requests, the same kubectl commands."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Iterator

from . import conformance, conformance_list, kubectl_list
from .harness import T, case
from .procs import REPO, Failure, Skip
from .simkube import SimKube


@contextmanager
def _beside(t: T) -> Iterator[SimKube]:
    """A simulator beside the server of the run."""
    sim = SimKube(t.build, t.directory / "beside")
    try:
        yield sim.start()
    finally:
        sim.stop()


@case
def simulator_conforms(t: T) -> None:
    """The simulator answers each request of the conformance list as the real API server does."""
    if t.kube.kind != "real":
        raise Skip("it starts a simulator beside the real server")
    with _beside(t) as sim:
        found = conformance.compare(t.client, sim.client(), conformance_list.ALL)
    t.check(not found, f"{len(found)} differences in {len(conformance_list.ALL)} requests:\n" + "\n".join(found))


def _debian_kubectl() -> Path:
    done = subprocess.run([str(REPO / "tests/realkube/kubectl-debian")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode == 3:
        raise Skip("there is no Debian package of kubectl 1.20 here")
    if done.returncode != 0:
        raise Failure(f"kubectl 1.20 cannot be had: {done.stderr.strip()}")
    return Path(done.stdout.strip())


def _run_kubectl(t: T, program: Path, old: bool) -> None:
    """The whole list on the server of this run; if that is the real one, on a simulator beside it too, and compared."""
    ns = t.name.replace("_", "-")
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        kubes = [t.kube]
        if t.kube.kind == "real":
            kubes.append(stack.enter_context(_beside(t)))
        clients = [kube.client() for kube in kubes]
        stack.callback(lambda: [client.delete("Namespace", "", ns) for client in clients])
        for step in kubectl_list.STEPS:
            if old and step.newer:
                continue
            if not step.args:
                for client in clients:
                    step.deed(client, ns)
                continue
            got = list(pool.map(lambda kube, client: kubectl_list.run(program, kube.admin_kubeconfig, step, client, ns),
                                kubes, clients))
            for kube, (status, out, err) in zip(kubes, got):
                t.check(status == step.status and step.has in out + err,
                        f"kubectl {step.args} on {kube.kind}: status {status}, wanted {step.status} and {step.has!r}: {out}{err}")
            if len(got) > 1 and step.form:
                found = conformance.differences(*(kubectl_list.comparable(step, out) for _, out, _ in got))
                t.check(not found, f"kubectl {step.args}: " + "\n".join(found))


@case(kubernetes=(71,))
def kubectl_1_20(t: T) -> None:
    """Debian's unmodified kubectl 1.20 finds on the simulator what it finds on the real server, for each command of a list."""
    _run_kubectl(t, _debian_kubectl(), old=True)


@case(kubernetes=(71,))
def kubectl_1_34(t: T) -> None:
    """So does kubectl 1.34, as it is built from its module."""
    _run_kubectl(t, t.kube.kubectl, old=False)
