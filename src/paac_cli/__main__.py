"""`python -m paac_cli` runs `paac`."""

from paac_cli.cli.main import main

if __name__ == "__main__":
    main()
