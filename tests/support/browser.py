# SPDX-License-Identifier: MIT
"""Chromium without a screen, told what to do by the DevTools protocol over two pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import time

from support.programs import TIMEOUT

CHROMIUM = shutil.which("chromium")


class Browser:
    """One page of one Chromium. `requests` has the address of each request that it has made."""

    def __init__(self, directory):
        self.number, self.session, self.requests, self.complaints = 0, None, [], []
        from_here, self.write_fd = os.pipe()
        self.read_fd, to_here = os.pipe()
        self.data = b""
        self.log = open(os.path.join(directory, "chromium.log"), "wb")  # pylint: disable=consider-using-with
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
                   f"--user-data-dir={directory}/chromium", "about:blank"]  # fmt: skip
        self.process = subprocess.Popen(["bash", "-c", f'exec "$@" 3<&{from_here} 4>&{to_here}', "bash", *command],
                                        stdout=self.log, stderr=self.log, pass_fds=(from_here, to_here),
                                        env=os.environ | {"HOME": directory})  # pylint: disable=consider-using-with # fmt: skip
        os.close(from_here)
        os.close(to_here)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Network", "Log":
            self.call(f"{domain}.enable")

    def receive(self):
        deadline = time.monotonic() + TIMEOUT
        while b"\0" not in self.data:
            assert select.select([self.read_fd], [], [], max(0, deadline - time.monotonic()))[0], "Chromium is silent"
            more = os.read(self.read_fd, 1 << 20)
            assert more, "Chromium has ended"
            self.data += more
        message, _, self.data = self.data.partition(b"\0")
        message = json.loads(message)
        self.note(message.get("method"), message.get("params"))
        return message

    def note(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"] + str(params["exceptionDetails"].get("exception")))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_fd, json.dumps(message).encode() + b"\0")
        while True:
            reply = self.receive()
            if reply.get("id") == self.number:
                assert "error" not in reply, reply
                return reply["result"]

    def open(self, address):
        self.call("Page.navigate", url=address)

    def run(self, expression):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key):
        codes = {"Escape": 27, "Enter": 13, "Tab": 9}
        extra = {"text": "\r"} if key == "Enter" else {}
        for kind in "keyDown", "keyUp":
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key],
                      **(extra if kind == "keyDown" else {}))  # fmt: skip

    def look(self, width, height, dark=False, mobile=False):
        """How large the window is, and which colours its user likes."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])  # fmt: skip

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def stop(self):
        os.close(self.write_fd)  # it ends with its pipe
        os.close(self.read_fd)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
