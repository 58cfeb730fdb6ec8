"""Which files of a folder look as if they held secrets. Who names one by itself means it."""

import re
from fnmatch import translate
from functools import cache

EXAMPLES = (".example", ".sample", ".template", ".dist", ".pub")
SECRETS = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.ovpn",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    "service-account*.json",
    "service_account*.json",
    *(
        f"{name}{suffix}"
        for name in ("credentials", ".credentials", "secrets", ".secrets", "client_secret*")
        for suffix in ("", ".json", ".yaml", ".yml", ".toml", ".ini", ".txt", ".xml", ".csv")
    ),
)


def looks_secret(file_name: str) -> bool:
    """By the name alone: keys, passwords and tokens under their usual names."""
    name = file_name.lower()
    return not name.endswith(EXAMPLES) and _secrets().match(name) is not None


@cache
def _secrets() -> re.Pattern[str]:
    """One pattern: a folder may have 50,000 files."""
    return re.compile("|".join(map(translate, SECRETS)))
