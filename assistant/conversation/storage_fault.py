"""What goes wrong with the place where conversations are kept. The store answers to it."""


class StorageFault(Exception):  # as in errors.py: named for what went wrong
    """`reason` in words. `is_damage`: the file is not what was written."""

    def __init__(self, reason: str, *, is_damage: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_damage = is_damage
