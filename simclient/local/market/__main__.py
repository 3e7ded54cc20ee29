"""`python -m simclient.local.market OUT` writes the market to the file OUT."""

from __future__ import annotations

import argparse
from pathlib import Path

from .generator import build_market


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(prog="python -m simclient.local.market", description="Build the shipped market.")
    parser.add_argument("out", type=Path, help="the bundle to write")
    build_market(parser.parse_args().out)


if __name__ == "__main__":
    main()
