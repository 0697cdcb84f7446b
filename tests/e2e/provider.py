"""Starts the program under test, looks at it through packetctl, kills parts of it, and proves that nothing stays behind.

Owns the runtime directory and the log of one run of the program. Knows only its command line and packetctl.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from .procs import REPO, Child, Failure, tail, wait_for

EXPECTED_ROLES = ("watcher", "packet-gateway", "worker")
SANITIZER = re.compile(r"(ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|DEADLYSIGNAL).*")
RUN_ID = "E2E_PROVIDER_RUN"


class Provider:
    def __init__(self, build: Path, directory: Path, kubeconfig: Path, packet_url: str, packet_ca: Path | None,
                 annotation_mode: bool = True, workers: int = 5, leader_election: bool = False,
                 flags: tuple[str, ...] = (), env: dict[str, str] | None = None, log_level: str = "debug",
                 log_format: str = "json", runtime: Path | None = None, prefix: tuple[str, ...] = ()) -> None:
        self.build, self.directory = build.resolve(), directory
        directory.mkdir(parents=True, exist_ok=True)
        # Not below `directory`: the path of a socket has room for about 100 characters.
        self.runtime = runtime or Path(tempfile.mkdtemp(prefix="pp-"))
        self.run_id = uuid.uuid4().hex
        self.seen: dict[int, str] = {}          # every pid that packetctl ever named, and its role
        self.dying: set[int] = set()            # got a fatal signal from here, and may not be reaped yet
        self.child: Child | None = None
        self.argv = [
            *prefix,                            # of a program that becomes ours: ip netns exec
            str(build / "bin/gardener-extension-provider-packet"),
            f"--config-file={REPO / 'example/00-componentconfig.yaml'}",
            f"--ignore-operation-annotation={'false' if annotation_mode else 'true'}",
            f"--leader-election={'true' if leader_election else 'false'}",
            f"--packet-url={packet_url}", *([f"--packet-ca-file={packet_ca}"] if packet_ca else []), f"--workers={workers}",
            "--metrics-bind-address=127.0.0.1:0", "--health-bind-address=127.0.0.1:0",
            f"--runtime-dir={self.runtime}", f"--log-level={log_level}", f"--log-format={log_format}",
            f"--record={directory / 'record'}", *flags,
        ]
        self.env = {**os.environ, "KUBECONFIG": str(kubeconfig), "LEADER_ELECTION_NAMESPACE": "garden",
                    RUN_ID: self.run_id, **(env or {})}
        for name in ("PACKET_API_URL", "PACKET_CA_FILE", "PROVIDER_PACKET_LIBEXEC", "RUNTIME_DIRECTORY"):
            if name not in (env or {}):
                self.env.pop(name, None)

    def supervisor(self) -> int:
        """The pid of its first process."""
        return self.child.pid

    def kill_supervisor(self) -> None:
        """SIGKILL; it is gone when this returns, its children may not be."""
        self.child.process.kill()
        self.child.process.wait()

    def recordings(self) -> list[Path]:
        """The recorded jobs of its workers that are left."""
        return sorted((self.directory / "record").glob("*.job"))

    def start(self, wait: bool = True) -> "Provider":
        self.child = Child("provider", self.argv, self.directory, env=self.env, cwd=REPO)
        self.seen[self.child.pid] = "supervisor"
        if wait:
            self.wait_ready()
        return self

    @property
    def log(self) -> Path:
        return self.directory / "provider.log"

    def ask(self, *args: str) -> subprocess.CompletedProcess:
        """Runs packetctl where this program can be asked."""
        return subprocess.run([str(self.build / "bin/packetctl"), "--runtime-dir", str(self.runtime), *args],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, env=self.env)

    def packetctl(self, *args: str, check: bool = True) -> str:
        done = self.ask(*args)
        if check and done.returncode != 0:
            raise Failure(f"packetctl {' '.join(args)}: status {done.returncode}: {done.stderr.strip()}")
        return done.stdout if done.returncode == 0 else ""

    def status(self, check: bool = True) -> dict:
        """What `packetctl --json status` says; {} while nobody answers and check is False."""
        text = self.packetctl("--json", "status", check=check)
        try:
            got = json.loads(text) if text else {}
        except ValueError:
            raise Failure(f"packetctl --json status printed no JSON: {text[:200]}") from None
        for p in got.get("processes", []):
            if p.get("pid", 0) > 0:
                self.seen[p["pid"]] = p["role"]
        return got

    def processes(self, role: str | None = None) -> list[dict]:
        return [p for p in self.status().get("processes", []) if role in (None, p["role"])]

    def wait_ready(self, seconds: float = 30) -> None:
        def probe() -> bool:
            if not self.child.alive():
                raise Failure(f"the program ended with {self.child.process.returncode} while starting: {tail(self.log)}")
            self.dying = {pid for pid in self.dying if Path(f"/proc/{pid}").exists()}
            s = self.status(check=False)
            roles = {p["role"] for p in s.get("processes", []) if p["state"] == "ready"}
            return not self.dying and bool(s.get("ready")) and all(r in roles for r in EXPECTED_ROLES)
        wait_for(f"the program to be ready (log {self.log})", probe, seconds)

    def kill(self, pid: int, sig: int = signal.SIGKILL) -> bool:
        """Sends one of the program's own processes a signal; False if it was gone already."""
        if pid not in self.seen:
            raise Failure(f"{pid} is no process of this program")
        try:
            os.kill(pid, sig)
            if sig in (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV):
                self.dying.add(pid)
            return True
        except ProcessLookupError:
            return False

    def stop(self, sig: int = signal.SIGTERM, expect: int | None = 0) -> None:
        """Ordered stop; then nothing of it may be left: no process, no socket, no file in the runtime directory."""
        if not self.child:
            return
        if self.child.alive():
            self.status(check=False)
        code = self.child.stop(sig, seconds=40)
        self.child = None
        if expect is not None and code != expect:
            raise Failure(f"the program ended with status {code}, expected {expect}; log {self.log}: {tail(self.log)}")
        self.assert_nothing_left()

    def abandon(self) -> None:
        """End it in any way, without looking at what it leaves. For cleaning up after a failed case."""
        if self.child:
            self.child.process.kill()
            self.child.stop()
            self.child = None
        for pid in self.survivors():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.keep_crashes()
        shutil.rmtree(self.runtime, ignore_errors=True)

    def keep_crashes(self) -> None:
        """Crash records are meant to outlive the program; they go beside its log."""
        if (self.runtime / "crashes").exists():
            shutil.copytree(self.runtime / "crashes", self.directory / "crashes", dirs_exist_ok=True)
            shutil.rmtree(self.runtime / "crashes")

    def survivors(self) -> list[int]:
        """Its processes that still run: known by this run's mark in their environment, or by pid and program file."""
        mark, found = f"{RUN_ID}={self.run_id}".encode(), []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                    continue
                ours = int(entry.name) in self.seen and os.readlink(entry / "exe").startswith(str(self.build))
                if ours or mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def assert_nothing_left(self) -> None:
        end = time.monotonic() + 5
        while self.survivors() and time.monotonic() < end:
            time.sleep(0.05)
        left = self.survivors()
        if left:
            names = {p: self.seen.get(p, "?") for p in left}
            self.abandon()
            raise Failure(f"processes outlived the program: {names}")
        self.keep_crashes()
        files = [str(p) for p in self.runtime.rglob("*")] if self.runtime.exists() else []
        if files:
            raise Failure(f"files left in the runtime directory: {files}")
        if str(self.runtime) in Path("/proc/net/unix").read_text():
            raise Failure("a socket of the program is still open")
        shutil.rmtree(self.runtime, ignore_errors=True)

    def complaints(self, secrets: list[str]) -> list[str]:
        """What must never be in a log: a sanitizer's report, a secret, a line that is no JSON object."""
        found = []
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        m = SANITIZER.search(text)
        if m:
            found.append(f"sanitizer report in {self.log}: {m.group(0)}")
        found += [f"a secret stands in {self.log}" for s in secrets if s and s in text][:1]
        if not m:
            for n, line in enumerate(text.splitlines(), 1):
                if not _is_object(line):
                    found.append(f"{self.log}:{n} is no JSON object: {line[:120]}")
                    break
        return found


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
