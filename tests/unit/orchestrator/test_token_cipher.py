"""lichess tokens under one key, several, none, or another one."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from orchestrator.token_cipher import TokenCipher
from servicekit.errors import ConfigurationError, FailedPrecondition

OLD, NEW = (urlsafe_b64encode(letter * 32).decode() for letter in (b"o", b"n"))
TOKEN = "lip_made_up_for_this_test"


def test_there_and_back_and_never_twice_the_same() -> None:
    cipher = TokenCipher(OLD)
    once, again = cipher.encrypt(TOKEN), cipher.encrypt(TOKEN)
    assert once != again
    assert TOKEN not in once
    assert cipher.decrypt(once) == cipher.decrypt(again) == TOKEN


def test_a_key_is_exchanged_while_syncs_are_active() -> None:
    before = TokenCipher(OLD).encrypt(TOKEN)
    both = TokenCipher(f"{NEW}, {OLD}")
    assert both.decrypt(before) == TOKEN
    after = both.encrypt(TOKEN)
    assert TokenCipher(NEW).decrypt(after) == TOKEN, "the first encrypts"
    for cipher in (TokenCipher(NEW), TokenCipher(None)):
        with pytest.raises(FailedPrecondition, match="Please start it again") as refused:
            cipher.decrypt(before)
        assert refused.value.reason == "TOKEN_UNREADABLE"


@pytest.mark.parametrize("keys", [None, "", " , "])
def test_without_a_key_nothing_is_kept(keys: str | None) -> None:
    with pytest.raises(FailedPrecondition, match="set ROOKIFY_TOKEN_KEY") as refused:
        TokenCipher(keys).encrypt(TOKEN)
    assert TOKEN not in refused.value.message


@pytest.mark.parametrize("keys", ["s3cret", f"{OLD},s3cret", OLD[:-4], OLD + NEW])
def test_what_is_no_key_is_refused_and_not_quoted(keys: str) -> None:
    with pytest.raises(ConfigurationError, match="ROOKIFY_TOKEN_KEY is not a Fernet key") as refused:
        TokenCipher(keys)
    assert refused.value.__cause__ is None
    assert not any(key in str(refused.value) for key in (OLD, NEW, "s3cret"))
