"""Reading what Anchor programs write: accounts, instructions and events, with the program's IDL file of the old or the new format.

`parse` reads the file into `schema`, the same for both formats; `borsh` reads bytes by a type; `idl` finds the type by the discriminator.
"""

from .idl import Decoded as Decoded
from .idl import Idl as Idl
from .parse import IdlError as IdlError
from .parse import load_idl as load_idl
from .schema import IdlErrorCode as IdlErrorCode

__all__ = ["Decoded", "Idl", "IdlError", "IdlErrorCode", "load_idl"]
