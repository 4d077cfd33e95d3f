# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for the tests of TLS, made by certtool as libvirt's documentation has it."""

import subprocess

def certtool(*words):
    subprocess.run(["certtool", *map(str, words)], check=True, capture_output=True)


def private_key(path):
    certtool("--generate-privkey", "--key-type=rsa", "--bits=2048", "--outfile", path)
    return path


class Authority:
    """A CA in a folder of its own; `folder`/cacert.pem is what its friends trust."""

    def __init__(self, folder, name="Test CA"):
        folder.mkdir()
        self.folder = folder
        self.key = private_key(folder / "cakey.pem")
        self.certificate = folder / "cacert.pem"
        template = folder / "ca.info"
        template.write_text(f"cn = {name}\nca\ncert_signing_key\nexpiration_days = 2\n",
                            encoding="utf-8")
        certtool("--generate-self-signed", "--load-privkey", self.key, "--template", template,
                 "--outfile", self.certificate)

    def sign(self, folder, role, common_name, lines=""):
        """Makes `folder`/{role}cert.pem and {role}key.pem; role is client or server."""
        folder.mkdir(exist_ok=True)
        key = private_key(folder / f"{role}key.pem")
        template = folder / f"{role}.info"
        template.write_text(
            f"cn = {common_name}\norganization = Tests\ntls_www_{role}\nsigning_key\n"
            f"encryption_key\n{lines or 'expiration_days = 1'}\n", encoding="utf-8")
        certtool("--generate-certificate", "--load-privkey", key, "--load-ca-certificate",
                 self.certificate, "--load-ca-privkey", self.key, "--template", template,
                 "--outfile", folder / f"{role}cert.pem")

    def server(self, folder):
        self.sign(folder, "server", "localhost",
                  "dns_name = localhost\nip_address = 127.0.0.1\nexpiration_days = 1")
        return folder

    def client(self, name, *, trusts=None, lines=""):
        """A folder for ?pkipath=: a client of this CA, which trusts servers of `trusts`, too."""
        folder = self.folder / name
        self.sign(folder, "client", name, lines)
        (folder / "cacert.pem").write_bytes(
            self.certificate.read_bytes() + (trusts.certificate.read_bytes() if trusts else b""))
        return folder
