"""Owns child processes of the tests: start, wait, stop. Every child dies with the test (PDEATHSIG), whatever happens.

Never knows what a process is for. Used by realkube.py, simkube.py, packetsim.py and provider.py.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

REPO = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

# Deadlines only bound how long a broken thing is waited for; a loaded machine or a sanitizer build may stretch them.
SCALE = float(os.environ.get("E2E_TIMEOUT_SCALE", "1"))


class Failure(AssertionError):
    """What a case expected did not come."""


class Skip(Exception):
    """The case cannot run here; the text says why."""


def wait_for(what: str, probe: Callable[[], Any], seconds: float = 60, interval: float = 0.03) -> Any:
    """Calls probe until it answers something true, and returns that. Failure after `seconds` (times SCALE)."""
    end = time.monotonic() + seconds * SCALE
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise Failure(f"waited {seconds * SCALE:.0f} s in vain for {what}")
        time.sleep(interval)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One started program with its output in files below the run's folder."""

    def __init__(self, name: str, argv: list[str], directory: Path, env: dict[str, str] | None = None,
                 cwd: Path | None = None, stdout_pipe: bool = False) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._log_file = open(self.log, "ab")
        stdout = subprocess.PIPE if stdout_pipe else self._log_file
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=self._log_file,
                                        env=env, cwd=cwd, preexec_fn=_die_with_parent, start_new_session=True)

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def first_line(self, seconds: float = 20) -> str:
        """The first line of a child started with stdout_pipe (a server's ready line)."""
        out, got = self.process.stdout, b""
        end = time.monotonic() + seconds * SCALE
        while b"\n" not in got:
            left = end - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise Failure(f"{self.name} said nothing within {seconds * SCALE:.0f} s; log {self.log}")
            piece = os.read(out.fileno(), 65536)
            if not piece:
                raise Failure(f"{self.name} ended with status {self.process.wait()} before it was ready; "
                              f"its log: {tail(self.log)}")
            got += piece
        return got.split(b"\n", 1)[0].decode()

    def send(self, sig: int) -> None:
        if self.alive():
            self.process.send_signal(sig)

    def stop(self, sig: int = signal.SIGTERM, seconds: float = 15) -> int:
        """Asks it to end, kills it if it does not; returns its exit status (negative: the signal)."""
        self.send(sig)
        try:
            return self.process.wait(seconds * SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            if self.process.stdout:
                self.process.stdout.close()
            self._log_file.close()


def tail(path: Path, lines: int = 12) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError as e:
        return f"({e})"
