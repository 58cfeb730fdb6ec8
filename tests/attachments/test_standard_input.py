"""Standard input as an attachment: bounded, decoded, or nothing at all."""

import io
import os
import subprocess
import time

import pytest

from assistant.attachments.attached import Attached
from assistant.attachments.stdin import read_stdin
from assistant.errors import InputError
from assistant.messages import Attachment


def test_what_comes_through_a_pipe_is_an_attachment_without_language() -> None:
    attached = read_stdin(io.BytesIO("naïve\n".encode()))
    assert attached == Attached((Attachment("stdin", "naïve\n", ""),))


def test_how_it_was_decoded_is_said() -> None:
    attached = read_stdin(io.BytesIO("déjà vu".encode("cp1252")))
    assert attached.attachments[0].text == "déjà vu"
    assert attached.notices == ("stdin: read as Windows-1252, because it is not UTF-8",)


@pytest.mark.parametrize("data", [b"", b" \n\t\n", "\ufeff".encode()])
def test_nothing_on_it_is_no_attachment(data: bytes) -> None:
    assert read_stdin(io.BytesIO(data)) == Attached()


def test_a_closed_one_is_no_attachment() -> None:
    assert read_stdin(None) == Attached()


def test_one_closed_behind_our_back_is_an_input_error() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    stream = os.fdopen(reading, "rb")
    stream.close()
    with pytest.raises(InputError, match="cannot be read"):
        read_stdin(stream)


def test_the_limit_counts_bytes_exactly() -> None:
    assert read_stdin(io.BytesIO(b"a" * 100), 100).attachments
    with pytest.raises(InputError, match="stdin is larger than 1 MiB"):
        read_stdin(io.BytesIO(b"a" * ((1 << 20) + 1)), 1 << 20)


def test_an_endless_pipe_ends_with_an_error_that_names_the_limit() -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as yes:
        assert yes.stdout is not None
        before = time.monotonic()
        with pytest.raises(InputError, match="larger than 10 MiB") as caught:
            read_stdin(yes.stdout)
        assert time.monotonic() - before < 10
        assert "head" in caught.value.hint
        yes.kill()


def test_binary_input_is_refused() -> None:
    with pytest.raises(InputError, match="stdin is binary"):
        read_stdin(io.BytesIO(b"\x7fELF\0"))
