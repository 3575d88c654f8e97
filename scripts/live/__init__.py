"""A county of live cameras for measuring the daemon: films, servers, configuration, faults, and what is measured."""
