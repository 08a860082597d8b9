"""`python cli.py ...` from a checkout is `zoo ...` from an installation."""

from zoo.cli import main

if __name__ == "__main__":
    main()
