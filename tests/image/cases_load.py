"""The tar that docker and podman load: they name it as we do and run it. Each has folders of its own; nothing of the machine's own is touched."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from e2e.container import VIEW
from e2e.harness import T, case
from e2e.procs import REPO, Child, Failure, Skip, tail, wait_for

NAME = "gardener-extension-provider-packet"
IMAGE = REPO / "build/image"
TAR = IMAGE / "image.tar"
# A daemon's usual limits are more than some machines allow.
RUN = ("run", "--rm", "--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges",
       "--ulimit=nofile=256:256", "--ulimit=nproc=1000:1000")


def need(*programs: str) -> None:
    for name in programs:
        if not shutil.which(name):
            raise Skip(f"{name} is not installed (tests/setup-debian containers)")


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
    need("podman")
    own = (*VIEW, "podman", "--root", t.directory / "root", "--runroot", t.directory / "run", "--storage-driver=vfs",
           "--cgroup-manager=cgroupfs", "--events-backend=file")
    try:
        check_runs(t, *own)
    finally:
        subprocess.run([*own, "rmi", "-a", "-f"], capture_output=True)


@case
def docker_loads_it(t: T) -> None:
    """docker load, and both programs say their version, restricted; by a daemon of its own."""
    need("docker", "dockerd")
    with daemon(t) as docker:
        check_runs(t, *docker)


@contextmanager
def daemon(t: T) -> Iterator[tuple[str, ...]]:
    """dockerd without any network; gives how docker is called."""
    run = Path(tempfile.mkdtemp(prefix="pp-docker-"))       # the paths of its sockets have room for about 100 characters
    docker = ("docker", "-H", f"unix://{run}/s")
    d = Child("dockerd", ["dockerd", f"--data-root={t.directory / 'data'}", f"--exec-root={run}", f"--pidfile={run}/pid",
                          f"--host=unix://{run}/s", "--bridge=none", "--iptables=false", "--ip6tables=false",
                          "--storage-driver=vfs"], t.directory)

    def answers() -> bool:
        if not d.alive():
            raise Skip(f"dockerd does not run here: {tail(d.log)}")
        return subprocess.run([*docker, "info"], capture_output=True).returncode == 0
    try:
        wait_for("dockerd to answer", answers)
        yield docker
    finally:
        d.stop(seconds=30)
        shutil.rmtree(run, ignore_errors=True)


@case
def skopeo_reads_it(t: T) -> None:
    """The OCI layout and the tar are the same image, of the platform and with the labels that we gave it."""
    need("skopeo")
    inspect = lambda where: json.loads(said("skopeo", "inspect", "--override-arch", "amd64", where))
    a, b = inspect(f"oci:{IMAGE}/oci"), inspect(f"docker-archive:{TAR}")
    for got in (a, b):
        t.equal((got["Os"], got["Architecture"]), ("linux", "amd64"), "platform")
        t.equal(got["Labels"]["org.opencontainers.image.title"], NAME, "title")
    t.equal(a["Created"], b["Created"], "when it was created")
    config = lambda where: json.loads(said("skopeo", "inspect", "--config", where))
    t.equal(config(f"oci:{IMAGE}/oci"), config(f"docker-archive:{TAR}"), "configuration")
