"""Starts the program out of an image for another machine: its files alone, each process run by qemu-user through binfmt_misc.

Called by tests/image/run-arm64, inside a user, mount and pid namespace of its own, where binfmt_misc can be told of qemu without
the rest of this machine noticing. The program is not root (65532 in one more user namespace), sees the image as its root, read-only,
and beside it /proc, /dev and /tmp. Same interface as provider.Provider.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from .container import USER, Image
from .procs import REPO
from .provider import Provider

QEMU = "/usr/bin/qemu-aarch64-static"
ENTER = ["unshare", "-U", f"--map-user={USER}", f"--map-group={USER}", "-w", "/", "-R"]     # and the folder that becomes the root
# Of ELF's head: 64 bit, little-endian, a program or a shared object, AArch64.
HEAD = bytes.fromhex("7f454c460201010000000000000000000200b700")
MASK = bytes.fromhex("ffffffffffffff00fffffffffffffffffeffffff")
PROGRAM = "/usr/bin/gardener-extension-provider-packet"


def _escaped(data: bytes) -> str:
    return "".join(f"\\x{b:02x}" for b in data)


def mount(*args: str) -> None:
    subprocess.run(["mount", *args], check=True, stderr=subprocess.PIPE, text=True)


def register(folder: Path) -> str:
    """Tells this user namespace's binfmt_misc of qemu. Returns why that cannot be, or nothing.

    F: qemu is opened here and now, whatever a program's root is. P: argv[0] stays as the supervisor gives it.
    """
    if not Path(QEMU).exists():
        return f"no {QEMU}: tests/setup-debian qemu"
    try:
        mount("-t", "binfmt_misc", "binfmt_misc", str(folder))
        (folder / "register").write_text(f":arm64-image:M::{_escaped(HEAD)}:{_escaped(MASK)}:{QEMU}:FP")
    except (subprocess.CalledProcessError, OSError) as e:
        return f"no binfmt_misc for a user namespace here (Linux 6.7 has it): {getattr(e, 'stderr', '') or e}".strip()
    return ""


def furnish(image: Image) -> None:
    """What a container's runtime mounts, the example's configuration, and then nothing of it can be written any more."""
    root = image.root
    example = root / str(REPO / "example").lstrip("/")
    for folder in (root / "proc", root / "dev", root / "tmp", example):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy("/etc/hosts", root / "etc/hosts")
    mount("--bind", str(root), str(root))
    mount("--bind", str(REPO / "example"), str(example))
    mount("-t", "proc", "proc", str(root / "proc"))
    for folder in ("dev", "tmp"):
        mount("--rbind", f"/{folder}", str(root / folder))
    mount("-o", "remount,bind,ro", str(root))


class Emulated(Provider):
    image: Image

    def __init__(self, *args: object, flags: tuple[str, ...] = (), lenient: bool = True, **options: object) -> None:
        super().__init__(*args, flags=(*flags, *(["--confinement=lenient"] if lenient else [])), **options)
        self.argv = [*self.prefix(), PROGRAM, *self.argv[1:]]

    @classmethod
    def prefix(cls) -> list[str]:
        return [*ENTER, str(cls.image.root)]

    @classmethod
    def execute(cls, *command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        return subprocess.run([*cls.prefix(), *command], capture_output=True, text=True, timeout=60, env=env)

    def ask(self, *args: str) -> subprocess.CompletedProcess:
        return self.execute("/usr/bin/packetctl", "--runtime-dir", str(self.runtime), *args, env=self.env)

    def complaints(self, secrets: list[str]) -> list[str]:
        """qemu says by itself that a signal ended what it ran; every other line is the program's."""
        if self.log.exists():
            self.log.write_text(re.sub(r"(?m)^qemu: uncaught target signal \d+ .*\n", "", self.log.read_text(errors="replace")))
        return super().complaints(secrets)

    def survivors(self) -> list[int]:
        """As there, and the children by the folder of their sockets: the file that they run is qemu's."""
        found, folder = set(super().survivors()), str(self.runtime).encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "exe") == QEMU and folder in (entry / "environ").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue
        return sorted(found)
