"""Runs the tiers of the tests, a few side by side: `python tests/side_by_side.py [--quick]`.

Each tier is a pytest of its own, with servers of its own. The longest come first; what a tier printed is shown when it
is over. Exit 1 when a test of any failed.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 3
"""So many keep two cores busy; with more, what waits for another process waits too long."""
SHOOTING = "tests/integration/test_openapi.py"
TIERS = {
    "chaos": ["tests/system", "-m", "chaos and not night"],
    "integration": ["tests/integration", f"--ignore={SHOOTING}"],
    "models": ["tests/model", "-m", "not night"],
    "system": ["tests/system", "-m", "not night and not chaos"],
    "pages": ["tests/web"],
    "interfaces": [SHOOTING],
    "unit": ["tests/unit"],
}
"""Name -> what pytest is given."""
SLOW = ("chaos", "pages", "interfaces")
"""Tiers that kill processes, drive browsers, or ask twenty thousand times: left out of a quick run."""


def run(name: str) -> bool:
    """Whether a tier passed; shows what it printed, with what failed at the end."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *TIERS[name]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    took = f"{time.monotonic() - began:.0f} s"
    sys.stdout.buffer.write(done.stdout + f"---- {name}: {took}, exit {done.returncode}\n".encode())
    sys.stdout.flush()
    return done.returncode == 0


def main() -> int:
    names = [name for name in TIERS if "--quick" not in sys.argv or name not in SLOW]
    with ThreadPoolExecutor(AT_ONCE) as places:
        passed = dict(zip(names, places.map(run, names), strict=True))
    print("----", ", ".join(f"{name} {'passed' if ok else 'FAILED'}" for name, ok in passed.items()))
    return 0 if all(passed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
