"""What the arm64 image is made of, and that its programs run: each of them alone, then the whole tree without confinement."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from e2e.emulated import PROGRAM, Emulated
from e2e.harness import T, case
from e2e.procs import REPO, wait_for

AARCH64 = 183                   # EM_AARCH64
folder = Path()                 # what make image ARCH=arm64 wrote
ROLES = ("watcher", "worker", "packet-gateway", "exporter")


def locked(arch: str) -> dict[str, str]:
    """The locked version of each source package of that machine."""
    rows = [line.split() for line in (REPO / "deploy/lean/lock").read_text().splitlines()]
    return {r[1]: r[2] for r in rows if r and r[0] in ("source", arch)}


@case
def image_is_for_arm64(t: T) -> None:
    """Manifest and configuration say arm64; each program and library is of that machine; the SBOM has the locked versions."""
    index = json.loads((folder / "oci/index.json").read_text())
    blob = lambda d: json.loads((folder / "oci/blobs" / d["digest"].replace(":", "/")).read_text())
    first = index["manifests"][0]
    manifest = blob(first)
    t.equal((first["platform"]["architecture"], blob(manifest["config"])["architecture"]), ("arm64", "arm64"), "architecture")
    t.check(manifest["layers"][0]["size"] <= 10 << 20, "more than 10 MiB compressed")
    found = 0
    for path in (p for top in ("usr", "lib", "etc") for p in (Emulated.image.root / top).rglob("*") if p.is_file()):
        head = path.read_bytes()[:20]
        if head[:4] == b"\x7fELF":
            found += 1
            t.equal(int.from_bytes(head[18:20], "little"), AARCH64, f"machine of {path.relative_to(Emulated.image.root)}")
    t.equal(found, len(ROLES) + 2 + 2, "programs, the C library and its loader")
    packages, right = json.loads((folder / "sbom.spdx.json").read_text())["packages"], locked("arm64")
    t.equal({p["name"]: p["versionInfo"] for p in packages if right.get(p["name"]) != p["versionInfo"]}, {PROGRAM.rsplit("/", 1)[1]: (REPO / "VERSION").read_text().strip()},
            "versions in the SBOM that are not those of the lock")


@case
def programs_answer(t: T) -> None:
    """Each program says its version; the two for people their help, the same words as this machine's own build."""
    version = (REPO / "VERSION").read_text().strip()
    for path in (PROGRAM, "/usr/bin/packetctl", *(f"/usr/libexec/{r}" for r in ROLES)):
        done = Emulated.execute(path, "--version")
        t.check(done.returncode == 0 and version in done.stdout, f"{path} --version: {done.returncode} {done.stdout}{done.stderr}")
    for path in (PROGRAM, "/usr/bin/packetctl"):
        done = Emulated.execute(path, "--help")
        here = subprocess.run([t.build / "bin" / Path(path).name, "--help"], capture_output=True, text=True)
        t.equal((done.returncode, done.stdout), (0, here.stdout), f"{path} --help")


@case
def nothing_but_the_image(t: T) -> None:
    """The root is the image, read-only, the user 65532; each process is of its files."""
    p = t.start()
    for q in p.processes():
        maps = Path(f"/proc/{q['pid']}/maps").read_text()
        t.check("/usr/libexec/" in maps, f"the {q['role']} is not of the image")
        t.check("x86_64-linux-gnu" not in maps, f"the {q['role']} has a library of this machine")
        status = Path(f"/proc/{q['pid']}/status").read_text()
        t.check("NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status, f"the {q['role']} may gain rights")


@case
def what_is_missing_is_said(t: T) -> None:
    """Without seccomp and Landlock each child is shown as degraded; unless that was asked for none goes on."""
    p = t.start()
    t.check(all(q.get("degraded") for q in p.processes()), f"who is degraded: {p.processes()}")
    t.check("no system call is withheld" in p.packetctl("status"), "status does not say what is missing")
    p.stop()
    t.provider = None
    strict = Emulated(t.build, t.directory / "strict", t.kube.provider_kubeconfig, t.packet.url, t.packet.ca_file, lenient=False)
    t.others.append(strict)
    strict.start(wait=False)
    wait_for("a child that refuses to run", lambda: "cannot give up system calls" in strict.log.read_text())
    t.check(not strict.status(check=False).get("ready"), "it is ready without being confined")


@case
def crash_record_of_arm64(t: T) -> None:
    """A worker that is ended by a signal leaves where it was: the stack is unwound and its functions are named there too."""
    p = t.start()
    worker = p.processes("worker")[0]
    p.kill(worker["pid"], signal.SIGABRT)
    crash = wait_for("a crash record", lambda: json.loads(p.packetctl("--json", "crashes")))[0]
    t.equal((crash["role"], crash["how"]), ("worker", "SIGABRT"), "role and end")
    for where in ("zloop_start", "main"):
        t.check(any(f"({where}+" in line for line in crash["backtrace"]), f"no {where} in {crash['backtrace']}")
