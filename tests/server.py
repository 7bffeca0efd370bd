"""A real Jupyter server on loopback, for tests of what people click."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

TOKEN = "for-this-test-only"


class Server:
    """A running server; `request` speaks JSON with it."""

    def __init__(self, address: str) -> None:
        self.address = address

    def request(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """The answer to one request."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.address}{path}", data=data, method=method, headers={"Authorization": f"token {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.loads(response.read())


@contextmanager
def running(folder: Path, log: Path) -> Iterator[Server]:
    """A Jupyter server with every installed extension, started in `folder` as a shell does in the background: deaf to SIGINT."""
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
    command += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.disable_check_xsrf=True"]
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=file, preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
        )
        try:
            yield Server(_address(process, log))
        finally:
            process.terminate()
            process.wait(timeout=20)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"http://127\.0\.0\.1:(\d+)/", log.read_text())
        if match is not None and _listens(int(match[1])):  # it says so before it does
            return match[0]
        time.sleep(0.1)
    raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
