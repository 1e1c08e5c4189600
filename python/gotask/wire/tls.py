"""TLS 1.3 for the broker and for callers: which certificates they show, and which they trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .address import Address, TcpAddress

if TYPE_CHECKING:
    from ssl import SSLContext


class Tls(NamedTuple):
    """Paths of PEM files. The other end's certificate is always verified.

    ca: the authorities that are trusted. A client without it trusts those of the system; a broker without it asks callers for
    no certificate, with it for one that they have signed. certificate: one's own, with the chain behind it; a broker needs one.
    key: the private one, where it is not in the same file. peer_name: the name that the broker's certificate is to have, where
    it is not the address's host.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    peer_name: str | None = None

    def encryption(self, address: Address) -> Encryption | None:
        """What a client needs for that address; None: no TLS. ValueError: a file can't be used."""
        if not isinstance(address, TcpAddress) or not address.tls:
            return None
        import ssl

        context = self._complete(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trusts_system=True)
        return Encryption(context, self.peer_name or address.host)

    def server_context(self) -> SSLContext:
        """What the broker needs. ValueError: a file can't be used."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return self._complete(context, trusts_system=False)

    def _complete(self, context: SSLContext, trusts_system: bool) -> SSLContext:
        import ssl

        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, password=_no_password)
            except (OSError, ValueError) as error:
                files = self.certificate if self.key is None else f"{self.certificate} and {self.key}"
                raise ValueError(f"the TLS certificate {files} can't be used: {_reason(error)}") from None
        try:
            if self.ca is not None:
                context.load_verify_locations(self.ca)
            elif trusts_system:
                context.load_default_certs()
        except (OSError, ValueError) as error:
            raise ValueError(f"the TLS authorities {self.ca} can't be used: {_reason(error)}") from None
        return context


class Encryption(NamedTuple):
    """What a client needs: the context, and the name that the certificate is to have."""

    context: SSLContext
    peer_name: str


def _no_password() -> str:
    raise ValueError("its private key has a password: give one without")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
