"""Becomes the engine: `python -I -S launch.py PARENT_PID NICENESS ENGINE`.

On Linux the kernel is told to kill the engine when its parent goes, however it goes. Done in a process of its
own, as a hook between fork and exec (`preexec_fn`) is not safe in a process with gRPC's threads.
"""

import os
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
SIGKILL = 9


def main() -> None:
    parent, niceness, engine = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
        if os.getppid() != parent:  # it went before the kernel was told
            sys.exit(0)
    if niceness:
        os.nice(niceness)
    os.execv(engine, [engine])  # noqa: S606  no shell is wanted


main()
