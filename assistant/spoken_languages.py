"""In which language to answer: codes and locales become names that a model understands."""

import re
from collections.abc import Mapping
from difflib import get_close_matches

from assistant.errors import UsageError

LANGUAGES = {
    "ar": "Arabic (العربية)",
    "bg": "Bulgarian (български)",
    "bn": "Bengali (বাংলা)",
    "ca": "Catalan (català)",
    "cs": "Czech (čeština)",
    "da": "Danish (dansk)",
    "de": "German (Deutsch)",
    "el": "Greek (ελληνικά)",
    "en": "English",
    "es": "Spanish (español)",
    "et": "Estonian (eesti)",
    "eu": "Basque (euskara)",
    "fa": "Persian (فارسی)",
    "fi": "Finnish (suomi)",
    "fr": "French (français)",
    "ga": "Irish (Gaeilge)",
    "gl": "Galician (galego)",
    "he": "Hebrew (עברית)",
    "hi": "Hindi (हिन्दी)",
    "hr": "Croatian (hrvatski)",
    "hu": "Hungarian (magyar)",
    "id": "Indonesian (Bahasa Indonesia)",
    "is": "Icelandic (íslenska)",
    "it": "Italian (italiano)",
    "ja": "Japanese (日本語)",
    "ko": "Korean (한국어)",
    "lt": "Lithuanian (lietuvių)",
    "lv": "Latvian (latviešu)",
    "ms": "Malay (Bahasa Melayu)",
    "nb": "Norwegian (norsk bokmål)",
    "nl": "Dutch (Nederlands)",
    "nn": "Norwegian Nynorsk (norsk nynorsk)",
    "no": "Norwegian (norsk)",
    "pl": "Polish (polski)",
    "pt": "Portuguese (português)",
    "pt-br": "Brazilian Portuguese (português do Brasil)",
    "ro": "Romanian (română)",
    "ru": "Russian (русский)",
    "sk": "Slovak (slovenčina)",
    "sl": "Slovenian (slovenščina)",
    "sr": "Serbian (српски)",
    "sv": "Swedish (svenska)",
    "sw": "Swahili (Kiswahili)",
    "th": "Thai (ไทย)",
    "tr": "Turkish (Türkçe)",
    "uk": "Ukrainian (українська)",
    "vi": "Vietnamese (Tiếng Việt)",
    "zh": "Simplified Chinese (简体中文)",
    "zh-hant": "Traditional Chinese (繁體中文)",
}
TRADITIONAL = {"hant", "tw", "hk", "mo"}  # script and regions of zh
# zh-Hant-TW, zh_TW.UTF-8, de_DE@euro
CODE = re.compile(
    r"(?P<language>[A-Za-z]{1,3})(?P<rest>(?:[-_](?:[A-Za-z]{2,4}|\d{3}))*)(?:\.[\w-]*)?(?:@\w*)?"
)


def language_name(text: str) -> str:
    """ "de" → "German (Deutsch)"; a longer word, such as "simple English", is taken as it is.

    Raises `UsageError` with the nearest code when it looks like one and is none.
    """
    code = CODE.fullmatch(text.strip())
    if code is None:
        return " ".join(text.split())
    name = _name(code)
    if not name:
        raise UsageError(f"there is no language {text.strip()}", _nearest(code["language"]))
    return name


def language_of_locale(environment: Mapping[str, str]) -> str:
    """The name of the locale's language; "" for English, C, POSIX and what is not known."""
    variables = ("LC_ALL", "LC_MESSAGES", "LANG")  # POSIX: the first that is set and not empty
    locale = next((value for name in variables if (value := environment.get(name, ""))), "")
    code = CODE.fullmatch(locale.strip())
    name = _name(code) if code is not None else ""
    return "" if name == LANGUAGES["en"] else name


def _name(code: re.Match[str]) -> str:
    language = code["language"].lower()
    rest = re.split("[-_]", code["rest"].lower())
    if language == "zh" and TRADITIONAL & {*rest} and "hans" not in rest:
        return LANGUAGES["zh-hant"]
    if language == "pt" and "br" in rest:
        return LANGUAGES["pt-br"]
    return LANGUAGES.get(language, "")


def _nearest(word: str) -> str:
    """The code of a language whose name begins so, or whose code is spelt alike."""
    word = word.lower()
    near = [code for code, name in LANGUAGES.items() if name.lower().startswith(word)]
    near = near or get_close_matches(word, LANGUAGES, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]}, {LANGUAGES[near[0]]}? a name may be written out"
    return "write its name: German, Japanese"
