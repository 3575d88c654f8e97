"""Errors that a user sees. Each says what went wrong, with what, and what to do.

HuoyanError
├── ConfigError          a wrong key or value: the run stops at once
│   └── RegistryError    a wrong row in zones, permits, vehicles, ...
├── SourceError          one picture, video or raster that cannot be used: skipped and counted
│   ├── UnreadableFile   missing, no permission, empty, truncated, not an image
│   ├── FrameTooLarge    decompression bomb guard
│   └── BadMetadata      EXIF, XMP, SRT or CRS that cannot be used
├── GeoreferenceError    a calibration or a pair of rasters that cannot be solved
├── ModelError           a model file or card that is missing, damaged or does not fit
├── StorageError         full disk, locked or damaged state: the run stops, nothing found is lost
├── DispatchError        a queue operation that cannot be done
└── MissingExtra         an optional dependency is absent
"""

from __future__ import annotations


class HuoyanError(Exception):
    """Root of all errors a user sees.

    Args:
        message: what happened, what was expected, what was found.
        subject: the file, key or object concerned, as a user would name it.
        hint: what to do about it.
        code: short stable word to count by (`truncated`, `no_crs`, ...).
    """

    exit_code = 1
    default_code = "error"

    def __init__(self, message: str, *, subject: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.hint = hint
        self.code = code or self.default_code

    def __str__(self) -> str:
        text = f"{self.subject}: {self.message}" if self.subject else self.message
        return f"{text} ({self.hint})" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments do not survive the default pickling; errors cross process pools.
        return (_rebuild, (type(self), self.message, self.subject, self.hint, self.code))


def _rebuild(kind: type[HuoyanError], message: str, subject: str, hint: str, code: str) -> HuoyanError:
    return kind(message, subject=subject, hint=hint, code=code)


class ConfigError(HuoyanError):
    exit_code = 2
    default_code = "config"


class RegistryError(ConfigError):
    default_code = "registry"


class SourceError(HuoyanError):
    exit_code = 3
    default_code = "source"


class UnreadableFile(SourceError):
    default_code = "unreadable"


class FrameTooLarge(SourceError):
    default_code = "too_large"


class BadMetadata(SourceError):
    default_code = "bad_metadata"


class GeoreferenceError(HuoyanError):
    exit_code = 3
    default_code = "georeference"


class ModelError(HuoyanError):
    exit_code = 4
    default_code = "model"


class StorageError(HuoyanError):
    exit_code = 5
    default_code = "storage"


class DispatchError(HuoyanError):
    exit_code = 6
    default_code = "dispatch"


class MissingExtra(HuoyanError):
    exit_code = 7
    default_code = "missing_extra"

    @classmethod
    def named(cls, package: str, extra: str) -> MissingExtra:
        """The error for an optional `package` that the extra `extra` installs."""
        return cls(
            f"this needs {package}, which is not installed",
            hint=f"run: pip install 'huoyan[{extra}]'",
        )
