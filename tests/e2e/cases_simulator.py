"""Cases that hold the simulated API server to the real one: the same requests, the same kubectl commands."""

from __future__ import annotations

from . import conformance, conformance_list
from .harness import T, case
from .procs import Skip
from .simkube import SimKube


@case
def simulator_conforms(t: T) -> None:
    """The simulator answers each request of the conformance list as the real API server does."""
    if t.kube.kind != "real":
        raise Skip("it starts a simulator beside the real server")
    sim = SimKube(t.build, t.directory / "beside")
    try:
        sim.start()
        found = conformance.compare(t.client, sim.client(), conformance_list.ALL)
    finally:
        sim.stop()
    t.check(not found, f"{len(found)} differences in {len(conformance_list.ALL)} requests:\n" + "\n".join(found))
