"""Trials that break runs on purpose and check that nothing is lost. `make chaos` runs them all."""
