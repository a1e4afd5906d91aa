"""The data folder's secrets, as files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from orchestrator.local.secrets import signing_secret, token_key
from servicekit.errors import ConfigurationError


def test_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    secret = signing_secret(tmp_path)
    assert len(secret) >= 43  # 32 bytes and more as base64
    assert signing_secret(tmp_path) == secret
    assert signing_secret(tmp_path, create=False) == secret
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert token_key(tmp_path) != secret


def test_another_folder_has_another(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert signing_secret(tmp_path / "a") != signing_secret(tmp_path / "b")


def test_the_token_key_is_a_fernet_key(tmp_path: Path) -> None:
    fernet = Fernet(token_key(tmp_path))
    assert fernet.decrypt(fernet.encrypt(b"lip_x")) == b"lip_x"


def test_several_at_once_agree(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    made: list[str] = []

    def make() -> None:
        together.wait()
        made.append(signing_secret(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["jwt.secret"]


def test_a_missing_one_is_not_made_up_for_a_token(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no .*jwt\.secret: `rookify up` makes it"):
        signing_secret(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.chmod(0o644), "open to others than its owner"),
        (lambda file: file.write_text(""), "fewer than 32 characters"),
        (lambda file: file.write_text("short\n"), "fewer than 32 characters"),
    ],
)
def test_a_spoilt_one_is_refused(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    secret = signing_secret(tmp_path)
    spoil(tmp_path / "jwt.secret")
    with pytest.raises(ConfigurationError, match=message) as caught:
        signing_secret(tmp_path)
    assert secret not in str(caught.value)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        signing_secret(tmp_path / "data")
