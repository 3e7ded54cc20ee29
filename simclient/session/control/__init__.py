"""The control plane of a session: the task that carries out what the machines of `protocol/` decide, and the sockets that it opens."""
