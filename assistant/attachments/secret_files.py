"""Which files of a folder look as if they held secrets. Who names one by itself means it."""

from fnmatch import fnmatchcase

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
    return not name.endswith(EXAMPLES) and any(fnmatchcase(name, known) for known in SECRETS)
