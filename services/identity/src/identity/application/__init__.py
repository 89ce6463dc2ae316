"""Use cases of identity: accounts and their logins, signing keys and their rotation."""

from identity.application.accounts import Accounts, NewCustomer
from identity.application.ports import Clock, Ids, Passwords, Signer, Storage, UnitOfWork, utc_now
from identity.application.signing import Issuer, SigningKeys

__all__ = [
    "Accounts",
    "Clock",
    "Ids",
    "Issuer",
    "NewCustomer",
    "Passwords",
    "Signer",
    "SigningKeys",
    "Storage",
    "UnitOfWork",
    "utc_now",
]
