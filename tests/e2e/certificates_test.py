#!/usr/bin/python3
"""A lab of certificates: each is met at the level `encrypt`, which asks for none in particular, and at `verified`,
which asks for a good chain and the right name (RFC 5280, RFC 6125, RFC 9325).  No false accept, no false reject."""
import datetime
import pathlib
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from relay import Relay, Sink, equal, main, test, wait_until

NAME = "mx.good.example"
NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
RULES = """\
when recipient starts with "encrypt@" then require_tls
when recipient starts with "verified@" then require_tls verified
"""


def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Issuer:
    """A certificate with its key, and what stands between it and the root."""

    def __init__(self, name, parent=None, ca=True, length=None, start=-1, end=30, constraints=None, key=None):
        self.key, self.name = key or ec_key(), subject(name)
        signer = parent or self
        builder = (x509.CertificateBuilder().subject_name(self.name).issuer_name(signer.name)
                   .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(NOW + start * DAY).not_valid_after(NOW + end * DAY)
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=length if ca else None), critical=True))
        if constraints:
            builder = builder.add_extension(x509.NameConstraints(permitted_subtrees=[x509.DNSName(constraints)],
                                                                 excluded_subtrees=None), critical=True)
        self.certificate = builder.sign(signer.key, hashes.SHA256())
        self.chain = [] if parent is None else [self.certificate, *parent.chain]


def leaf(issuer, names=(NAME,), common="leaf", start=-1, end=30, key=None, digest=hashes.SHA256, usage=None,
         key_usage=None, sans=None, extra=(), self_signed=False):
    key = key or ec_key()
    name = subject(common)
    builder = (x509.CertificateBuilder().subject_name(name).issuer_name(name if self_signed else issuer.name)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(NOW + start * DAY).not_valid_after(NOW + end * DAY))
    sans = sans if sans is not None else [x509.DNSName(n) for n in names]
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    if key_usage is not None:
        flags = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                               "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
        builder = builder.add_extension(x509.KeyUsage(**{**flags, **key_usage}), critical=True)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical=critical)
    signer = key if self_signed else issuer.key
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest()
    return builder.sign(signer, algorithm), key


def lab():
    """name: (certificate, key, chain sent with it, accepted when verified)."""
    root = Issuer("root")
    middle = Issuer("middle", root)
    stranger = Issuer("stranger")
    rows = {}

    def row(name, good, issuer=root, chain=None, **how):
        certificate, key = leaf(issuer, **how)
        rows[name] = (certificate, key, issuer.chain if chain is None else chain, good)

    row("the name itself", True)
    row("one of many names", True, names=[f"mx{n}.good.example" for n in range(40)] + [NAME])
    row("upper case", True, names=["MX.GOOD.Example"])
    row("a wildcard for its label", True, names=["*.good.example"])
    row("an intermediate that is sent", True, issuer=middle)
    row("P-384", True, key=ec.generate_private_key(ec.SECP384R1()))
    row("Ed25519", True, key=ed25519.Ed25519PrivateKey.generate())
    row("RSA 2048", True, key=rsa.generate_private_key(65537, 2048))
    row("for servers and clients", True, usage=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    row("key usage for signatures", True, key_usage={"digital_signature": True})
    row("another common name", True, common="mx.evil.example")
    row("an unknown extension", True,
        extra=[(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\0"), False)])
    row("inside the issuer's name constraints", True, issuer=Issuer("narrow", root, constraints="good.example"))

    row("another name", False, names=["mx.evil.example"])
    row("the parent domain", False, names=["good.example"])
    row("a child of the name", False, names=["a.mx.good.example"])
    row("the name as a prefix", False, names=[NAME + ".evil.example"])
    row("the name as a suffix", False, names=["x" + NAME])
    row("a wildcard for two labels", False, names=["*.example"])
    row("a wildcard of the name itself", False, names=["*." + NAME])
    row("a partial wildcard", False, names=["m*.good.example"])
    row("a wildcard in the middle", False, names=["mx.*.example"])
    row("a bare wildcard", False, names=["*"])
    row("two wildcards", False, names=["*.*.example"])
    row("a NUL in the name", False, names=[NAME + "\0.evil.example"])
    row("a leading dot", False, names=["." + NAME])
    row("an empty name", False, names=[""])
    row("the common name alone", False, common=NAME, sans=[])
    row("the common name beside another name", False, common=NAME, names=["mx.evil.example"])
    row("an address", False, sans=[x509.IPAddress(__import__("ipaddress").ip_address("127.0.0.1"))])
    row("a mailbox", False, sans=[x509.RFC822Name(f"postmaster@{NAME}")])
    row("a URI", False, sans=[x509.UniformResourceIdentifier(f"https://{NAME}/")])
    row("expired", False, start=-10, end=-1)
    row("not valid yet", False, start=1, end=10)
    row("self-signed", False, self_signed=True)
    row("of an unknown authority", False, issuer=stranger, chain=[stranger.certificate])
    row("an intermediate that is missing", False, issuer=middle, chain=[])
    row("an intermediate that expired", False, issuer=Issuer("old", root, start=-10, end=-1))
    row("an issuer that is no authority", False, issuer=Issuer("no ca", root, ca=False))
    row("too long a chain", False, issuer=Issuer("third", Issuer("second", root, length=0)))
    row("outside the issuer's name constraints", False, issuer=Issuer("narrow", root, constraints="evil.example"))
    row("for clients only", False, usage=[ExtendedKeyUsageOID.CLIENT_AUTH])
    row("for code only", False, usage=[ExtendedKeyUsageOID.CODE_SIGNING])
    row("key usage for certificates only", False, key_usage={"key_cert_sign": True, "crl_sign": True})
    row("signed with SHA-1", False, digest=hashes.SHA1)
    row("an unknown extension that is critical", False,
        extra=[(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\0"), True)])
    return root, rows


def write(folder, number, certificate, key, chain):
    pem, secret = folder / f"{number}.pem", folder / f"{number}.key"
    pem.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (certificate, *chain)))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
    return pem, secret


@test
def certificates():
    """every certificate at both levels: none is taken that must not be, none refused that must not be"""
    root, rows = lab()
    assert len(rows) >= 40, len(rows)
    with tempfile.TemporaryDirectory() as name:
        folder, sinks, connectors = pathlib.Path(name), [], {}
        (folder / "root.pem").write_bytes(root.certificate.public_bytes(serialization.Encoding.PEM))
        try:
            for n, (certificate, key, chain, _) in enumerate(rows.values()):
                sinks.append(Sink(certificate=write(folder, n, certificate, key, chain)))
                sinks[-1].__enter__()
                connectors[f"c{n}"] = \
                    (f'host "127.0.0.1" port {sinks[-1].port} name "{NAME}" trust "{folder}/root.pem" '
                                       f'domains d{n}\nlist d{n} of domain = "d{n}.example"')
            with Relay(RULES, connectors=connectors, retry="retry first 1 hour until 5 days") as relay:
                to = [f"{level}@d{n}.example" for level in ("encrypt", "verified") for n in range(len(rows))]
                equal(relay.send(to=to)[0], 250)
                settled(relay, sinks, len(to))
                waiting = reasons(relay)
                for n, (what, (_, _, _, good)) in enumerate(rows.items()):
                    got = {address for message in sinks[n].messages for address in message.recipients}
                    assert all(message.tls for message in sinks[n].messages), what
                    equal(f"encrypt@d{n}.example" in got, True,
                          f"{what}, encrypt: {waiting.get(f'encrypt@d{n}.example')}")
                    equal(f"verified@d{n}.example" in got, good, f"{what}: {waiting.get(f'verified@d{n}.example')}")
                    if not good:
                        assert waiting[f"verified@d{n}.example"].startswith("4.7.5 "), waiting
        finally:
            for sink in sinks:
                sink.__exit__(None)


def reasons(relay):
    """{recipient: why it waits}, for those that were tried."""
    return {r["address"]: r["delay_reason"] for row in relay.queue() for r in row["recipients"]
            if "delay_reason" in r}


def settled(relay, sinks, count):
    """Until every recipient was delivered, or was tried and waits with a reason."""
    def done():
        return len(reasons(relay)) + sum(len(m.recipients) for s in sinks for m in s.messages) == count
    wait_until(done, f"{count} recipients to be settled")


if __name__ == "__main__":
    main()
