"""The engine that answers, and another one that is being loaded to take its place."""

from collections.abc import Callable, Iterator

from assistant.chat_commands.absent_engine import AbsentEngine
from assistant.config import Settings
from assistant.engine.base import Engine
from assistant.events import ModelLoading

OpenEngine = Callable[[Settings], Engine]


class EngineInUse:
    """`current` is one that is loaded, or an `AbsentEngine`."""

    def __init__(self, open_engine: OpenEngine) -> None:
        self.current: Engine = AbsentEngine()
        self._open_engine = open_engine
        self._opening: Engine | None = None

    @property
    def is_loading(self) -> bool:
        return self._opening is not None

    def change(self, settings: Settings) -> Iterator[ModelLoading]:
        """Loading begins at once. Read to its end, the new one is in use and the old one closed;
        read no further, or when it fails, everything stays."""
        if self._opening is not None:
            self._opening.close()
            self._opening = None
        engine = self._open_engine(settings)
        try:
            loading = engine.load()
        except BaseException:
            engine.close()
            raise
        self._opening = engine
        return self._steps(engine, loading)

    def close(self) -> None:
        for engine in (self.current, self._opening):
            if engine is not None:
                engine.close()

    def _steps(self, engine: Engine, loading: Iterator[ModelLoading]) -> Iterator[ModelLoading]:
        is_ready = False
        try:
            yield from loading
            is_ready = True
        finally:
            if self._opening is engine:
                self._opening = None
            if not is_ready:
                engine.close()
        old, self.current = self.current, engine
        old.close()
