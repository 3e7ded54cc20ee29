"""The state of one session: a LiteSVM with the accounts of a bundle, and the blocks that are executed on it.

LiteSVM has no blocks, slots, epochs or clock of its own accord: before each block the clock is set from the bundle (slot, block time, and
epoch = slot / 432,000) and so are the slot hashes of the blocks before. Signatures are verified where the bundle's are real; blockhashes
are never checked, since the bundle does not hold the 150 blocks before its first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, final

import msgspec
from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo, TransactionMetadata

from ...errors import BundleError, InputError
from ...wire import program_address
from ..bundle import BundleAccount, BundleSlot, Signatures
from .accounts import ABSENT, account_state, address_text, decimals_of, holding_of, read_modified
from .facts import AccountState, Holding
from .messages import ModifiedAccount
from .transactions import Keys, keys_of, raise_compute_limit
from .values import SysvarsRefused

__all__ = ["SLOTS_PER_EPOCH", "Change", "Execution", "Glance", "Machine", "State", "error_of"]

SLOTS_PER_EPOCH = 432_000
"""Since the end of the warm-up on mainnet (`DEFAULT_SLOTS_PER_EPOCH`, solana-epoch-schedule)."""
_SLOT_MILLISECONDS = 400
"""What a slot takes by design (`DEFAULT_MS_PER_SLOT`, solana-clock)."""
_SLOT_HASHES = 512
"""Kept by the sysvar (`MAX_ENTRIES`, solana-slot-hashes)."""
_CHANGED_BY_CLOCK = (
    Pubkey.from_string("SysvarC1ock11111111111111111111111111111111"),
    Pubkey.from_string("SysvarS1otHashes111111111111111111111111111"),
)
_MOST_GLANCES = 100_000
"""Some 200 bytes each."""
_MOST_STATE_BYTES = 32 * 2**20
"""Of accounts as they were after each transaction that wrote them; then all are forgotten, and read again."""
_STATE_BYTES = 500
"""Roughly what each takes beside its data, which it has twice."""
_SYSVARS = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")
"""The owner of all sysvars."""
_UPGRADEABLE_LOADER = Pubkey.from_string(program_address.UPGRADEABLE_LOADER)
_PROGRAM_TAG = (2).to_bytes(4, "little")
"""`UpgradeableLoaderState::Program`; the address of the program data follows."""
_ENCODER: Final = msgspec.msgpack.Encoder()

Glance = tuple[int, Holding | None]
"""An account's lamports, and what it holds if it is a token account."""


@final
class State:
    """An account that transactions write, as it is at one moment; what comes after one transaction comes before the next."""

    __slots__ = ("account", "glance", "owners", "packed")

    def __init__(self, account: Account | None) -> None:
        state = account_state(account)
        self.account = account
        """None where it does not exist."""
        self.glance = _glance_of(state)
        self.owners = () if state is None else (state.owner,)
        """Its owner, where it exists."""
        self.packed = msgspec.Raw(_ENCODER.encode(state))
        """The packed `AccountState`."""


class Change(NamedTuple):
    """One account that a transaction changed."""

    address: Pubkey
    pre: State
    post: State


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one transaction."""

    transaction: VersionedTransaction
    keys: Keys
    meta: TransactionMetadata
    logs: tuple[str, ...]
    error: object
    """Solana's JSON form of the error; None for a success."""
    was_executed: bool
    """Whether its payer was charged; else the transaction did not get as far as its instructions, and wrote nothing."""
    changes: tuple[Change, ...]
    before: tuple[Glance, ...]
    """What each of its accounts was, in the order of its keys."""
    after: tuple[Glance, ...]

    @property
    def post_balances(self) -> tuple[int, ...]:
        """The lamports of each of its accounts after it."""
        return tuple([lamports for lamports, _ in self.after])


@final
class Machine:
    """One LiteSVM, driven block by block."""

    def __init__(self, signatures: Signatures) -> None:
        svm = LiteSVM().with_sigverify(signatures is Signatures.VERIFIED).with_blockhash_check(False)
        self._svm = svm.with_transaction_history(0).with_log_bytes_limit(None)
        self._is_behind = False
        """Whether the sysvars are those of an earlier block."""
        self.addresses: set[Pubkey] = set()
        """Of every account that was ever set or written here."""
        self._extra_compute_units = 0
        self._glances: dict[Pubkey, Glance] = {}
        """Of accounts that transactions have named, as they are now: reading one anew copies all of it, a program's code too."""
        self._states: dict[Pubkey, State] = {}
        """Of accounts that transactions could write, as they are now."""
        self._state_bytes = 0
        self._decimals: dict[str, int] = {}
        self._program_of = {  # the programs that the runtime brings can be replaced like any other
            Pubkey.from_bytes(account.data[4:36]): address
            for address, account in self.svm.get_program_accounts(_UPGRADEABLE_LOADER)
            if account.data[:4] == _PROGRAM_TAG
        }
        self._hashes: deque[tuple[int, Hash]] = deque(maxlen=_SLOT_HASHES)
        self.slot = 0
        self.block_height = 0
        self.block_time = 0
        self._epoch = -1
        self._epoch_start = 0
        self.blockhash = Hash.default()

    @property
    def svm(self) -> LiteSVM:
        """The SVM, with the sysvars of the current block: they are set when somebody looks, since most blocks may be empty."""
        if self._is_behind:
            self._is_behind = False
            self._set_sysvars()
        return self._svm

    @svm.setter
    def svm(self, svm: LiteSVM) -> None:
        self._svm = svm

    def raise_compute_limits(self, extra_units: int) -> None:
        """Add to each limit that a transaction sets; signatures are then not verified, since that is not what was signed."""
        if extra_units:
            self._extra_compute_units = extra_units
            self._svm = self._svm.with_sigverify(False)

    def load(self, account: BundleAccount) -> None:
        """Put an account there before the first slot.

        Raises:
            BundleError: The machine cannot have it, such as a program that does not load.
        """
        address = Pubkey.from_bytes(account.address)
        try:
            self.set_account(
                address, Account(account.lamports, account.data, Pubkey.from_bytes(account.owner), account.executable)
            )
        except Exception as error:  # LiteSVM's own error has no class that can be imported
            kind = SysvarsRefused if account.owner == bytes(_SYSVARS) else BundleError
            raise kind(f"the account {address} of the bundle cannot be set: {error}") from error

    def modify(self, accounts: Sequence[ModifiedAccount]) -> None:
        """Set accounts between blocks, all of them or none; zero lamports delete one.

        Raises:
            InputError: One cannot be set, such as a program that does not load; nothing has changed.
        """
        replaced: list[tuple[Pubkey, Account]] = []
        for address, account in [read_modified(account) for account in accounts]:
            replaced.append((address, self.get_account(address) or ABSENT))
            try:
                self.set_account(address, account)
            except Exception as error:  # as above
                for earlier, before in reversed(replaced):
                    self.set_account(earlier, before)
                raise InputError(f"the account {address} cannot be set: {error}") from error

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Set an account; new program data takes effect at once."""
        self.svm.set_account(address, account)
        self.addresses.add(address)
        self._glances.pop(address, None)
        self._states.pop(address, None)
        self._decimals.pop(address_text(address), None)
        if account.owner == _UPGRADEABLE_LOADER and account.data[:4] == _PROGRAM_TAG:
            self._program_of[Pubkey.from_bytes(account.data[4:36])] = address
        program = self._program_of.get(address)
        program_account = None if program is None else self.get_account(program)
        if program is not None and program_account is not None:
            # Setting the program again makes LiteSVM load the new code.
            self.svm.set_account(program, program_account)

    def get_account(self, address: Pubkey) -> Account | None:
        """Return an account; None where it does not exist."""
        account = self.svm.get_account(address)
        return account if account is not None and account.lamports else None

    def decimals(self, mint: str) -> int:
        """Return the decimals of a mint."""
        decimals = self._decimals.get(mint)
        if decimals is None:
            decimals = self._decimals[mint] = decimals_of(self.get_account(Pubkey.from_string(mint)))
        return decimals

    def begin(self, block: BundleSlot) -> None:
        """Move to the next block."""
        if self.slot:
            self._hashes.appendleft((self.slot, self.blockhash))
        self.slot, self.block_height, self.block_time = block.slot, block.block_height, block.block_time
        self.blockhash = Hash.from_bytes(block.blockhash)
        epoch, slots_before = divmod(block.slot, SLOTS_PER_EPOCH)
        if epoch != self._epoch:
            # The first block seen of an epoch may not be its first: the time of that one is reckoned back.
            self._epoch = epoch
            self._epoch_start = block.block_time - slots_before * _SLOT_MILLISECONDS // 1000
        self._is_behind = True

    def execute(self, transaction: VersionedTransaction) -> Execution:
        """Execute one transaction and keep what it changed."""
        if self._extra_compute_units:
            transaction = raise_compute_limit(transaction, self._extra_compute_units)
        svm = self.svm
        keys = keys_of(transaction, svm.get_account)
        self._make_room()
        written = [(address, self._state(address)) for address in dict.fromkeys(keys.writable)]
        before = self._glances_at(keys.all)
        result = svm.send_transaction(transaction)
        changes = self._changes_of(written)
        meta, error = (
            (result.meta(), error_of(result)) if isinstance(result, FailedTransactionMetadata) else (result, None)
        )
        return Execution(
            transaction=transaction,
            keys=keys,
            meta=meta,
            logs=tuple(meta.logs()),
            error=error,
            was_executed=error is None or bool(changes and changes[0].address == keys.all[0]),
            changes=changes,
            before=before,
            after=self._glances_at(keys.all) if changes else before,
        )

    def simulate(self, transaction: VersionedTransaction) -> SimulatedTransactionInfo | FailedTransactionMetadata:
        """Execute a transaction without keeping anything."""
        return self.svm.simulate_transaction(transaction)

    def _set_sysvars(self) -> None:
        self._svm.set_clock(Clock(self.slot, self._epoch_start, self._epoch, self._epoch + 1, self.block_time))
        if self._hashes:
            self._svm.set_slot_hashes(list(self._hashes))

        for address in _CHANGED_BY_CLOCK:
            self._glances.pop(address, None)
            self._states.pop(address, None)

    def _glances_at(self, addresses: Sequence[Pubkey]) -> tuple[Glance, ...]:
        glances = self._glances
        return tuple([glances.get(address) or self._glance(address) for address in addresses])

    def _glance(self, address: Pubkey) -> Glance:
        """Look at an account for the first time."""
        state = self._states.get(address)
        glance = _glance_of(account_state(self.get_account(address))) if state is None else state.glance
        self._glances[address] = glance
        return glance

    def _state(self, address: Pubkey) -> State:
        """Return an account that may be written, as it is; it is remembered, so that it need not be read before every transaction."""
        state = self._states.get(address)
        if state is None:
            self.addresses.add(address)
            state = self._remember(address, self.get_account(address))
        return state

    def _changes_of(self, written: Iterable[tuple[Pubkey, State]]) -> tuple[Change, ...]:
        """Read accounts again that a transaction may have written, and return those that are no longer as they were."""
        changes: list[Change] = []
        for address, before in written:
            account = self.get_account(address)
            if account != before.account:
                after = self._remember(address, account)
                changes.append(Change(address, before, after))
                self._glances[address] = after.glance
                self._decimals.pop(address_text(address), None)
        return tuple(changes)

    def _remember(self, address: Pubkey, account: Account | None) -> State:
        state = self._states[address] = State(account)
        self._state_bytes += _STATE_BYTES + 2 * len(state.packed)
        return state

    def _make_room(self) -> None:
        """Forget what is remembered when it is too much."""
        if len(self._glances) > _MOST_GLANCES:
            self._glances.clear()
        if self._state_bytes > _MOST_STATE_BYTES:
            self._states.clear()
            self._state_bytes = 0


def _glance_of(state: AccountState | None) -> Glance:
    return (0, None) if state is None else (state.lamports, holding_of(state))


def error_of(result: FailedTransactionMetadata) -> object:
    """Return the error in Solana's JSON form: a name, or a map for one with details."""
    return msgspec.json.decode(result.to_json())["err"]
