"""Certificates for one run of a sender that speaks TLS."""

from __future__ import annotations

from pathlib import Path

import attrs
import trustme

__all__ = ["Certificates"]


@attrs.frozen
class Certificates:
    """Files in PEM."""

    authority: Path
    """Whom a client has to trust."""
    server: Path
    """The sender's key and certificate."""

    @classmethod
    def write(cls, folder: Path) -> Certificates:
        """Make an authority that nobody else trusts, and a certificate for 127.0.0.1."""
        made = cls(folder / "authority.pem", folder / "server.pem")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(made.authority)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(made.server)
        return made
