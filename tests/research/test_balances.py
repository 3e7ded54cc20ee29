"""Profit and loss of wallets, from the stream alone."""

from __future__ import annotations

from simclient.research.balances import BalanceChange, ProfitAndLoss

from .frames import TOKEN_PROGRAM, address, diff, state, token_balance, token_data, transaction

MINT, WALLET, OTHER = 1, 2, 3


def token_state(amount: int, *, owner: int = WALLET, mint: int = MINT) -> dict[str, object]:
    """Return the state of a token account."""
    return state(2_039_280, owner=TOKEN_PROGRAM, data=token_data(mint, owner, amount))


def changes(pnl: ProfitAndLoss, wallet: int = WALLET) -> dict[str | None, tuple[int, int]]:
    """Return a wallet's balances by mint, None for SOL."""
    found = [result for result in pnl.wallets() if result.wallet == address(wallet)]
    return {change.mint: (change.opening, change.closing) for result in found for change in result.changes}


def test_a_wallet_sums_all_its_token_accounts_of_a_mint() -> None:
    """Two accounts of one owner and mint are one balance."""
    pnl = ProfitAndLoss()
    pnl.add_diff(diff(1, account=address(10), pre=token_state(100), post=token_state(150)))
    pnl.add_diff(diff(1, account=address(11), pre=token_state(7), post=token_state(0)))

    assert changes(pnl) == {address(MINT): (107, 150)}


def test_opening_is_the_first_state_and_closing_the_last_in_replay_order() -> None:
    """Slot and index of the transaction decide, not the arrival."""
    pnl = ProfitAndLoss()
    pnl.add_diff(diff(5, tx_index=1, account=address(10), pre=token_state(20), post=token_state(30)))
    pnl.add_diff(diff(5, tx_index=0, account=address(10), pre=token_state(10), post=token_state(20)))
    pnl.add_diff(diff(4, account=address(10), pre=token_state(1), post=token_state(10)))

    assert changes(pnl) == {address(MINT): (1, 30)}


def test_without_an_index_the_arrival_decides_within_a_slot() -> None:
    """A server need not say which transaction wrote."""
    pnl = ProfitAndLoss()
    pnl.add_diff(diff(5, account=address(10), pre=token_state(10), post=token_state(20)))
    pnl.add_diff(diff(5, account=address(10), pre=token_state(20), post=token_state(30)))

    assert changes(pnl) == {address(MINT): (10, 30)}


def test_an_account_seen_in_diffs_and_transactions_counts_once() -> None:
    """Its diffs are taken; what transactions say about it is not added."""
    pnl = ProfitAndLoss()
    pnl.add_transaction(
        transaction(
            1,
            keys=[address(OTHER), address(10)],
            signatures=["s"],
            preTokenBalances=[token_balance(1, address(MINT), address(WALLET), 100)],
            postTokenBalances=[token_balance(1, address(MINT), address(WALLET), 150)],
        )
    )
    pnl.add_diff(diff(1, account=address(10), pre=token_state(100), post=token_state(150)))

    assert changes(pnl) == {address(MINT): (100, 150)}


def test_an_account_that_changes_hands_leaves_one_wallet_for_the_other() -> None:
    """The opening is the old owner's, the closing the new one's."""
    pnl = ProfitAndLoss()
    pnl.add_diff(diff(1, account=address(10), pre=token_state(100), post=token_state(100, owner=OTHER)))

    assert changes(pnl) == {address(MINT): (100, 0)}
    assert changes(pnl, OTHER) == {address(MINT): (0, 100)}


def test_a_closed_account_ends_with_nothing() -> None:
    """A missing state after the change is a balance of zero."""
    pnl = ProfitAndLoss()
    pnl.add_diff(diff(1, account=address(10), pre=token_state(100)))

    assert changes(pnl) == {address(MINT): (100, 0)}


def test_transactions_alone_give_tokens_sol_and_fees() -> None:
    """The payer's fee is in the change of its SOL and said apart; decimals come with the balances."""
    pnl = ProfitAndLoss()
    for index, (before, after) in enumerate([(1_000, 900), (900, 800)]):
        pnl.add_transaction(
            transaction(
                1,
                index=index,
                keys=[address(WALLET), address(10)],
                signatures=["s"],
                fee=60,
                preBalances=[before, 5],
                postBalances=[after, 5],
                preTokenBalances=[token_balance(1, address(MINT), address(WALLET), index)],
                postTokenBalances=[token_balance(1, address(MINT), address(WALLET), index + 1)],
            )
        )

    (wallet,) = pnl.wallets()
    assert wallet.wallet == address(WALLET)
    assert wallet.fees_lamports == 120
    assert wallet.changes == (
        BalanceChange(mint=None, opening=1_000, closing=800, decimals=9),
        BalanceChange(mint=address(MINT), opening=0, closing=2, decimals=6),
    )
    assert wallet.changes[0].delta == -200


def test_a_wallet_watched_by_its_diffs_shows_its_sol() -> None:
    """An account of the system program without data is a wallet; one that did not exist had nothing."""
    pnl = ProfitAndLoss()
    pnl.add_diff(diff(1, account=address(WALLET), post=state(500)))

    assert changes(pnl) == {None: (0, 500)}


def test_rent_of_token_accounts_is_nobodys_sol() -> None:
    """Only the wallet's own address counts."""
    pnl = ProfitAndLoss()
    pnl.add_diff(diff(1, account=address(10), pre=token_state(1), post=token_state(2)))

    assert None not in changes(pnl)


def test_decimals_come_from_a_mint_that_was_seen() -> None:
    """A mint's own account tells them where no transaction does."""
    pnl = ProfitAndLoss()
    mint = state(1, owner=TOKEN_PROGRAM, data=bytes(44) + bytes([9, 1]) + bytes(36))
    pnl.add_diff(diff(1, account=address(MINT), pre=mint, post=mint))
    pnl.add_diff(diff(1, account=address(10), pre=token_state(1), post=token_state(2)))

    assert [change.decimals for wallet in pnl.wallets() for change in wallet.changes] == [9]


def test_a_diff_without_an_account_is_passed_over() -> None:
    """It belongs to no wallet."""
    pnl = ProfitAndLoss()
    pnl.add_diff(diff(1, pre=token_state(1), post=token_state(2)))

    assert pnl.wallets() == ()
