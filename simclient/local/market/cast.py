"""Who takes part in the market and what they own before the first slot: four tokens, a maker, eleven takers, an issuer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import attrs
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM
from solders.token.associated import get_associated_token_address
from solders.token.state import Mint, TokenAccount, TokenAccountState

from simclient.local.bundle import BundleAccount

__all__ = [
    "BASES",
    "ISSUER",
    "MAKER",
    "SYSTEM_PROGRAM",
    "TAKERS",
    "USD",
    "Style",
    "Taker",
    "Token",
    "opening_accounts",
    "token_account_of",
]
