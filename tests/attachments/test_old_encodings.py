"""Texts in encodings older than UTF-8: short comments in code are read as they were meant."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.attachments.decoding import decode_text
from assistant.attachments.encodings import guess
from assistant.errors import InputError

COMMENTS = [
    ("x = 1  # café\n", "cp1252"),
    ("# calcule la durée de l'opération\ndef duree(x):\n    return x  # déjà vérifié\n", "cp1252"),
    ("int x; // Größe\n", "cp1252"),
    ("/* GRÖSSE ÜBERSCHREITET */\n", "cp1252"),
    ("# Función que añade un año más al señor\nx = 1\n", "cp1252"),
    ("/* räknar ut längden på strängen */\nint f(void);\n", "cp1252"),
    ("-- seleção de usuários não excluídos\nselect 1;\n", "cp1252"),
    ("/* Copyright © 2003 Jürgen Müller, José García, Søren Ångström */\n", "cp1252"),
    ("“naïve” costs 5 €", "cp1252"),
    ("t = 20  # 20 °C ± 1 µs\n", "cp1252"),
    ("It’s a test – really…\n", "cp1252"),
    ("// Größe des Puffers prüfen\n", "cp850"),
    ("# długość żądania\nx = 1\n", "iso-8859-2"),
    ("# Sprawdź, czy użytkownik może się zalogować\n", "cp1250"),
    ("// Příliš žluťoučký kůň úpěl ďábelské ódy\n", "iso-8859-2"),
    ("# Az űrlap ellenőrzése és a hibák kiírása\n", "cp1250"),
    ("x = 1  # привет мир\n", "koi8-r"),
    ("# Проверка пользователя\ndef login(user):\n    # вернуть результат\n    ...\n", "koi8-r"),
    ("# Проверка пользователя перед входом\n", "cp1251"),
    ("# Проверка пользователя перед входом\n", "cp866"),
    ("# Перевірка користувача перед входом\n", "koi8-u"),
    ("# Έλεγχος του χρήστη πριν από την είσοδο\n", "cp1253"),
    ("# Kullanıcı girişi için doğrulama yapılıyor\n", "cp1254"),
    ("int x; // 日本語のコメント\n", "shift_jis"),
    ("# ユーザーのログインを確認する\ndef login(user):\n    # 結果を返す\n    ...\n", "shift_jis"),
    ("print('終了')  # 終わり\n", "euc_jp"),
    ("int x; // 中文注释\n", "gb18030"),
    ("# 检查用户是否已经登录系统\nx = 1  # 返回结果\n", "gb18030"),
    ("# 檢查使用者是否已經登入系統\nx = 1  # 回傳結果\n", "big5"),
    ("# 사용자가 로그인했는지 확인한다\nx = 1  # 결과를 반환\n", "euc_kr"),
]


@pytest.mark.parametrize(("text", "encoding"), COMMENTS)
def test_a_short_comment_comes_out_right_and_the_encoding_is_said(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    decoded = decode_text(data, "x")
    assert decoded.text == text
    assert decoded.text.encode(decoded.encoding) == data
    assert decoded.notice.startswith("read as ")
    assert decoded.notice.endswith(", because it is not UTF-8")


def test_a_language_without_a_row_of_its_own_is_recognised_in_a_long_text() -> None:
    text = "# مرحبا بالعالم هذا نص عربي للتجربة\n" * 3
    assert decode_text(text.encode("cp1256"), "x").text == text


@pytest.mark.parametrize(
    "data", [b"\x8d", b"caf\xe9 then \x81 in a long enough line", b"a\xffb\xfe"]
)
def test_what_reads_like_nothing_is_western_or_latin_1(data: bytes) -> None:
    decoded = decode_text(data * 2 + b" plain" * 10, "x")
    assert decoded.text.encode(decoded.encoding) == data * 2 + b" plain" * 10


def test_random_bytes_are_no_language() -> None:
    data = random.Random(1).randbytes(4_000).replace(b"\0", b"\1")
    with pytest.raises(InputError, match="binary"):
        decode_text(data, "x")


@given(st.binary(max_size=200))
def test_a_guess_gives_back_the_bytes(data: bytes) -> None:
    found = guess(data)
    assert found is None or found.text.encode(found.encoding) == data


def test_a_large_file_is_judged_by_its_beginning() -> None:
    data = "# déjà vu\n".encode("latin-1") * 100_000
    assert decode_text(data, "x").encoding == "cp1252"
