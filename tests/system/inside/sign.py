"""Inside identity: signs each set of claims, in JSON, with the shop's own oldest key. Prints the tokens."""

import asyncio
import json
import sys

import asyncpg

from chassis.settings import load
from identity.domain import SigningKey
from identity.keys import JwtSigner, Vault
from identity.settings import Settings, key_bytes

OLDEST = "SELECT kid, public, sealed, created_at, activates_at FROM signing_key ORDER BY created_at LIMIT 1"


async def oldest(settings: Settings) -> SigningKey:
    """The key that all know by now."""
    password = settings.database_password.get_secret_value()
    connection = await asyncpg.connect(settings.database_url, password=password)
    try:
        row = await connection.fetchrow(OLDEST)
    finally:
        await connection.close()
    assert row is not None
    return SigningKey(**row)


settings = load(Settings)
key, signer = asyncio.run(oldest(settings)), JwtSigner(Vault(key_bytes(settings.key_encryption_key)))
print(json.dumps([signer.sign(key, claims) for claims in json.loads(sys.argv[1])]))
