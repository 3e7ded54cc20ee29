"""The execution engine: blocks of a bundle on a real SVM, in a process of its own.

The names are imported when they are first used: the engine process imports this package too, and it needs neither trio nor the wire.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
