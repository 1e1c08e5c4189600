"""Certificates for tests, made by the openssl command."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Certificates:
    """An authority, certificates that it has signed, and others that it has not: paths of PEM files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca, ca_key = self._authority("ca")
        self.other_ca, other_ca_key = self._authority("other_ca")
        names = "DNS:localhost,DNS:worker.test,DNS:worker.internal,IP:127.0.0.1,IP:::1"
        self.broker, self.broker_key = self._signed("broker", self.ca, ca_key, names)
        self.caller, self.caller_key = self._signed("caller", self.ca, ca_key, "DNS:caller.test")
        self.other, self.other_key = self._signed("other", self.other_ca, other_ca_key, "DNS:caller.test")

    def _authority(self, name: str) -> tuple[str, str]:
        return self._make(name, "-addext", "keyUsage=critical,keyCertSign")

    def _signed(self, name: str, ca: str, ca_key: str, names: str) -> tuple[str, str]:
        signed_by = ("-CA", ca, "-CAkey", ca_key, "-addext", "basicConstraints=critical,CA:FALSE")
        return self._make(name, *signed_by, "-addext", f"subjectAltName={names}")

    def _make(self, name: str, *arguments: str) -> tuple[str, str]:
        paths = str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key")
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        command += ["-days", "2", "-subj", f"/CN={name}", "-out", paths[0], "-keyout", paths[1], *arguments]
        subprocess.run(command, check=True, capture_output=True)
        return paths
