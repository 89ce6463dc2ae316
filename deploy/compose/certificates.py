"""Certificates for the way to the old shop: one authority, which signs Envoy's and the facade's and then is forgotten.

Nobody keeps the authority's key, so nobody can sign a third one: new ones are a new authority's.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

SERVER, CLIENT = "legacy", "facade"
VALID = datetime.timedelta(days=365)
# Who asks for them is a command that somebody has to start, so they are made anew long before anybody has to.
RENEWED_BEFORE = datetime.timedelta(days=60)
_TO_SIGN = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=False,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Files:
    """Where one end of the way finds its certificate, its key, and the authority that the other end's is signed by."""

    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def named(cls, folder: Path, name: str) -> "Files":
        """As programs are told of them: `name`.pem, `name`.key, legacy-ca.pem."""
        return cls(folder / f"{name}.pem", folder / f"{name}.key", folder / "legacy-ca.pem")

    @classmethod
    def of_kubernetes(cls, folder: Path) -> "Files":
        """The keys of a Secret of type kubernetes.io/tls, as cert-manager fills it too."""
        return cls(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")


def provide(server: Path, client: Path, now: datetime.datetime | None = None) -> bool:
    """Put certificate, key and authority into each folder, unless those there are good for long; whether it did."""
    return provide_files(Files.named(server, "legacy-server"), Files.named(client, "legacy-client"), now)


def provide_files(server: Files, client: Files, now: datetime.datetime | None = None) -> bool:
    """The same for files of other names."""
    moment = now or datetime.datetime.now(datetime.UTC)
    if all(_lasts(files.certificate, moment) for files in (server, client)):
        return False
    authority, key = _authority(moment)
    for files, name in ((server, SERVER), (client, CLIENT)):
        usage = ExtendedKeyUsageOID.SERVER_AUTH if name == SERVER else ExtendedKeyUsageOID.CLIENT_AUTH
        own = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(own, name, usage, authority, key, moment)
        _write(files.key, _private(own))
        _write(files.authority, authority.public_bytes(serialization.Encoding.PEM))
        # Last, for it is what says that all three are there.
        _write(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    return True


def _lasts(file: Path, now: datetime.datetime) -> bool:
    if not file.exists():
        return False
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc - now > RENEWED_BEFORE


def _authority(now: datetime.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("Banyan, the way to the old shop")
    builder = _begun(name, name, key.public_key(), now)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    return builder.add_extension(_TO_SIGN, critical=True).sign(key, hashes.SHA256()), key


def _signed(
    own: ec.EllipticCurvePrivateKey,
    name: str,
    usage: ObjectIdentifier,
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return (
        _begun(_named(name), authority.subject, own.public_key(), now)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(key, hashes.SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    # By a new name: who reads meanwhile gets the whole of one file, and Envoy sees files that are moved only.
    fresh = path.with_name(f".{path.name}")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(path)
