"""Jobs: stored in SQLite, run one at a time per device, in a worker process that may be killed."""
