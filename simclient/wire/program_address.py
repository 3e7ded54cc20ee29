"""Addresses that everybody knows, and program derived ones: where a program keeps an account that has no key.

A derived address is the SHA-256 of the seeds, the program and a fixed text, provided that it is no point of the ed25519 curve: so nobody
has a key for it. Written out here, so that the core installs without solders (36 MB). Source: `Pubkey::find_program_address` of
solana-pubkey; the curve is that of RFC 8032, 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ..errors import InputError
from .addresses import address_of, decode_base58, encode_base58

__all__ = [
    "ASSOCIATED_TOKEN_PROGRAM",
    "NATIVE_MINT",
    "SYSTEM_PROGRAM",
    "TOKEN_2022_PROGRAM",
    "TOKEN_PROGRAM",
    "UPGRADEABLE_LOADER",
    "associated_token_address",
    "find_program_address",
    "program_data_address",
]

SYSTEM_PROGRAM = "11111111111111111111111111111111"
TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105  # an address
TOKEN_2022_PROGRAM = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105
ASSOCIATED_TOKEN_PROGRAM = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105
UPGRADEABLE_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
NATIVE_MINT = "So11111111111111111111111111111111111111112"
"""Wrapped SOL, whose token accounts hold their amount as lamports too."""

_MARKER = b"ProgramDerivedAddress"
_MOST_SEEDS = 15
"""Of 16 that an address may have one is the bump (`MAX_SEEDS`)."""
_LONGEST_SEED_BYTES = 32
_PRIME = 2**255 - 19
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME
"""The constant of the curve -x² + y² = 1 + d·x²·y²."""


def find_program_address(seeds: Sequence[bytes], program: object) -> tuple[str, int]:
    """Return the address that `program` derives from `seeds`, and its bump.

    Args:
        seeds: At most 15, of 32 bytes at most each.
        program: The program's address.

    Raises:
        InputError: There are too many seeds, one is too long, or `program` is not an address.
    """
    if len(seeds) > _MOST_SEEDS:
        raise InputError(
            f"{len(seeds)} seeds for a program address: {_MOST_SEEDS} are the most, since the bump is one too"
        )
    for place, seed in enumerate(seeds):
        if len(seed) > _LONGEST_SEED_BYTES:
            raise InputError(f"seed {place} has {len(seed)} bytes, and {_LONGEST_SEED_BYTES} are the most: hash it")

    tail = decode_base58(address_of(program)) + _MARKER
    for bump in range(255, -1, -1):
        candidate = sha256(b"".join(seeds) + bytes((bump,)) + tail).digest()
        if not _is_on_curve(candidate):
            return encode_base58(candidate), bump

    raise InputError(
        f"no bump gives an address of {program} for these seeds: change them"
    )  # never seen: a chance of 2**-256


def associated_token_address(wallet: object, mint: object, *, token_program: object = TOKEN_PROGRAM) -> str:
    """Return where a wallet keeps its tokens of a mint.

    Args:
        wallet: The owner's address.
        mint: The token's address.
        token_program: The owner of the mint: the Token program, or Token-2022.

    Raises:
        InputError: One of them is not an address.
    """
    seeds = [decode_base58(address_of(part)) for part in (wallet, token_program, mint)]
    return find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM)[0]


def program_data_address(program: object) -> str:
    """Return where the upgradeable loader keeps the code of a program.

    Raises:
        InputError: `program` is not an address.
    """
    return find_program_address([decode_base58(address_of(program))], UPGRADEABLE_LOADER)[0]


def _is_on_curve(point: bytes) -> bool:
    """Tell whether 32 bytes are a compressed point: whether x² = (y² - 1) / (d·y² + 1) has a root, by Euler's criterion.

    The sign of x is the highest bit and does not matter here, nor does it to curve25519-dalek, which also takes a y of the prime or more.
    """
    y_squared = pow(int.from_bytes(point, "little") & (2**255 - 1), 2, _PRIME)
    numerator, denominator = y_squared - 1, _D * y_squared + 1
    return pow(numerator * denominator % _PRIME, (_PRIME - 1) // 2, _PRIME) in (0, 1)
