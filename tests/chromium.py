"""A real browser without a screen, spoken to by its DevTools protocol over a pipe."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
PATIENCE = 120  # seconds


class Chromium:
    """A browser with one page, ``with Chromium(profile) as browser``.

    ``requests`` are the addresses it asked for, ``messages`` what its console said.
    """

    def __init__(self, profile: Path):
        self.requests: list[str] = []
        self.messages: list[str] = []
        self._number, self._left = 0, b""
        # The browser reads what we write from its descriptor 3, and answers on 4.
        (low_in, self._write), (self._read, low_out) = os.pipe(), os.pipe()
        theirs_in, theirs_out = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (low_in, low_out))
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options += ["--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe"]
        # Whatever it would ask of the network goes nowhere.
        options += ["--proxy-server=127.0.0.1:9", "--disable-background-networking"]
        command = [CHROMIUM, *options, f"--user-data-dir={profile}", "about:blank"]
        words = " ".join(f"'{word}'" for word in command)
        shell = f"exec {words} 3<&{theirs_in} 4>&{theirs_out}"
        self._process = subprocess.Popen(
            ["bash", "-c", shell],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (low_in, low_out, theirs_in, theirs_out):
            os.close(end)
        self._session = None
        targets = self.ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.ask("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._session = None
        self.ask("Browser.close")
        os.close(self._write)
        self._process.wait(PATIENCE)
        os.close(self._read)

    def ask(self, method, **parameters):
        """The answer to a command; what happens meanwhile is noted."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._write, json.dumps(command).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._number:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']['message']}")
                return said["result"]
            self._note(said)

    def _next(self):
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._left:
            if not select.select([self._read], [], [], max(until - time.monotonic(), 0))[0]:
                raise TimeoutError("the browser says nothing")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._left += part
        said, _, self._left = self._left.partition(b"\0")
        return json.loads(said)

    def _note(self, said):
        what, of = said.get("method"), said.get("params", {})
        if what == "Network.requestWillBeSent":
            self.requests.append(of["request"]["url"])
        elif what == "Runtime.consoleAPICalled":
            words = " ".join(str(one.get("value", one.get("description"))) for one in of["args"])
            self.messages.append(f"{of['type']}: {words}")
        elif what == "Runtime.exceptionThrown":
            self.messages.append(str(of["exceptionDetails"]))
        elif what == "Log.entryAdded":
            self.messages.append(f"{of['entry']['level']}: {of['entry']['text']}")

    def look(self, width=1280, height=900, dark=False):
        """Have a window of a size, light or dark; narrow ones are a phone's."""
        phone = width < 640
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        self.ask("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path):
        """Show a file, and wait until it has drawn all."""
        self.ask("Page.navigate", url=Path(path).resolve().as_uri())
        ready = "window.dadaoSim ? dadaoSim.ready.then(() => true) : false"
        until = time.monotonic() + PATIENCE
        while not self.run(ready):
            if time.monotonic() > until:
                raise TimeoutError(f"{path} is not ready: {self.messages}")
            time.sleep(0.05)

    def run(self, script):
        """The value of an expression of the page, awaited."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def choose(self, box, words, value):
        """Choose in the control, in the box of this selector, that has these words; everything is
        drawn when it ends.
        """
        self.run(
            f"""(async () => {{
              const box = document.querySelector({json.dumps(box)});
              const label = [...box.querySelectorAll("label")]
                .find(one => one.firstChild.textContent === {json.dumps(words)}
                  || one.lastChild.textContent === {json.dumps(words)});
              const control = label.querySelector("select, input");
              if (control.type === "checkbox") control.checked = {json.dumps(value)};
              else control.value = {json.dumps(value)};
              control.dispatchEvent(new Event("change"));
              await new Promise(resolve => setTimeout(resolve, 200));
            }})()"""
        )

    def picture(self):
        """The whole page, as PNG."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        answer = self.ask(
            "Page.captureScreenshot", captureBeyondViewport=True, clip={**size, "scale": 1}
        )
        return base64.b64decode(answer["data"])
