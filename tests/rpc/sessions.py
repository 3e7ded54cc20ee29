"""A session over the market that comes with the package, ready and with nothing executed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from simclient import BacktestSession, ReadyForContinue, open_backtest_session
from simclient.local import open_local_simulator

START_SLOT = 350_000_000
"""The market's first."""


@asynccontextmanager
async def ready_session() -> AsyncGenerator[BacktestSession]:
    """Open one."""
    async with open_local_simulator() as simulator:
        async with open_backtest_session(simulator.url, start_slot=START_SLOT, slot_count=5) as session:
            await until_ready(session)
            yield session


async def until_ready(session: BacktestSession) -> None:
    """Read up to the next `ReadyForContinue`."""
    async for event in session:
        if isinstance(event, ReadyForContinue):
            return
