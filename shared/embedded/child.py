"""The first moments of a server process: drop rights, tie its life to the parent's, become the server.

Run as a script by `process.py`: `child.py PARENT SIGNAL UID GID COMMAND…`. It is a program of its own because
Python code between fork and exec (`preexec_fn`) may deadlock in a parent with threads. Standard library only.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become COMMAND as UID:GID, to be sent SIGNAL when PARENT dies, however it dies."""
    parent, orphan_signal, uid, gid = map(int, sys.argv[1:5])
    command = sys.argv[5:]
    # A shell ignores SIGINT and SIGQUIT for what it runs in the background, and that would be inherited.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After setuid, because the kernel forgets the signal when credentials change.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, orphan_signal, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have died before the line above took effect; then nobody would send the signal.
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606 (a shell would be one process too many)


if __name__ == "__main__":
    main()
