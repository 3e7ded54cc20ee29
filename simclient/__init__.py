"""A trio SDK, command line tool and embedded simulator for the Solana simulator backtest API."""
