"""What tests of programs that use simclient need: a scripted server, a network in memory, faults, numbered ground truth, and fixtures.

The fixtures are in `simclient.testing.fixtures`, which needs the extra `testing`.
"""

from ..transport.faults import (
    NO_FAULTS,
    Bandwidth,
    Close,
    ConnectionFaults,
    Corrupt,
    Cut,
    Fault,
    FaultPlan,
    HalfOpen,
    Latency,
    Reset,
    Slicer,
    SlowClose,
    Stall,
    faults_in_order,
    random_faults,
)
from ..transport.faulty import faulty_opener
from .connection import ClientGone, HttpAnswer, HttpRequest, ScriptFailure
from .ground_truth import GroundTruth, Numbered, NumberedDiff, Verdict, account_diff, numbered_diffs
from .memory import MemoryListener, MemoryNetwork, MemoryStream, memory_streams
from .model import ModelServer, open_model_server
from .model_session import Manners, ModelSession
from .peer import ControlPeer, DataPeer, Peer
from .proxy import FaultProxy, open_fault_proxy
from .scripted import ControlScript, DataScript, HttpHandler, ScriptedServer, open_scripted_server

__all__ = [
    "NO_FAULTS",
    "Bandwidth",
    "ClientGone",
    "Close",
    "ConnectionFaults",
    "ControlPeer",
    "ControlScript",
    "Corrupt",
    "Cut",
    "DataPeer",
    "DataScript",
    "Fault",
    "FaultPlan",
    "FaultProxy",
    "GroundTruth",
    "HalfOpen",
    "HttpAnswer",
    "HttpHandler",
    "HttpRequest",
    "Latency",
    "Manners",
    "MemoryListener",
    "MemoryNetwork",
    "MemoryStream",
    "ModelServer",
    "ModelSession",
    "Numbered",
    "NumberedDiff",
    "Peer",
    "Reset",
    "ScriptFailure",
    "ScriptedServer",
    "Slicer",
    "SlowClose",
    "Stall",
    "Verdict",
    "account_diff",
    "faults_in_order",
    "faulty_opener",
    "memory_streams",
    "numbered_diffs",
    "open_fault_proxy",
    "open_model_server",
    "open_scripted_server",
    "random_faults",
]
