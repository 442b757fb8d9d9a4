"""Chromium with its hands on: keys, window, sound and pictures, over the pipe of its DevTools protocol.

Source: https://chromedevtools.github.io/devtools-protocol/; with `--remote-debugging-pipe` it reads commands from file
descriptor 3 and writes answers to 4, each JSON with a zero byte behind it.
"""

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.limits import HANG_S

_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
_PIPE = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null'
_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "Backspace": 8}
_CODES |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
_COMPLAINTS = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}


class Chromium:
    """A headless browser with one page."""

    def __init__(self, program: str, profile: Path) -> None:
        command = ["sh", "-c", _PIPE, "sh", program, *_FLAGS, "--no-first-run", "--hide-scrollbars"]
        self._process = subprocess.Popen(
            [*command, "--remote-debugging-pipe", f"--user-data-dir={profile}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._read, self._sent, self._session = b"", 0, {}
        self.complaints: list[Any] = []
        """What the page, its policy or the network complained of since `open`."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Returns the answer to a command."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters, **self._session}
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._sent:
            if answer.get("method") in _COMPLAINTS:
                self.complaints.append(answer["params"])
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        out = self._process.stdout.fileno()
        while b"\0" not in self._read:
            part = os.read(out, 1 << 20) if select.select([out], [], [], HANG_S)[0] else b""
            assert part, "the browser has gone, or doesn't answer"
            self._read += part
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)

    def evaluate(self, script: str) -> Any:
        """Returns the value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + HANG_S
        while not self.evaluate(script):
            assert time.monotonic() < end, f"never true: {script[:200]}"
            time.sleep(0.01)

    def open(self, page: Path, *, width: int, height: int = 800) -> None:
        """Opens a page anew in a window of this size, in CSS pixels."""
        self.call("Page.navigate", url="about:blank")
        self.complaints.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=page.as_uri())
        self.wait("location.protocol === 'file:' && document.readyState === 'complete'")

    def press(self, *keys: str) -> None:
        """Presses and releases keys, by their names or as what they write."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            named = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": _CODES.get(key, 0)}
            self.call("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": text} if text else {}))
            self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def picture(self) -> bytes:
        """Returns a PNG of what the window shows."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.communicate(timeout=HANG_S)
