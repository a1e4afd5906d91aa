"""The command line. Before gRPC is imported it turns off what gRPC does around forks.

That is for children that go on in Python; `rookify up` forks only to become another program at once, and
gRPC would hold each fork up and complain of its own threads. gRPC reads the variable when it is imported.
"""

import os

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
