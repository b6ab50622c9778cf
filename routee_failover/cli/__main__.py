"""Entry point of `python -m routee_failover.cli`, for where the script is not on the path."""

from . import run

if __name__ == "__main__":
    run()
