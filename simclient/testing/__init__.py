"""What tests of programs that use simclient need: a scripted server, numbered ground truth, and pytest fixtures.

The fixtures are in `simclient.testing.fixtures`, which needs the extra `testing`.
"""

from .connection import ClientGone, HttpAnswer, HttpRequest, ScriptFailure
from .ground_truth import GroundTruth, Verdict, account_diff, numbered_diffs
from .peer import ControlPeer, DataPeer, Peer
from .scripted import ControlScript, DataScript, HttpHandler, ScriptedServer, open_scripted_server

__all__ = [
    "ClientGone",
    "ControlPeer",
    "ControlScript",
    "DataPeer",
    "DataScript",
    "GroundTruth",
    "HttpAnswer",
    "HttpHandler",
    "HttpRequest",
    "Peer",
    "ScriptFailure",
    "ScriptedServer",
    "Verdict",
    "account_diff",
    "numbered_diffs",
    "open_scripted_server",
]
