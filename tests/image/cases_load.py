"""The tar that docker and podman load: they name it as we do and run it. Needs either of them; nothing of the machine's own is touched."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from e2e.container import VIEW
from e2e.harness import T, case
from e2e.procs import REPO, Failure, Skip

NAME = "gardener-extension-provider-packet"
TAR = REPO / "build/image/image.tar"
# A daemon's usual limits are more than some machines allow.
RUN = ("run", "--rm", "--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges",
       "--ulimit=nofile=256:256", "--ulimit=nproc=1000:1000")


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise Failure(f"{command}: {done.stderr.strip()}")
    return done.stdout


def check_runs(t: T, *tool: str | Path) -> None:
    image = f"{NAME}:{(REPO / 'VERSION').read_text().strip()}"
    t.check(image in said(*tool, "load", "-i", TAR), f"it is not loaded as {image}")
    for program, path in ((NAME, f"/usr/bin/{NAME}"), ("packetctl", "/usr/bin/packetctl")):
        text = said(*tool, *RUN, f"--entrypoint={path}", image, "--version")
        t.check(text.startswith(program + " "), text)


@case
def podman_loads_it(t: T) -> None:
    """podman load, and both programs say their version, restricted."""
    if not shutil.which("podman"):
        raise Skip("podman is not installed")
    own = (*VIEW, "podman", "--root", t.directory / "root", "--runroot", t.directory / "run", "--storage-driver=vfs",
           "--cgroup-manager=cgroupfs", "--events-backend=file")
    try:
        check_runs(t, *own)
    finally:
        subprocess.run([*own, "rmi", "-a", "-f"], capture_output=True)


@case
def docker_loads_it(t: T) -> None:
    """docker load, and both programs say their version, restricted."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        raise Skip("no docker daemon answers")
    check_runs(t, "docker")
