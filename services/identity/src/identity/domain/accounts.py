"""Accounts: of this shop, and of the old one, which they follow while it lives."""

import re
from dataclasses import dataclass, field, replace
from uuid import UUID

# What a browser's own e-mail field accepts (HTML, 4.10.5.1.5), with a dot in the domain.
EMAIL_PATTERN = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\-]{1,64}@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+$"
EMAIL_LENGTH = 254

# How a hash of the old shop begins: SHA-1 over salt and password, kept until its owner logs in.
LEGACY_HASH = "legacy-sha1$"


class EmailTaken(Exception):
    """An account with this e-mail address exists."""


class AccountUnknown(Exception):
    """There is no account with this id (any more)."""


def normalise_email(email: str) -> str:
    """One address, one spelling. Local parts could differ by case; no provider that people use lets them."""
    return email.lower()


def legacy_hash(salt: str, digest: str) -> str:
    """A password hash of the old shop as it is kept here."""
    return f"{LEGACY_HASH}{salt}${digest}"


@dataclass(frozen=True)
class LegacyCustomer:
    """A customer as the old shop has them; `version` orders all changes of that shop."""

    id: UUID
    number: int
    email: str
    name: str
    password_hash: str = field(repr=False)
    version: int

    @property
    def address(self) -> str | None:
        """The e-mail address in our spelling; None for one that nobody could type here."""
        fits = len(self.email) <= EMAIL_LENGTH and re.fullmatch(EMAIL_PATTERN, self.email)
        return normalise_email(self.email) if fits else None


@dataclass(frozen=True)
class Account:
    """Somebody who can log in: a customer, or an operator, who may buy as well.

    `number` is what the old shop calls a customer by: its own, or one of ours from 1,000,001 on. `legacy_version` is
    the old shop's last change that the account has followed; 0: it was made here, and follows none.
    """

    id: UUID
    email: str
    name: str
    password_hash: str = field(repr=False)
    number: int
    operator: bool = False
    legacy_version: int = 0

    @classmethod
    def of_legacy(cls, told: LegacyCustomer) -> "Account":
        """An account of the old shop."""
        email = told.address or _unreachable(told.id)
        return cls(told.id, email, told.name, told.password_hash, told.number, legacy_version=told.version)

    def follow(self, told: LegacyCustomer) -> "Account":
        """The account as the old shop has it now.

        It stays as it is if it was made here (the old shop has a stand-in for it, without address and password), if it
        is an operator's by now, or if it has followed something newer. A password hash that was upgraded stays.
        """
        if not self.follows or told.version <= self.legacy_version:
            return self
        followed = Account.of_legacy(told)
        upgraded = not self.password_hash.startswith(LEGACY_HASH)
        return replace(followed, password_hash=self.password_hash) if upgraded else followed

    @property
    def follows(self) -> bool:
        """Whether the old shop has a say in this account."""
        return self.legacy_version > 0 and not self.operator

    def gives_way_to(self, told: LegacyCustomer) -> bool:
        """Whether the address of this account is the other's by now: the old shop said so later. Ours keep theirs."""
        return self.follows and self.legacy_version < told.version

    def unreachable(self) -> "Account":
        """The account without its address: nobody logs in here with it, the old shop's session still leads to it."""
        return replace(self, email=_unreachable(self.id))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("operator", "customer") if self.operator else ("customer",)


def _unreachable(account_id: UUID) -> str:
    return f"{account_id}@legacy.invalid"  # RFC 2606: a domain that never is
