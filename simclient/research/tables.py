"""Results as tables: for Polars, pandas and Arrow where those are installed, and as plain dicts where they are not.

A column's type is the same in all of them. Amounts are unsigned 64-bit integers, as on the chain; differences are signed; JSON of the
server's stays text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast, final

import msgspec

from ..errors import InputError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["Column", "Table", "import_extra", "polars_schema", "record_rows", "record_values"]

Column = str
"""`u64`, `i64`, `f64`, `bool`, `text`, `json` (text that holds JSON), `texts`, `sol_changes`, `token_changes` or
`instructions`."""

_SOL_CHANGE = {"pubkey": "text", "pre_lamports": "u64", "post_lamports": "u64"}
_TOKEN_CHANGE = {
    "pubkey": "text",
    "mint": "text",
    "owner": "text",
    "pre_amount": "u64",
    "post_amount": "u64",
    "decimals": "u64",
}
_INSTRUCTION = {"program": "text", "accounts": "texts", "data": "text", "depth": "u64"}
_STRUCTS = {"sol_changes": _SOL_CHANGE, "token_changes": _TOKEN_CHANGE, "instructions": _INSTRUCTION}


@final
class Table:
    """Rows with named, typed columns.

    Attributes:
        name: What the rows are.
        columns: Their types by name, in order.
    """

    def __init__(
        self, name: str, columns: Mapping[str, Column], rows: Callable[[], Iterable[Sequence[object]]]
    ) -> None:
        """Keep how to get the rows; nothing is read yet."""
        self.name = name
        self.columns = dict(columns)
        self._rows = rows

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {', '.join(self.columns)})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from .report.cells import table_cell

        return table_cell(self)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows, each anew at every call."""
        return (tuple(row) for row in self._rows())

    def to_dicts(self) -> list[dict[str, object]]:
        """Return the rows as dicts."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows()]

    def to_polars(self) -> polars.DataFrame:
        """Return the table as a Polars frame.

        Raises:
            InputError: Polars is not installed.
        """
        library = import_extra("polars", "parquet", "a Polars frame")
        frame: polars.DataFrame = library.DataFrame(list(self._rows()), schema=polars_schema(self), orient="row")
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """Return the table as a pandas frame; whole numbers that may be missing are `UInt64` or `Int64`.

        Raises:
            InputError: pandas is not installed.
        """
        library = import_extra("pandas", None, "a pandas frame")
        columns = self._by_column()
        kinds = {"u64": "UInt64", "i64": "Int64", "bool": "boolean", "f64": "Float64"}
        series = {
            name: library.array(values, dtype=kinds[self.columns[name]]) if self.columns[name] in kinds else values
            for name, values in columns.items()
        }
        frame: pandas.DataFrame = library.DataFrame(series, columns=list(self.columns))
        return frame

    def to_arrow(self) -> pyarrow.Table:
        """Return the table as an Arrow table.

        Raises:
            InputError: pyarrow is not installed.
        """
        arrow = import_extra("pyarrow", "arrow", "an Arrow table")
        schema = arrow.schema([(name, _arrow_type(arrow, kind)) for name, kind in self.columns.items()])
        table: pyarrow.Table = arrow.Table.from_pydict(self._by_column(), schema=schema)
        return table

    def _by_column(self) -> dict[str, list[object]]:
        """Return the values by column."""
        columns: dict[str, list[object]] = {name: [] for name in self.columns}
        for row in self._rows():
            for values, value in zip(columns.values(), row, strict=True):
                values.append(value)
        return columns


def import_extra(module: str, extra: str | None, what: str) -> Any:
    """Import a package that is not always there.

    Args:
        module: Its name.
        extra: The extra of simclient that brings it, None where none does.
        what: What it is needed for.

    Raises:
        InputError: It is not installed; the message says how to get it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        package = module if extra is None else f'"simclient[{extra}]"'
        raise InputError(f"{what} needs {module}, which is not installed: pip install {package}") from error


def record_rows(records: Iterable[object], columns: Mapping[str, Column]) -> Iterator[tuple[object, ...]]:
    """Yield a row for each record: the fields that the columns are named for."""
    plain = [(name, kind in ("json", "texts", *_STRUCTS)) for name, kind in columns.items()]
    for record in records:
        yield tuple(_plain(getattr(record, name)) if is_nested else getattr(record, name) for name, is_nested in plain)


def record_values(record: object, names: Iterable[str]) -> dict[str, object]:
    """Return some fields of a record as the frames take them."""
    return {name: _plain(getattr(record, name)) for name in names}


def polars_schema(table: Table) -> dict[str, Any]:
    """Return a table's columns as Polars types.

    Raises:
        InputError: Polars is not installed.
    """
    library = import_extra("polars", "parquet", "a Polars frame")
    return {name: _polars_type(library, kind) for name, kind in table.columns.items()}


def _plain(value: object) -> object:
    """Return a nested value as the frames take it."""
    if isinstance(value, msgspec.Raw):
        return None if bytes(value) in (b"", b"null") else bytes(value).decode()
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        return [msgspec.to_builtins(one) if isinstance(one, msgspec.Struct) else one for one in items]

    return value


def _polars_type(polars: Any, kind: Column) -> Any:
    """Return a column's type in Polars."""
    if kind in _STRUCTS:
        return polars.List(polars.Struct({name: _polars_type(polars, one) for name, one in _STRUCTS[kind].items()}))

    types = {"u64": polars.UInt64, "i64": polars.Int64, "f64": polars.Float64, "bool": polars.Boolean}
    return polars.List(polars.String) if kind == "texts" else types.get(kind, polars.String)


def _arrow_type(arrow: Any, kind: Column) -> Any:
    """Return a column's type in Arrow."""
    if kind in _STRUCTS:
        return arrow.list_(arrow.struct([(name, _arrow_type(arrow, one)) for name, one in _STRUCTS[kind].items()]))

    types = {"u64": arrow.uint64, "i64": arrow.int64, "f64": arrow.float64, "bool": arrow.bool_}
    return arrow.list_(arrow.string()) if kind == "texts" else types.get(kind, arrow.string)()


TRANSACTION_COLUMNS: Mapping[str, Column] = {
    "slot": "u64",
    "tx_index": "u64",
    "signature": "text",
    "success": "bool",
    "error": "text",
    "err": "json",
    "fee": "u64",
    "fee_payer": "text",
    "compute_units": "u64",
    "timestamp": "i64",
    "logs": "texts",
    "sol_changes": "sol_changes",
    "token_changes": "token_changes",
    "instructions": "instructions",
    "session_id": "text",
}
DIFF_COLUMNS: Mapping[str, Column] = {
    "slot": "u64",
    "tx_index": "u64",
    "tx_hash": "text",
    "account": "text",
    "block_time": "i64",
    "pre_lamports": "u64",
    "post_lamports": "u64",
    "pre_state": "json",
    "post_state": "json",
    "session_id": "text",
}
LOGS_COLUMNS: Mapping[str, Column] = {
    "slot": "u64",
    "signature": "text",
    "success": "bool",
    "error": "text",
    "logs": "texts",
    "session_id": "text",
}
EVENT_COLUMNS: Mapping[str, Column] = {"type": "text", **TRANSACTION_COLUMNS, **DIFF_COLUMNS}
"""All events of a run in one table: of each event the columns that it has."""
