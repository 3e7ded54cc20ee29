"""Instructions as objects: what another library writes is read, and what is none stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import solders.system_program as system
import spl.token.instructions as token
import spl.token.models as of_token
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from spl.memo.constants import MEMO_PROGRAM_ID
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID
from spl.token.models import AuthorityType

from simclient.local.engine.parsed_instructions import parsed_instruction

A, B, C, D, E = (Pubkey(bytes([n]) * 32) for n in range(1, 6))
RENT = "SysvarRent111111111111111111111111111111111"
BLOCKHASHES = "SysvarRecentB1ockHashes11111111111111111111"


P = TOKEN_PROGRAM_ID
FIVE = {"amount": "5", "decimals": 1, "uiAmount": 0.5, "uiAmountString": "0.5"}


def parsed(instruction: Instruction) -> Any:
    return parsed_instruction(
        str(instruction.program_id), [str(one.pubkey) for one in instruction.accounts], instruction.data
    )


def made(model: Any, *values: object, **more: object) -> Any:
    """Return the parameters of an instruction, in the order in which the library declares them."""
    return model(**dict(zip(model.model_fields, values, strict=False)), **more)


def of(kind: str, **info: object) -> dict[str, object]:
    """Return what is expected, addresses as text."""
    return {"type": kind, "info": {name: str(one) if isinstance(one, Pubkey) else one for name, one in info.items()}}


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (
            system.create_account(system.CreateAccountParams(from_pubkey=A, to_pubkey=B, lamports=5, space=6, owner=C)),
            of("createAccount", source=A, newAccount=B, lamports=5, space=6, owner=C),
        ),
        (system.assign(system.AssignParams(pubkey=A, owner=B)), of("assign", account=A, owner=B)),
        (
            system.transfer(system.TransferParams(from_pubkey=A, to_pubkey=B, lamports=5)),
            of("transfer", source=A, destination=B, lamports=5),
        ),
        (
            system.create_account_with_seed(
                system.CreateAccountWithSeedParams(
                    from_pubkey=A, to_pubkey=B, base=A, seed="seed", lamports=5, space=6, owner=C
                )
            ),
            of("createAccountWithSeed", source=A, newAccount=B, base=A, seed="seed", lamports=5, space=6, owner=C),
        ),
        (
            system.advance_nonce_account(system.AdvanceNonceAccountParams(nonce_pubkey=A, authorized_pubkey=B)),
            of("advanceNonce", nonceAccount=A, recentBlockhashesSysvar=BLOCKHASHES, nonceAuthority=B),
        ),
        (
            system.withdraw_nonce_account(
                system.WithdrawNonceAccountParams(nonce_pubkey=A, authorized_pubkey=B, to_pubkey=C, lamports=5)
            ),
            of(
                "withdrawFromNonce",
                nonceAccount=A,
                destination=C,
                recentBlockhashesSysvar=BLOCKHASHES,
                rentSysvar=RENT,
                nonceAuthority=B,
                lamports=5,
            ),
        ),
        (
            system.initialize_nonce_account(system.InitializeNonceAccountParams(nonce_pubkey=A, authority=B)),
            of(
                "initializeNonce",
                nonceAccount=A,
                recentBlockhashesSysvar=BLOCKHASHES,
                rentSysvar=RENT,
                nonceAuthority=B,
            ),
        ),
        (
            system.authorize_nonce_account(
                system.AuthorizeNonceAccountParams(nonce_pubkey=A, authorized_pubkey=B, new_authority=C)
            ),
            of("authorizeNonce", nonceAccount=A, nonceAuthority=B, newAuthorized=C),
        ),
        (system.allocate(system.AllocateParams(pubkey=A, space=6)), of("allocate", account=A, space=6)),
        (
            system.allocate_with_seed(system.AllocateWithSeedParams(address=A, base=B, seed="seed", space=6, owner=C)),
            of("allocateWithSeed", account=A, base=B, seed="seed", space=6, owner=C),
        ),
        (
            system.assign_with_seed(system.AssignWithSeedParams(address=A, base=B, seed="seed", owner=C)),
            of("assignWithSeed", account=A, base=B, seed="seed", owner=C),
        ),
        (
            system.transfer_with_seed(
                system.TransferWithSeedParams(
                    from_pubkey=A, from_base=B, from_seed="seed", from_owner=C, to_pubkey=D, lamports=5
                )
            ),
            of(
                "transferWithSeed",
                source=A,
                sourceBase=B,
                destination=D,
                lamports=5,
                sourceSeed="seed",
                sourceOwner=C,
            ),
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_the_system_program(instruction: Instruction, expected: object) -> None:
    """Each instruction of the system program is an object with Solana's own names."""
    assert parsed(instruction) == {"program": "system", "parsed": expected}


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (
            token.initialize_mint(made(of_token.InitializeMintParams, 6, P, A, B, C)),
            of("initializeMint", mint=A, decimals=6, mintAuthority=B, rentSysvar=RENT, freezeAuthority=C),
        ),
        (
            token.initialize_mint2(made(of_token.InitializeMint2Params, 6, P, A, B, None)),
            of("initializeMint2", mint=A, decimals=6, mintAuthority=B),
        ),
        (
            token.initialize_account(made(of_token.InitializeAccountParams, P, A, B, C)),
            of("initializeAccount", account=A, mint=B, owner=C, rentSysvar=RENT),
        ),
        (
            token.initialize_account2(made(of_token.InitializeAccount2Params, P, A, B, C)),
            of("initializeAccount2", account=A, mint=B, owner=C, rentSysvar=RENT),
        ),
        (
            token.initialize_account3(made(of_token.InitializeAccount3Params, P, A, B, C)),
            of("initializeAccount3", account=A, mint=B, owner=C),
        ),
        (
            token.initialize_multisig(made(of_token.InitializeMultisigParams, P, A, 2, [B, C])),
            of("initializeMultisig", multisig=A, rentSysvar=RENT, signers=[str(B), str(C)], m=2),
        ),
        (
            token.initialize_multisig2(made(of_token.InitializeMultisig2Params, P, A, 2, [B, C])),
            of("initializeMultisig2", multisig=A, signers=[str(B), str(C)], m=2),
        ),
        (
            token.transfer(made(of_token.TransferParams, P, A, B, C, 5)),
            of("transfer", source=A, destination=B, amount="5", authority=C),
        ),
        (
            token.transfer(made(of_token.TransferParams, P, A, B, C, 5, [D, E])),
            of("transfer", source=A, destination=B, amount="5", multisigAuthority=C, signers=[str(D), str(E)]),
        ),
        (
            token.approve(made(of_token.ApproveParams, P, A, B, C, 5)),
            of("approve", source=A, delegate=B, amount="5", owner=C),
        ),
        (token.revoke(made(of_token.RevokeParams, P, A, B)), of("revoke", source=A, owner=B)),
        (
            token.set_authority(
                made(of_token.SetAuthorityParams, P, A, AuthorityType.ACCOUNT_OWNER, B, new_authority=C)
            ),
            of("setAuthority", account=A, authorityType="accountOwner", newAuthority=C, authority=B),
        ),
        (
            token.set_authority(made(of_token.SetAuthorityParams, P, A, AuthorityType.MINT_TOKENS, B)),
            of("setAuthority", mint=A, authorityType="mintTokens", newAuthority=None, authority=B),
        ),
        (
            token.mint_to(made(of_token.MintToParams, P, A, B, C, 5)),
            of("mintTo", mint=A, account=B, amount="5", mintAuthority=C),
        ),
        (token.burn(made(of_token.BurnParams, P, A, B, C, 5)), of("burn", account=A, mint=B, amount="5", authority=C)),
        (
            token.close_account(made(of_token.CloseAccountParams, P, A, B, C)),
            of("closeAccount", account=A, destination=B, owner=C),
        ),
        (
            token.freeze_account(made(of_token.FreezeAccountParams, P, A, B, C)),
            of("freezeAccount", account=A, mint=B, freezeAuthority=C),
        ),
        (
            token.thaw_account(made(of_token.ThawAccountParams, P, A, B, C, [D])),
            of("thawAccount", account=A, mint=B, multisigFreezeAuthority=C, signers=[str(D)]),
        ),
        (
            token.transfer_checked(made(of_token.TransferCheckedParams, P, A, B, C, D, 5, 1)),
            of("transferChecked", source=A, mint=B, destination=C, tokenAmount=FIVE, authority=D),
        ),
        (
            token.approve_checked(made(of_token.ApproveCheckedParams, P, A, B, C, D, 5, 1)),
            of("approveChecked", source=A, mint=B, delegate=C, tokenAmount=FIVE, owner=D),
        ),
        (
            token.mint_to_checked(made(of_token.MintToCheckedParams, P, A, B, C, 5, 1)),
            of("mintToChecked", mint=A, account=B, tokenAmount=FIVE, mintAuthority=C),
        ),
        (
            token.burn_checked(made(of_token.BurnCheckedParams, P, A, B, C, 5, 1)),
            of("burnChecked", account=B, mint=A, tokenAmount=FIVE, authority=C),
        ),
        (token.sync_native(made(of_token.SyncNativeParams, P, A)), of("syncNative", account=A)),
        (
            token.initialize_immutable_owner(made(of_token.InitializeImmutableOwnerParams, TOKEN_2022_PROGRAM_ID, A)),
            of("initializeImmutableOwner", account=A),
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_the_token_programs(instruction: Instruction, expected: object) -> None:
    """Each instruction that both token programs have is an object with Solana's own names; several signers make a multisig."""
    assert parsed(instruction) == {"program": "spl-token", "parsed": expected}


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (token.create_associated_token_account, "create"),
        (token.create_idempotent_associated_token_account, "createIdempotent"),
    ],
)
def test_associated_token_accounts(make: Any, name: str) -> None:
    """Creating an associated token account names everybody involved; the old form has no data."""
    instruction = make(A, B, C)
    account = token.get_associated_token_address(B, C)
    expected = of(
        name,
        source=A,
        account=account,
        wallet=B,
        mint=C,
        systemProgram=Pubkey.default(),
        tokenProgram=TOKEN_PROGRAM_ID,
    )
    assert parsed(instruction) == {"program": "spl-associated-token-account", "parsed": expected}
    if name == "create":
        assert parsed(Instruction(instruction.program_id, b"", instruction.accounts))["parsed"] == expected


def test_memos_are_text() -> None:
    """A memo is its text; bytes that are no text stay as they are."""
    assert parsed(Instruction(MEMO_PROGRAM_ID, "hællo".encode(), [])) == {"program": "spl-memo", "parsed": "hællo"}
    assert parsed(Instruction(MEMO_PROGRAM_ID, b"\xff", [])) is None


def test_what_is_not_known_stays_as_it_is() -> None:
    """Another program, an unknown tag, too few accounts and data that is cut are not parsed."""
    payment = system.transfer(system.TransferParams(from_pubkey=A, to_pubkey=B, lamports=5))
    assert parsed(Instruction(A, payment.data, payment.accounts)) is None
    assert parsed(Instruction(payment.program_id, b"\xff" * 12, payment.accounts)) is None
    assert parsed(Instruction(payment.program_id, payment.data, payment.accounts[:1])) is None
    assert parsed(Instruction(payment.program_id, payment.data[:-1], payment.accounts)) is None


@given(
    st.sampled_from([Pubkey.default(), TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID, MEMO_PROGRAM_ID]),
    st.lists(st.sampled_from(["a", "b"]), max_size=6),
    st.binary(max_size=80),
)
def test_whatever_the_data_it_is_parsed_or_not(program: Pubkey, accounts: list[str], data: bytes) -> None:
    """No instruction makes an answer fail."""
    found = parsed_instruction(str(program), accounts, data)
    assert found is None or set(found) == {"program", "parsed"}
