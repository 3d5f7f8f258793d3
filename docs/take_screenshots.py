"""Take the README's screenshots of the running demo: `.venv/bin/python docs/take_screenshots.py` (needs Chromium)."""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

DOCS = Path(__file__).parent
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-gpu", "--disable-component-update")


def main() -> None:
    """Start the demo, deploy the fix for a second night's failures, and take both pictures."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sandbox.demo", "--port", str(port), "--orders", "240", "--data", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
            try:
                link, sandbox = (_said(demo, name) for name in ("The console", "The sandbox"))
                _take(f"http://127.0.0.1:{port}", link, sandbox)
            finally:
                demo.terminate()


def _take(console: str, link: str, sandbox: str) -> None:
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=list(QUIET))
        light = browser.new_page(viewport={"width": 1360, "height": 800})
        light.goto(link)
        light.get_by_role("button").first.click()  # which signs in, once: the second page is the same person's
        _wait_for_failures(light, console)
        light.screenshot(path=DOCS / "groups.png")
        _deploy_fix(sandbox)
        known = light.context.storage_state()
        dark = browser.new_page(viewport={"width": 1360, "height": 800}, color_scheme="dark", storage_state=known)
        _redrive_everything(dark, console)
        dark.screenshot(path=DOCS / "redrive.png")
        browser.close()


def _wait_for_failures(page: Page, console: str) -> None:
    page.goto(f"{console}/groups")
    for _ in range(60):
        if re.search(r"\b[1-9]\d\d? failed events", page.get_by_role("heading", level=1).inner_text()):
            break
        page.wait_for_timeout(500)
        page.reload()
    page.wait_for_timeout(8000)  # until the last of them has failed for good, and the picture is whole
    page.goto(f"{console}/groups?sort=events")


def _redrive_everything(page: Page, console: str) -> None:
    page.goto(f"{console}/groups")
    page.get_by_role("radio", name=re.compile("matching this filter")).check()
    page.get_by_role("button", name=re.compile("^Redrive")).click()
    page.get_by_role("button", name=re.compile("^Redrive .* events$")).click()
    expect(page.get_by_text(re.compile(r"^[2-9]\d succeeded")).first).to_be_visible(timeout=30_000)
    page.wait_for_timeout(1500)  # past the canary, on the ramp


def _deploy_fix(sandbox: str) -> None:
    request = urllib.request.Request(f"{sandbox}/_sandbox/fix", data=b"", headers={"Origin": sandbox})  # noqa: S310 - loopback
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - loopback


def _said(demo: "subprocess.Popen[str]", name: str) -> str:
    for line in demo.stdout or ():
        if found := re.search(rf"{name}\s+(http://\S+)", line):
            return found[1]
    raise SystemExit(f"The demo ended before it said where this is: {name}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
