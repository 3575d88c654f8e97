"""Running the daemon for months: metrics, health pages, logs, the service manager, checks, a live table."""
