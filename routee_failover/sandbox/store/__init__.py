"""What survives the sandbox: nothing by itself, and everything in an SQLite file behind `--store`."""
