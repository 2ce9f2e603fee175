"""The network as it is: nodes that take time, links that delay and lose, on SimPy."""
