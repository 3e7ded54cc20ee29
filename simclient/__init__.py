"""A trio SDK, command line tool and embedded simulator for the Solana simulator backtest API.

    async with open_backtest_session(url, start_slot=…, slot_count=…, subscriptions=[AccountDiffs(program=…)]) as session:
        async for event in session:
            ...

Every public name is listed in `__all__` and has one home, from which it is imported when it is first used: importing the package costs
little, and the embedded simulator is only needed by those who use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import BundleError as BundleError
    from .errors import ConnectError as ConnectError
    from .errors import ConnectionLost as ConnectionLost
    from .errors import HttpError as HttpError
    from .errors import InputError as InputError
    from .errors import LocalProtocolError as LocalProtocolError
    from .errors import ProgramError as ProgramError
    from .errors import ProtocolError as ProtocolError
    from .errors import RemoteError as RemoteError
    from .errors import RemoteProtocolError as RemoteProtocolError
    from .errors import RpcError as RpcError
    from .errors import SessionClosed as SessionClosed
    from .errors import SimClientError as SimClientError
    from .errors import SubscriptionFailed as SubscriptionFailed
    from .local import LocalSimulator as LocalSimulator
    from .local import open_local_simulator as open_local_simulator
    from .protocol.budget import BudgetLimits as BudgetLimits
    from .protocol.coverage import CoverageReport as CoverageReport
    from .protocol.raw import AdvanceProgress as AdvanceProgress
    from .protocol.waits import CreatedSession as CreatedSession
    from .research.arrow import ArrowBatches as ArrowBatches
    from .research.arrow import arrow_batches as arrow_batches
    from .research.arrow import to_record_batch as to_record_batch
    from .research.recording import SessionRecording as SessionRecording
    from .research.recording import open_recording as open_recording
    from .rpc import SessionRpc as SessionRpc
    from .session.backtest import BacktestSession as BacktestSession
    from .session.client import SimulatorClient as SimulatorClient
    from .session.client import open_client as open_client
    from .session.connections import ConnectionChange as ConnectionChange
    from .session.connections import ConnectionState as ConnectionState
    from .session.discoveries import DiscoveryPause as DiscoveryPause
    from .session.inbox import Event as Event
    from .session.limits import Limits as Limits
    from .session.managed import open_backtest_session as open_backtest_session
    from .session.options import Delivery as Delivery
    from .session.parallel import ParallelSession as ParallelSession
    from .session.parallel import open_parallel_session as open_parallel_session
    from .session.raw import RawSession as RawSession
    from .session.request import create_request as create_request
    from .session.statistics import SessionStatistics as SessionStatistics
    from .session.stream import NotificationStream as NotificationStream
    from .wire.accounts import AccountData as AccountData
    from .wire.actions import AfterEverySlot as AfterEverySlot
    from .wire.actions import AfterMatch as AfterMatch
    from .wire.actions import AfterSlot as AfterSlot
    from .wire.actions import BeforeEverySlot as BeforeEverySlot
    from .wire.actions import BeforeMatch as BeforeMatch
    from .wire.actions import BeforeSlot as BeforeSlot
    from .wire.actions import ScheduledAction as ScheduledAction
    from .wire.detached import DetachedSession as DetachedSession
    from .wire.discovery import ProgramExecuted as ProgramExecuted
    from .wire.notifications import AccountDiff as AccountDiff
    from .wire.notifications import AccountState as AccountState
    from .wire.notifications import ExecutedTransaction as ExecutedTransaction
    from .wire.notifications import TokenBalance as TokenBalance
    from .wire.notifications import TransactionLogs as TransactionLogs
    from .wire.notifications import UnknownNotification as UnknownNotification
    from .wire.program_address import associated_token_address as associated_token_address
    from .wire.program_address import find_program_address as find_program_address
    from .wire.reports import ActionReport as ActionReport
    from .wire.reports import DiagnosticReport as DiagnosticReport
    from .wire.reports import ReplacementReport as ReplacementReport
    from .wire.responses import Completed as Completed
    from .wire.responses import DiscoveryBatch as DiscoveryBatch
    from .wire.responses import ErrorEvent as ErrorEvent
    from .wire.responses import Paused as Paused
    from .wire.responses import ReadyForContinue as ReadyForContinue
    from .wire.responses import SlotNotification as SlotNotification
    from .wire.responses import Status as Status
    from .wire.responses import UnknownResponse as UnknownResponse
    from .wire.subscriptions import AccountDiffs as AccountDiffs
    from .wire.subscriptions import Actions as Actions
    from .wire.subscriptions import Diagnostics as Diagnostics
    from .wire.subscriptions import Logs as Logs
    from .wire.subscriptions import Replacements as Replacements
    from .wire.subscriptions import Transactions as Transactions
    from .wire.summary import SessionSummary as SessionSummary

_HOMES = {
    "errors": (
        "BundleError",
        "ConnectError",
        "ConnectionLost",
        "HttpError",
        "InputError",
        "LocalProtocolError",
        "ProgramError",
        "ProtocolError",
        "RemoteError",
        "RemoteProtocolError",
        "RpcError",
        "SessionClosed",
        "SimClientError",
        "SubscriptionFailed",
    ),
    "local": ("LocalSimulator", "open_local_simulator"),
    "protocol.budget": ("BudgetLimits",),
    "research.recording": ("SessionRecording", "open_recording"),
    "rpc": ("SessionRpc",),
    "protocol.coverage": ("CoverageReport",),
    "protocol.raw": ("AdvanceProgress",),
    "research.arrow": ("ArrowBatches", "arrow_batches", "to_record_batch"),
    "protocol.waits": ("CreatedSession",),
    "session.client": ("SimulatorClient", "open_client"),
    "session.raw": ("RawSession",),
    "session.request": ("create_request",),
    "session.backtest": ("BacktestSession",),
    "session.connections": ("ConnectionChange", "ConnectionState"),
    "session.discoveries": ("DiscoveryPause",),
    "session.inbox": ("Event",),
    "session.limits": ("Limits",),
    "session.managed": ("open_backtest_session",),
    "session.options": ("Delivery",),
    "session.parallel": ("ParallelSession", "open_parallel_session"),
    "session.statistics": ("SessionStatistics",),
    "session.stream": ("NotificationStream",),
    "wire.accounts": ("AccountData",),
    "wire.detached": ("DetachedSession",),
    "wire.actions": (
        "AfterEverySlot",
        "AfterMatch",
        "AfterSlot",
        "BeforeEverySlot",
        "BeforeMatch",
        "BeforeSlot",
        "ScheduledAction",
    ),
    "wire.discovery": ("ProgramExecuted",),
    "wire.notifications": (
        "AccountDiff",
        "AccountState",
        "ExecutedTransaction",
        "TokenBalance",
        "TransactionLogs",
        "UnknownNotification",
    ),
    "wire.program_address": ("associated_token_address", "find_program_address"),
    "wire.responses": (
        "Completed",
        "DiscoveryBatch",
        "ErrorEvent",
        "Paused",
        "ReadyForContinue",
        "SlotNotification",
        "Status",
        "UnknownResponse",
    ),
    "wire.reports": ("ActionReport", "DiagnosticReport", "ReplacementReport"),
    "wire.subscriptions": ("AccountDiffs", "Actions", "Diagnostics", "Logs", "Replacements", "Transactions"),
    "wire.summary": ("SessionSummary",),
}
"""The module in which each public name lives."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AccountData",
    "AccountDiff",
    "AccountDiffs",
    "AccountState",
    "ActionReport",
    "Actions",
    "AdvanceProgress",
    "AfterEverySlot",
    "AfterMatch",
    "AfterSlot",
    "ArrowBatches",
    "BacktestSession",
    "BeforeEverySlot",
    "BeforeMatch",
    "BeforeSlot",
    "BudgetLimits",
    "BundleError",
    "Completed",
    "ConnectError",
    "ConnectionChange",
    "ConnectionLost",
    "ConnectionState",
    "CoverageReport",
    "CreatedSession",
    "Delivery",
    "DetachedSession",
    "DiagnosticReport",
    "Diagnostics",
    "DiscoveryBatch",
    "DiscoveryPause",
    "ErrorEvent",
    "Event",
    "ExecutedTransaction",
    "HttpError",
    "InputError",
    "Limits",
    "LocalProtocolError",
    "LocalSimulator",
    "Logs",
    "NotificationStream",
    "ParallelSession",
    "Paused",
    "ProgramError",
    "ProgramExecuted",
    "ProtocolError",
    "RawSession",
    "ReadyForContinue",
    "RemoteError",
    "RemoteProtocolError",
    "ReplacementReport",
    "Replacements",
    "RpcError",
    "ScheduledAction",
    "SessionClosed",
    "SessionRecording",
    "SessionRpc",
    "SessionStatistics",
    "SessionSummary",
    "SimClientError",
    "SimulatorClient",
    "SlotNotification",
    "Status",
    "SubscriptionFailed",
    "TokenBalance",
    "TransactionLogs",
    "Transactions",
    "UnknownNotification",
    "UnknownResponse",
    "arrow_batches",
    "associated_token_address",
    "create_request",
    "find_program_address",
    "open_backtest_session",
    "open_client",
    "open_local_simulator",
    "open_parallel_session",
    "open_recording",
    "to_record_batch",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
