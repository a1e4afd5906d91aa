"""What gRPC's C core is to do, said in the environment before it is loaded: import this first."""

import os

# It writes "GOAWAY received" and the like to stderr as information, past structlog. What matters of it comes
# back as a status, but for one thing: that a server has refused a client's TLS handshake, and why, is told by
# that core alone.
if not any(name.endswith("_TLS_CERT") and value for name, value in os.environ.items()):
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

# gRPC's handlers of fork are for processes that go on to use it in the child. Ours become another program at
# once, and now and then the handlers abort them before they do: 3 of 200 were seen to.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
