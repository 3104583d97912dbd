"""Deep reinforcement learning with many environments stepped in parallel by one learner, in lock-step."""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is first used: importing this package must not import much of Python's library.

    `python -m paac_cli` imports it while the current directory still comes before that library.
    """
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("paac")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"
