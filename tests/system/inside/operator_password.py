"""Inside identity: prints the operator's password."""

from chassis.settings import load
from identity.settings import Settings

print(load(Settings).operator_password.get_secret_value(), end="")
