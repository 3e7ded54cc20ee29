"""Raw sessions: one socket, every response as it comes, and waits that take only what they wait for."""
