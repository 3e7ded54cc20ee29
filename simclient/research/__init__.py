"""What is done with the events of a backtest: runs that are kept, read back, compared, summed up and shown.

    result = await run_backtest(RunConfig(url=…, start_slot=…, end_slot=…, subscriptions=…, output=Path("run.ndjson")))
    run = read_run("run.ndjson")
    frame = run.transaction_table.to_polars()
    compare_runs("baseline.ndjson", "run.ndjson").has(Kind.REGRESSION)

The command line does what is here and nothing else. Names (`__init__.pyi` has their homes) are imported when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
