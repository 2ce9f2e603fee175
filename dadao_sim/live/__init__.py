"""A live run: one process per node, TCP between them, real clocks, the simulator's own handlers."""
