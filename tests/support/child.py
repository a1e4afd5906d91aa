"""A small process for tests of the supervisor, run as `python child.py`: it serves grpc.health.v1.

Told by its environment what to do:

    CHILD_LISTEN       host:port to serve health on; without it nothing is served
    CHILD_EXIT         end at once with this code, a JSON log line on stderr before it
    CHILD_DEAF         1: takes no notice of SIGTERM
    CHILD_SPAWN        1: starts a child of its own, whose process id it prints
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    _say(f"pid {os.getpid()}")
    if code := os.environ.get("CHILD_EXIT"):
        _say(json.dumps({"event": "cannot start", "error": "the frobnicator is missing"}))
        raise SystemExit(int(code))
    stopped = threading.Event()
    deaf = os.environ.get("CHILD_DEAF") == "1"
    signal.signal(signal.SIGTERM, (lambda *_: None) if deaf else (lambda *_: stopped.set()))
    if os.environ.get("CHILD_SPAWN") == "1":
        grandchild = subprocess.Popen(["sleep", "600"])
        _say(f"grandchild {grandchild.pid}")
    listen = os.environ.get("CHILD_LISTEN")
    server = _serve_health(listen) if listen else None
    stopped.wait()
    del server  # which ends it


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _serve_health(listen: str) -> object:
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(listen)
    server.start()
    return server


if __name__ == "__main__":
    main()
