"""A headless Chromium, driven over two pipes by the DevTools protocol: no port, no library."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE = 90.0
"""Seconds that an answer or a change may take on a busy machine."""
STILL = 4
"""Looks at an element that must find it in the same place before it is clicked."""
FREE_DESCRIPTOR = 10
"""The first one beyond those that the browser is given as 3 and 4."""
Message = dict[str, Any]


def installed() -> str | None:
    """Return where a Chromium is, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Chromium:
    """A browser with one page, its own empty profile, and everything that it said."""

    def __init__(self, program: str, profile: Path) -> None:
        self.events: list[Message] = []
        self._session: str | None = None
        self._answers: dict[int, Message] = {}
        self._said, self._asked = b"", 0
        profile.mkdir(parents=True)
        (its_in, self._to), (self._from, its_out) = _high(os.pipe()), _high(os.pipe())
        said = (profile / "said.txt", os.O_WRONLY | os.O_CREAT, 0o600)
        self._pid = os.posix_spawn(
            program,
            [program, *FLAGS, f"--user-data-dir={profile / 'profile'}", "about:blank"],
            {**os.environ, "HOME": str(profile)},
            setpgroup=0,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, its_in, 3),
                (os.POSIX_SPAWN_DUP2, its_out, 4),
                (os.POSIX_SPAWN_OPEN, 1, *said),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
        os.close(its_in)
        os.close(its_out)

    def __enter__(self) -> "Chromium":
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._to)  # which ends it
        os.close(self._from)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                return
            time.sleep(0.02)
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def ask(self, method: str, **params: Any) -> Message:
        """Send a command to the page, or to the browser before there is one; return its result."""
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while self._asked not in self._answers:
            self._receive()
        answer = self._answers.pop(self._asked)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: Message = answer["result"]
        return result

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        while not self.named("Page.loadEventFired"):
            self._receive()

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page, of a promise what it becomes."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true in the page."""
        until = time.monotonic() + PATIENCE
        while not self.run(f"!!({condition})"):
            assert time.monotonic() < until, f"never true: {condition}"
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of an element, which is brought into view."""
        mouse = {**self._middle(selector), "button": "left", "clickCount": 1}
        self.ask("Input.dispatchMouseEvent", type="mousePressed", **mouse)
        self.ask("Input.dispatchMouseEvent", type="mouseReleased", **mouse)

    def hover(self, selector: str) -> None:
        """Move the mouse to the middle of an element, which is brought into view."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", **self._middle(selector))

    def type(self, text: str) -> None:
        """Type into the element that has the focus."""
        self.ask("Input.insertText", text=text)

    def screen(self, width: int, height: int = 800, *, scheme: str = "light") -> None:
        """Make the page so many pixels wide, in the light or dark colour scheme."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media="", features=features)

    def on_paper(self) -> None:
        """Show the page as it would be printed."""
        self.ask("Emulation.setEmulatedMedia", media="print", features=[])

    def picture(self, *, whole: bool = False) -> bytes:
        """Return what is seen as a PNG, or the whole page."""
        answer = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def pdf(self) -> bytes:
        """Return the page as it would be printed."""
        return base64.b64decode(self.ask("Page.printToPDF")["data"])

    def named(self, method: str) -> list[Message]:
        """Return what was said of events of one name since the page was opened."""
        return [one["params"] for one in self.events if one["method"] == method]

    def faults(self) -> list[str]:
        """Return errors, warnings and exceptions on the console since the page was opened."""
        calls = self.named("Runtime.consoleAPICalled")
        said = [json.dumps(one["args"]) for one in calls if one["type"] in ("error", "warning")]
        thrown = [json.dumps(one) for one in self.named("Runtime.exceptionThrown")]
        logged = [json.dumps(one["entry"]) for one in self.named("Log.entryAdded")]
        return [*said, *thrown, *logged]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened."""
        return [one["request"]["url"] for one in self.named("Network.requestWillBeSent")]

    def _middle(self, selector: str) -> dict[str, float]:
        """Bring an element into view and return its middle, once nothing moves any more."""
        found = f"document.querySelector({json.dumps(selector)})"
        middle = (
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"({found}.getBoundingClientRect())"
        )
        seen: list[list[float]] = []
        until = time.monotonic() + PATIENCE
        while len(seen) < STILL or any(one != seen[-1] for one in seen[-STILL:]):
            self.run(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
            self.run("new Promise((done) => setTimeout(done, 20))")
            seen.append(self.run(middle))
            assert time.monotonic() < until, f"never still: {selector}"
        return {"x": seen[-1][0], "y": seen[-1][1]}

    def _receive(self) -> None:
        ready, _, _ = select.select([self._from], [], [], PATIENCE)
        assert ready, "the browser says nothing"
        part = os.read(self._from, 1 << 20)
        assert part, "the browser has ended"
        *whole, self._said = (self._said + part).split(b"\0")
        for message in map(json.loads, whole):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self.events.append(message)


def _high(pipe: tuple[int, int]) -> tuple[int, int]:
    """Return a pipe whose ends have numbers that are not 3 or 4."""
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FREE_DESCRIPTOR) for end in pipe]
    for end in pipe:
        os.close(end)
    return moved[0], moved[1]
