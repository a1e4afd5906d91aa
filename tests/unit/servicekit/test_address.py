"""host:port, as people write it."""

from __future__ import annotations

import pytest

from servicekit.address import host_port
from servicekit.errors import ConfigurationError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:50051", ("127.0.0.1", 50051)),
        ("analyzer:1", ("analyzer", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_host_and_port(address: str, expected: tuple[str, int]) -> None:
    assert host_port(address, "address", example="a:1") == expected


@pytest.mark.parametrize("address", ["", "somewhere", ":50051", "a:", "a:x", "a:-1", "a:65536", "a:0", "a:²"])
def test_anything_else_is_named_with_the_fix(address: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        host_port(address, "ROOKIFY_ANALYZERS", example="analyzer:50061")
    assert str(told.value) == f"ROOKIFY_ANALYZERS {address!r}: write host:port, as in analyzer:50061"


def test_port_0_is_any_free_one_where_that_makes_sense() -> None:
    assert host_port("127.0.0.1:0", "listen address", example="a:1", free_port=True) == ("127.0.0.1", 0)
