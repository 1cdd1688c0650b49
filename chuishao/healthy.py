"""`python -m chuishao.healthy NAME`: exit 0 if the service of this container lives and reaches its database.

For health checks, which run all day: nothing but the standard library, a tenth of a second.
"""

import http.client
import os
import sys

SECONDS = 3.0


def healthy(service: str, port: int) -> bool:
    """Whether the service answers well, on this machine, at both of its probes."""
    mount = "/sandbox" if service == "sandbox" else f"/api/{service}"
    try:
        return all(_answer(port, f"{mount}/{probe}") == 200 for probe in ("livez", "readyz"))
    except (OSError, http.client.HTTPException):
        return False


def _answer(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not healthy(sys.argv[1], int(os.environ.get("CHUISHAO_PORT", "8000"))))
