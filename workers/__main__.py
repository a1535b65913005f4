"""`python -m workers`: the same as `lethe`."""

from workers.cli.app import main

if __name__ == "__main__":
    main()
