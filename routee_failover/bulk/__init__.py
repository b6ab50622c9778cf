"""Many messages out of a file or any iterable, each sent once whatever happens to the process that sends them."""
