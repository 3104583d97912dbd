"""`python -m paac_cli` runs `paac`."""

import sys

if sys.path and not sys.flags.safe_path:
    # `python -m` lets the current directory hide libraries: a file like `queue.py` there would be imported. It is
    # searched last if this package lies there, and otherwise only by commands that name code in it.
    here = sys.path.pop(0)
    if __file__.startswith(f"{here}/"):
        sys.path.append(here)

from paac_cli.cli.main import main

if __name__ == "__main__":
    main()
