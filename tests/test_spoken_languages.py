"""Codes, locales and words → the name of the language to answer in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import UsageError
from assistant.spoken_languages import LANGUAGES, language_name, language_of_locale


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("zh", "Simplified Chinese (简体中文)"),
        ("zh_CN.UTF-8", "Simplified Chinese (简体中文)"),
        ("zh-Hans-HK", "Simplified Chinese (简体中文)"),
        ("zh-TW", "Traditional Chinese (繁體中文)"),
        ("zh_TW.UTF-8", "Traditional Chinese (繁體中文)"),
        ("zh-Hant", "Traditional Chinese (繁體中文)"),
        ("de", "German (Deutsch)"),
        (" DE-at ", "German (Deutsch)"),
        ("de_DE@euro", "German (Deutsch)"),
        ("es-419", "Spanish (español)"),
        ("pt-BR", "Brazilian Portuguese (português do Brasil)"),
        ("pt_PT", "Portuguese (português)"),
        ("en", "English"),
        ("simple  English", "simple English"),
        ("Deutsch", "Deutsch"),
        ("pig-latin", "pig-latin"),
        ("日本語", "日本語"),
        ("", ""),
    ],
)
def test_codes_have_names_and_longer_words_are_taken_as_they_are(text: str, name: str) -> None:
    assert language_name(text) == name


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ger", "de, German"),
        ("xe", "did you mean"),
        ("jap", "ja"),
        ("qq", "write its name"),
        ("C", ""),
    ],
)
def test_an_unknown_code_is_refused_with_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"no language {text}") as caught:
        language_name(text)
    assert hint in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"LC_ALL": "de_DE.UTF-8", "LC_MESSAGES": "fr_FR", "LANG": "es_ES"}, "German (Deutsch)"),
        ({"LC_ALL": "", "LC_MESSAGES": "fr_FR", "LANG": "es_ES"}, "French (français)"),
        ({"LANG": "zh_TW.UTF-8"}, "Traditional Chinese (繁體中文)"),
        ({"LC_ALL": "C", "LANG": "de_DE"}, ""),
        ({"LC_ALL": "en_GB.UTF-8", "LANG": "de_DE"}, ""),
        ({"LANG": "C.UTF-8"}, ""),
        ({"LANG": "POSIX"}, ""),
        ({"LANG": "xx_YY"}, ""),
        ({"LANG": "deutsch"}, ""),
        ({"LANGUAGE": "de", "LC_CTYPE": "de_DE"}, ""),
        ({}, ""),
    ],
)
def test_the_locale_is_read_in_the_order_of_posix(environment: dict[str, str], name: str) -> None:
    assert language_of_locale(environment) == name


@given(st.text())
def test_any_text_has_a_name_or_is_refused(text: str) -> None:
    language_of_locale({"LANG": text})
    try:
        assert language_name(text) in {" ".join(text.split()), *LANGUAGES.values()}
    except UsageError:
        assert " " not in text.strip()
