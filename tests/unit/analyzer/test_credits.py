"""Slots shared between streams."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.credits import Account, Ledger, OverdrawnError


def granted(ledger: Ledger, account: Account) -> int:
    return sum(games for to, games in ledger.due() if to is account)


def test_one_stream_has_all_slots_and_gets_one_back_for_each_game() -> None:
    ledger = Ledger(4)
    account = ledger.open()
    assert granted(ledger, account) == 4
    assert ledger.due() == []
    ledger.spend(account, 3)
    assert ledger.due() == []
    ledger.finish(account)
    assert granted(ledger, account) == 1


def test_more_games_than_credit_are_refused() -> None:
    ledger = Ledger(2)
    account = ledger.open()
    ledger.due()
    with pytest.raises(OverdrawnError, match="3 games sent, 2 granted"):
        ledger.spend(account, 3)
    ledger.spend(account, 2)
    with pytest.raises(OverdrawnError):
        ledger.spend(account, 1)


def test_a_late_stream_gets_its_share_though_the_first_sits_on_its_credit() -> None:
    ledger = Ledger(4)
    first = ledger.open()
    ledger.due()
    second = ledger.open()
    assert granted(ledger, second) == 2
    ledger.spend(first, 4)
    for _ in range(2):
        ledger.finish(first)
        assert granted(ledger, first) == 0  # it gives way, down to its share
    ledger.finish(first)
    assert granted(ledger, first) == 1


def test_a_stream_that_leaves_makes_room() -> None:
    ledger = Ledger(5)
    first, second = ledger.open(), ledger.open()
    assert dict(ledger.due()) == {first: 3, second: 2}
    ledger.close(first)
    assert granted(ledger, second) == 3


def test_every_stream_can_work_however_many_there_are() -> None:
    ledger = Ledger(2)
    accounts = [ledger.open() for _ in range(5)]
    assert dict(ledger.due()) == dict.fromkeys(accounts, 1)


def test_nothing_is_granted_after_the_stop() -> None:
    ledger = Ledger(4)
    account = ledger.open()
    ledger.due()
    ledger.spend(account, 1)
    ledger.stop()
    ledger.finish(account)
    assert ledger.due() == []


@given(
    st.integers(1, 8), st.lists(st.sampled_from(["open", "close", "spend", "finish"]), max_size=80), st.data()
)
def test_what_is_outstanding_stays_bounded(slots: int, steps: list[str], data: st.DataObject) -> None:
    ledger = Ledger(slots)
    accounts: list[Account] = []
    for step in steps:
        account = data.draw(st.sampled_from(accounts)) if accounts else None
        if step == "open" and len(accounts) < 5:
            accounts.append(ledger.open())
        elif step == "close" and account is not None:
            accounts.remove(account)
            ledger.close(account)
        elif step == "spend" and account is not None and account.unused:
            ledger.spend(account, 1)
        elif step == "finish" and account is not None and account.held:
            ledger.finish(account)
        ledger.due()
        share = slots // max(1, len(accounts))
        for each in accounts:
            assert max(1, share) <= each.unused + each.held <= slots
