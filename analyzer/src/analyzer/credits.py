"""Who may send how many games: a number of slots shared fairly between the open streams."""

from __future__ import annotations

from dataclasses import dataclass


class OverdrawnError(Exception):
    """More games were sent than granted."""


@dataclass(eq=False, slots=True)
class Account:
    """One stream's: credit granted and not used yet, and games held."""

    unused: int = 0
    held: int = 0


class Ledger:
    """Every stream is kept at its share of the slots, whatever the others leave unused.

    Credit is never taken back, so a stream that came alone and uses nothing keeps what it has; those that
    come later get their shares all the same. What is outstanding is thus bounded by the sum of the shares
    when each stream came: for n streams at most slots × (1 + 1/2 + … + 1/n), at least one for each.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._accounts: list[Account] = []
        self._closed = False

    def open(self) -> Account:
        account = Account()
        self._accounts.append(account)
        return account

    def close(self, account: Account) -> None:
        self._accounts.remove(account)

    def stop(self) -> None:
        """Grant nothing more."""
        self._closed = True

    def spend(self, account: Account, games: int) -> None:
        """Raises OverdrawnError where the stream has less credit than that."""
        if games > account.unused:
            raise OverdrawnError(f"{games} games sent, {account.unused} granted")
        account.unused -= games
        account.held += games

    def finish(self, account: Account) -> None:
        """One game has ended."""
        account.held -= 1

    def due(self) -> list[tuple[Account, int]]:
        """What is to be granted now, booked as granted: each stream is topped up to its share."""
        if self._closed or not self._accounts:
            return []
        share, rest = divmod(self._slots, len(self._accounts))
        grants = []
        for at, account in enumerate(self._accounts):
            room = max(1, share + (at < rest)) - account.unused - account.held
            if room > 0:
                account.unused += room
                grants.append((account, room))
        return grants
