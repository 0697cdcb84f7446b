"""A TLS forwarder on loopback that spoils the way to an API server without changing a byte of it.

Answers can come byte by byte, not at all for a while, or break off within an event of the watch. It ends TLS on both
sides, so that its pieces are those of HTTP; it speaks HTTP/1.1 only. Called by cases_ways.py.
"""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import threading
from pathlib import Path


class Mangler:
    def __init__(self, directory: Path, port: int, ca_file: Path) -> None:
        directory.mkdir(parents=True)
        self.ca_file = directory / "mangler.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", str(directory / "mangler.key"), "-out", str(self.ca_file), "-days", "2",
                        "-subj", "/CN=mangler", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
        self._near = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._near.load_cert_chain(self.ca_file, directory / "mangler.key")
        self._far = ssl.create_default_context(cafile=str(ca_file))
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.bytewise = False
        self.bytes_sent = self.cuts = 0
        self._flows = threading.Event()     # cleared: answers are held back
        self._flows.set()
        self._cut_after: int | None = None  # of the watch, so many more bytes
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def hold(self) -> None:
        self._flows.clear()

    def release(self) -> None:
        self._flows.set()

    def cut_watch_after(self, n: int) -> None:
        """The watch of Infrastructures breaks off when n more bytes of its answer have gone through."""
        self._cut_after = n

    def stop(self) -> None:
        self.release()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        """One thread for each connection: two of them must not use one SSLSocket at once."""
        near = far = raw
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            near = self._near.wrap_socket(raw, server_side=True)
            far = self._far.wrap_socket(socket.create_connection(self._target), server_hostname="127.0.0.1")
            self._forward(near, far)
        except OSError:
            pass
        near.close()
        far.close()

    def _forward(self, near: ssl.SSLSocket, far: ssl.SSLSocket) -> None:
        """Until one side ends or the connection is cut."""
        is_watch = False
        while True:
            ready, _, _ = select.select([near, far], [], [])
            if near in ready:
                question = _take(near)
                if question == b"":
                    return
                is_watch = is_watch or b"/infrastructures?watch=true" in (question or b"")
                far.sendall(question or b"")
            if far in ready:
                answer = _take(far)
                if answer:
                    self._flows.wait()
                if answer == b"" or (answer and self._pass_on(near, answer, is_watch)):
                    return

    def _pass_on(self, near: ssl.SSLSocket, data: bytes, is_watch: bool) -> bool:
        """Whether the connection is to be cut now."""
        cut = is_watch and self._cut_after is not None and self._cut_after < len(data)
        if cut:
            data, self._cut_after = data[:self._cut_after], None
            self.cuts += 1
        elif is_watch and self._cut_after is not None:
            self._cut_after -= len(data)
        step = 1 if self.bytewise else max(len(data), 1)
        for at in range(0, len(data), step):
            near.sendall(data[at:at + step])
        self.bytes_sent += len(data) if self.bytewise else 0
        return cut


def _take(s: ssl.SSLSocket) -> bytes | None:
    """All that has come, b"" at the end, None when it was nothing to hand on (TLS' own messages)."""
    data = b""
    s.settimeout(0)
    try:
        while part := s.recv(65536):
            data += part
        return data
    except ssl.SSLWantReadError:
        return data or None
    finally:
        s.settimeout(30)
