"""`python -m routee_failover.cli`: the command line where its script is not on the path."""

from . import run

if __name__ == "__main__":
    run()
