"""The simulator in the package: the backtest API on loopback, executing on a real SVM."""
