"""Values: everything said on either plane, as immutable classes, and the one codec. No state, no I/O.

The vocabulary of the protocol is public: what requests, responses, errors and HTTP bodies are made of can be imported from here. What a
program gives to a session or gets from it is also in `simclient` itself.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
