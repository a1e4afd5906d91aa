import servicekit.grpc_environment  # noqa: F401  before gRPC is loaded anywhere
