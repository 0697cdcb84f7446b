"""What is only for people: the live screen on a terminal, the shell's completion, and what they hand to others."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

from .harness import T, case
from .procs import Failure, wait_for
from .shoot import NAME

HERE = Path(__file__).resolve().parent
COMPLETION = HERE.parents[1] / "docs/completion/packetctl.bash"


class Screen:
    """A terminal of 40 lines and what a program writes to it."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, {**env, "TERM": "xterm"})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        self.text = ""

    def read_until(self, *words: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not all(w in self.text for w in words):
            if time.monotonic() > end:
                raise Failure(f"the screen does not show {words}: {self.text[-2000:]!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    return

    def end(self, key: str) -> int:
        os.write(self.fd, key.encode())
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        raise Failure(f"{key!r} does not end it")


@case
def live_screen(t: T) -> None:
    """packetctl top draws processes and the latest runs until q is typed, and refuses anything but a terminal."""
    t.start(workers=2)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    argv = [str(t.build / "bin/packetctl"), "--runtime-dir", str(t.provider.runtime), "top"]
    screen = Screen(argv, {**os.environ, **(t.provider.env or {})})
    screen.read_until("packet-gateway", "exporter", "LATEST RUNS", f"{s.namespace}/{NAME}", "Successfully reconciled")
    t.equal(screen.end("q"), 0, "exit status")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    t.equal((done.returncode, done.stdout), (2, ""), "without a terminal")
    t.check("is for a terminal" in done.stderr, done.stderr)


def completed(t: T, *words: str) -> list[str]:
    script = (f"source {COMPLETION}; COMP_WORDS=(packetctl --runtime-dir {t.provider.runtime} {' '.join(w or repr('') for w in words)}); "
              "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _packetctl; printf '%s\\n' \"${COMPREPLY[@]}\"")
    env = {**os.environ, "PATH": f"{(t.build / 'bin').resolve()}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True, timeout=20, env=env, check=True).stdout.split()


@case
def completion_for_bash(t: T) -> None:
    """Commands come from --help, words from the command, objects from the program that runs."""
    t.start(workers=1)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    t.equal(completed(t, "re"), ["retry", "resume", "restart", "reload"], "commands with re")
    t.equal(completed(t, "loglevel", ""), ["debug", "info", "error"], "levels")
    t.equal(completed(t, "restart", "w"), ["worker", "watcher"], "roles with w")
    t.equal(completed(t, "explain", "shoot"), [f"{s.namespace}/{NAME}"], "objects")
    t.equal(completed(t, "quarantine", ""), ["list", "release"], "words of quarantine")


@case
def bundle_for_others(t: T) -> None:
    """One JSON object with all that packetctl shows, and no credential; what cannot be had is named, the rest is there."""
    t.start(workers=2)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    pid = next(p["pid"] for p in t.provider.status()["processes"] if p["role"] == "worker")
    t.provider.kill(pid)
    wait_for("the crash record", lambda: json.loads(t.provider.packetctl("--json", "crashes")))
    text = t.provider.packetctl("bundle")
    t.equal([x for x in t.secrets if x in text], [], "credentials in it")
    bundle = json.loads(text)
    t.equal(sorted(bundle), ["about", "crashes", "events", "missing", "quarantine", "status"], "parts")
    t.equal(bundle["missing"], [], "missing")
    t.check(s.namespace in json.dumps(bundle["events"]), "the object's run is not among the events")
    t.equal(bundle["crashes"][0]["role"], "worker", "the newest crash")
    t.equal(len(bundle["status"]["processes"]), 5, "processes")
    nobody = subprocess.run([t.build / "bin/packetctl", "--runtime-dir", str(t.directory), "bundle"], capture_output=True, text=True)
    t.equal((nobody.returncode, json.loads(nobody.stdout)["missing"]), (3, ["status", "quarantine", "events"]), "without a supervisor")
