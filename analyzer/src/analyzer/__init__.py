import os

# Before gRPC is loaded anywhere: its C core writes "GOAWAY received" and the like to stderr as information,
# past structlog. What matters of it comes back as a status, but for one thing: that a server has refused a
# client's TLS handshake, and why, is told by that core alone.
if not any(name.endswith("_TLS_CERT") and value for name, value in os.environ.items()):
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
