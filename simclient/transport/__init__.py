"""Bytes: the control socket, the notification feed, HTTP. Knows no Solana."""
