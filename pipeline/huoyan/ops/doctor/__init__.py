"""What keeps, or will keep, a daemon from its work: the machine, the state, cameras, brokers, each with what to do."""
