import os

# Before gRPC is loaded anywhere: its C core writes "GOAWAY received" and the like to stderr as information,
# past structlog. What matters of it comes back as a status.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
