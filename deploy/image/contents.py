"""Says which files are in the image: the programs, the C library, CA certificates, six terminals, licences, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

USER = 65532
RUNTIME = "run/gardener-extension-provider-packet"
LOADER = {"amd64": ("x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"),
          "arm64": ("aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1")}
TERMINALS = ("linux", "screen", "screen-256color", "tmux-256color", "xterm", "xterm-256color")
# Without this file the C library asks DNS first: localhost would leave the pod.
NSSWITCH = b"hosts: files dns\n"


@dataclass(frozen=True)
class Entry:
    path: str
    data: bytes | None = None           # None: a folder
    mode: int = 0o644
    owner: int = 0


def programs(build: Path) -> list[Entry]:
    names = [*sorted((build / "bin").iterdir()), *sorted((build / "libexec").iterdir())]
    return [Entry(f"usr/{p.parent.name}/{p.name}", p.read_bytes(), 0o755) for p in names]


def c_library(root: Path, arch: str) -> list[Entry]:
    triplet, loader = LOADER[arch]
    libc = root / "lib" / triplet / "libc.so.6"
    ld = root / "lib" / triplet / Path(loader).name
    return [Entry(f"lib/{triplet}/libc.so.6", libc.read_bytes(), 0o755), Entry(loader, ld.read_bytes(), 0o755)]


def certificates(root: Path) -> bytes:
    """Mozilla's, as Debian ships them; not the machine's own bundle, to which anybody may have added."""
    found = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    if len(found) < 50:
        raise SystemExit("no CA certificates: install ca-certificates")
    return b"".join(p.read_bytes().rstrip(b"\n") + b"\n" for p in found)


def terminal(root: Path, name: str) -> bytes:
    for folder in ("lib/terminfo", "usr/share/terminfo"):
        path = root / folder / name[0] / name
        if path.exists():
            return path.read_bytes()
    raise SystemExit(f"no terminfo entry {name}: install ncurses-base and ncurses-term")


def licences(repo: Path, build: Path, root: Path, lock: list[dict]) -> list[Entry]:
    found = {"README": (repo / "docs/licences.md").read_bytes(), "gardener-extension-provider-packet": (repo / "LICENSE").read_bytes()}
    for p in lock:
        ours = build / "deps/copyright" / p["name"]
        found[p["name"]] = (ours if p["built"] else root / "usr/share/doc" / p["binary"] / "copyright").read_bytes()
    for common in ("Apache-2.0", "GPL-2", "GPL-3", "LGPL-2.1", "LGPL-3", "MPL-2.0"):     # what those texts refer to
        found[f"common/{common}"] = Path("/usr/share/common-licenses", common).read_bytes()
    return [Entry(f"usr/share/licenses/{k}", v) for k, v in found.items()]


def entries(repo: Path, build: Path, root: Path, arch: str, lock: list[dict]) -> list[Entry]:
    found = [*programs(build), *c_library(root, arch), *licences(repo, build, root, lock),
             Entry("etc/ssl/certs/ca-certificates.crt", certificates(root)), Entry("etc/nsswitch.conf", NSSWITCH),
             *(Entry(f"usr/share/terminfo/{t[0]}/{t}", terminal(root, t)) for t in TERMINALS)]
    folders = {str(p) for e in found for p in Path(e.path).parents} - {"."}
    # A container's runtime mounts over some; with a read-only root it cannot make them.
    folders |= {"run", "tmp", "proc", "sys", "dev"}
    return [*found, *(Entry(f, None, 0o1777 if f == "tmp" else 0o755) for f in folders), Entry(RUNTIME, None, 0o700, USER)]
