"""What a transaction would do on the state after a slot."""

from __future__ import annotations

from ..errors import InputError, SimClientError
from ..session.backtest import BacktestSession
from ..session.managed import open_backtest_session
from ..wire.responses import Completed, ReadyForContinue
from ..wire.rpc_values import SimulationResult
from .preparation import modifications
from .values import RunConfig

__all__ = ["simulate_after"]


async def simulate_after(
    config: RunConfig, transaction: object, *, after_slot: int | None = None, verify_signatures: bool = False
) -> SimulationResult:
    """Run a session up to a slot and simulate a transaction on its state; nothing of it is kept.

    Args:
        config: The session; what it watches and writes is not looked at.
        transaction: The wire form; it need not be signed unless `verify_signatures`.
        after_slot: In the range; None: on the state before the first slot.
        verify_signatures: Whether wrong signatures are an error.

    Raises:
        InputError: The slot is not in the range.
        SimClientError: The session failed, or its RPC refuses the transaction.
    """
    if after_slot is not None and not config.start_slot <= after_slot <= config.end_slot:
        raise InputError(f"slot {after_slot} is not in the range from {config.start_slot} to {config.end_slot}")

    async with open_backtest_session(
        config.url,
        start_slot=config.start_slot,
        end_slot=config.end_slot if after_slot is None or after_slot == config.end_slot else after_slot + 1,
        api_key=config.api_key,
        extra_compute_units=config.extra_compute_units,
        limits=config.limits,
        user_agent=config.user_agent,
    ) as session:
        await _reach(session, config, after_slot)
        return await session.rpc.simulate_transaction(transaction, verify_signatures=verify_signatures)


async def _reach(session: BacktestSession, config: RunConfig, after_slot: int | None) -> None:
    """Advance a session until its state is that after a slot; after the last one that is when it has completed."""
    is_first = True
    async for event in session:
        last_slot = session.statistics().last_slot or config.start_slot - 1
        if isinstance(event, Completed) and after_slot is not None and last_slot < after_slot:
            raise SimClientError(f"the session ended before its state after slot {after_slot} could be read")
        if isinstance(event, Completed):
            return
        if not isinstance(event, ReadyForContinue):
            continue
        if after_slot is None or last_slot >= after_slot:
            return

        changes = await modifications(session.rpc, config.programs, config.account_overrides) if is_first else {}
        is_first = False
        await session.advance(after_slot - last_slot, modify_accounts=changes)
