"""The built book, and a browser that can reach nothing but files."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from landcarbon.course import doctor

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Build the book with warnings as errors; `.args` ends with the folder of the pages."""
    out = tmp_path_factory.mktemp("book")
    build = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", build, "build", "-W", "--keep-going", "--path-output", str(out),
         str(ROOT)],
        capture_output=True, text=True, encoding="utf-8", errors="replace", cwd=ROOT,
        env=os.environ | {"PYTHONUTF8": "1", "NO_COLOR": "1"},
    )
    result.args = [*result.args, str(out / "_build" / "html")]
    return result


class Page:
    """One page of a browser, driven over its debugging socket."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.requests: list[str] = []
        self.errors: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.loop.run_until_complete(self._browser.send(self, method, params))

    def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        self.call("Network.enable")
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.resize(width, height)
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 20) -> bool:
        """Wait until a JavaScript condition holds; False when it never does."""
        for _ in range(int(seconds * 10)):
            if self.evaluate(f"Boolean({condition})"):
                return True
            self._browser.loop.run_until_complete(asyncio.sleep(0.1))
        return False

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode={"ArrowRight": 39, "ArrowLeft": 37, "Enter": 13, "Escape": 27}[key])


class Browser:
    """Headless Chromium that reaches this machine and no other."""

    def __init__(self, program: str, profile: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.targets: list[str] = []
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--allow-file-access-from-files",
             "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
             "--remote-debugging-port=0", "--remote-allow-origins=*",
             f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        port_file = profile / "DevToolsActivePort"
        self.loop.run_until_complete(self._connect(port_file))

    async def _connect(self, port_file: Path) -> None:
        from tornado.websocket import websocket_connect

        for _ in range(300):
            lines = port_file.read_text("utf-8").split() if port_file.exists() else []
            if len(lines) == 2:
                break
            await asyncio.sleep(0.1)
        else:
            raise RuntimeError("the browser opened no debugging port within 30 seconds")
        self.socket = await websocket_connect(
            f"ws://127.0.0.1:{lines[0]}{lines[1]}", max_message_size=2**28
        )
        self.number = 0

    async def send(self, page: Page | None, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if page is not None:
            message["sessionId"] = page.session
        await self.socket.write_message(json.dumps(message))
        while True:
            raw = await asyncio.wait_for(self.socket.read_message(), 60)
            assert raw is not None, "the browser closed the connection"
            answer = json.loads(raw)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            if page is not None and answer.get("sessionId") == page.session:
                event = answer.get("params", {})
                if answer["method"] == "Network.requestWillBeSent":
                    page.requests.append(event["request"]["url"])
                if answer["method"] == "Runtime.exceptionThrown":
                    page.errors.append(json.dumps(event["exceptionDetails"]))

    @contextmanager
    def stranger(self) -> Iterator[Page]:
        """A page of somebody who was never here: nothing is kept from before, nothing afterwards."""
        run = self.loop.run_until_complete
        context = run(self.send(None, "Target.createBrowserContext", {}))
        try:
            yield self.page(**context)
        finally:
            run(self.send(None, "Target.disposeBrowserContext", context))

    def page(self, **context: str) -> Page:
        """A page; in the reader's own context, unless another is named, until its test has ended."""
        page = Page(self)
        run = self.loop.run_until_complete
        blank = {"url": "about:blank", **context}
        target = run(self.send(None, "Target.createTarget", blank))["targetId"]
        if not context:
            self.targets.append(target)
        attached = run(
            self.send(None, "Target.attachToTarget", {"targetId": target, "flatten": True})
        )
        page.session = attached["sessionId"]
        return page

    def close_pages(self) -> None:
        while self.targets:
            self.loop.run_until_complete(self.send(None, "Target.closeTarget", {"targetId": self.targets.pop()}))

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(10)
        self.loop.close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = doctor.browser()
    if program is None:
        pytest.skip(f"no browser found; looked for {', '.join(doctor.BROWSERS)}")
    browser = Browser(program, tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """One browser for all tests; the pages of a test are closed with it, each holds 100 MB and more."""
    yield chromium
    chromium.close_pages()
