"""A TCP forwarder on loopback that can break: closes its port and every connection, and opens the same port again.

Stands between the program and a server that cannot be stopped without losing its data. Knows nothing of TLS or HTTP.
"""

from __future__ import annotations

import socket
import threading


class BreakableProxy:
    def __init__(self, host: str, port: int) -> None:
        self.target, self.port = (host, port), 0
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._pairs: set[socket.socket] = set()
        self.mend()

    def mend(self) -> None:
        """Listens, on the port it had before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def break_all(self) -> None:
        """Refuses new connections and cuts those that are open."""
        with self._lock:
            if self._listener:
                self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
                self._listener = None
            for s in self._pairs:
                _shut(s)
            self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            with self._lock:
                if self._listener is not listener:
                    near.close()
                    far.close()
                    return
                self._pairs |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        _shut(source)
        _shut(target)
        with self._lock:
            self._pairs -= {source, target}


def _shut(s: socket.socket) -> None:
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
