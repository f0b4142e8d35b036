"""A headless Chromium, told what to do through its pipe: pages opened, clicked, and typed into.

It has no package beside it. A click is one of the mouse, at the middle of what is clicked; what is
waited for is waited for in the page.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_PATIENCE_MS = 60_000
# The browser reads commands from 3 and writes to 4.
_RUN = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])"""
# Resolves once `find` gives something; the page is looked at after each of its changes.
_WAIT = """new Promise((done, fail) => {
  const find = () => { try { return (%s); } catch { return null; } };
  const late = setTimeout(() => fail(new Error("waited in vain")), %d);
  const look = () => { const found = find(); if (!found) return false;
    clearTimeout(late); watch.disconnect(); done(found === true ? true : String(found)); return true; };
  const watch = new MutationObserver(look);
  watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  look();
})"""
# Whatever a person would call it: a button or link by its text, a field by its label.
_NAMED = """[...document.querySelectorAll('button, a, summary, label, [role=tab]')].find(
  (one) => one.textContent.trim() === %s && one.getClientRects().length)"""


@dataclass
class Browser:
    """One page of a browser."""

    write: Any
    read: Any
    session: str = ""
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    _last: int = 0
    _loads: int = 0

    def tell(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol, and what it gives."""
        self._last += 1
        sent = {"id": self._last, "method": method, "params": params}
        sent |= {"sessionId": self.session} if self.session else {}
        self.write.write(json.dumps(sent).encode() + b"\0")
        self.write.flush()
        while True:
            message = self._next()
            if message.get("id") == self._last:
                assert "error" not in message, message["error"]
                return message["result"]

    def _next(self) -> dict[str, Any]:
        raw = bytearray()
        while (byte := self.read.read(1)) != b"\0":
            assert byte, "the browser is gone"
            raw += byte
        message = json.loads(raw)
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        if message.get("method") == "Page.loadEventFired":
            self._loads += 1
        if message.get("method") == "Runtime.exceptionThrown":
            self.said.append(str(params["exceptionDetails"]))
        if message.get("method") == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        return message

    def open(self, url: str, *, loads: int = 1) -> None:
        """The page at `url`, loaded; `loads`: how many pages follow on each other there."""
        before = self._loads
        self.tell("Page.navigate", url=url)
        self._until_loaded(before + loads)

    def _until_loaded(self, loads: int) -> None:
        while self._loads < loads:
            self._next()

    def value(self, script: str) -> Any:
        """What a script gives, once it is there."""
        told = self.tell(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, (script, told["exceptionDetails"], self.shown())
        return told["result"].get("value")

    def shown(self) -> str:
        """The page's text."""
        told = self.tell("Runtime.evaluate", expression="document.body.innerText")
        return told["result"]["value"]

    def wait(self, find: str) -> Any:
        """What `find` gives, as soon as it gives something."""
        return self.value(_WAIT % (find, _PATIENCE_MS))

    def wait_for(self, text: str) -> None:
        """Until the page shows `text`."""
        self.wait(f"document.body?.innerText.includes({json.dumps(text)})")

    def click(self, text: str, *, loads: bool = False) -> None:
        """Click what is called so, with the mouse; `loads`: it opens another page."""
        self.press(_NAMED % json.dumps(text), loads=loads)

    def press(self, find: str, *, loads: bool = False) -> None:
        """Click the element that a script finds."""
        self.wait(find)
        place = self.value(
            f"(() => {{ const one = {find}; one.scrollIntoView({{block: 'center'}});"
            " const box = one.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        before = self._loads
        for kind in ("mousePressed", "mouseReleased"):
            self.tell(
                "Input.dispatchMouseEvent",
                type=kind,
                x=place[0],
                y=place[1],
                button="left",
                clickCount=1,
            )
        if loads:
            self._until_loaded(before + 1)

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.tell("Input.insertText", text=text)

    def key(
        self, key: str, code: int, *, modifiers: int = 0, commands: tuple[str, ...] = ()
    ) -> None:
        """A key pressed and let go; `modifiers` 2 is Control."""
        for kind in ("rawKeyDown", "keyUp"):
            self.tell(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=f"Key{key.upper()}" if len(key) == 1 else key,
                windowsVirtualKeyCode=code,
                modifiers=modifiers,
                commands=list(commands) if kind == "rawKeyDown" else [],
            )


@contextmanager
def browsing(width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """A browser of its own, with a page that is this large."""
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory(prefix="studio-browser-", ignore_cleanup_errors=True) as home:
        to_read, to_write = os.pipe(), os.pipe()  # what it reads, and what it writes
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        options += [f"--user-data-dir={home}/profile", "--remote-debugging-pipe", "about:blank"]
        options += ["--disable-background-networking", "--disable-component-update"]
        command = [sys.executable, "-c", _RUN, str(to_read[0]), str(to_write[1]), PROGRAM]
        process = subprocess.Popen(
            [*command, *options],
            pass_fds=(to_read[0], to_write[1]),
            env={"HOME": home, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read[0])
        os.close(to_write[1])
        with (
            os.fdopen(to_read[1], "wb") as write,
            os.fdopen(to_write[0], "rb", buffering=1 << 16) as read,
        ):
            try:
                yield _page(Browser(write, read), width, height)
            finally:
                process.kill()
                process.wait(60)


def _page(browser: Browser, width: int, height: int) -> Browser:
    made = browser.tell("Target.createTarget", url="about:blank")
    target = made["targetId"]
    attached = browser.tell("Target.attachToTarget", targetId=target, flatten=True)
    browser.session = attached["sessionId"]
    for domain in ("Page", "Runtime", "Network", "Log"):
        browser.tell(f"{domain}.enable")
    browser.tell(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,
    )
    return browser
