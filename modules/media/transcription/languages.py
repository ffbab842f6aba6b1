"""The languages of Whisper: codes as clients write them, and the names that answers have."""

from types import MappingProxyType
from typing import Final

from modules.errors import BadRequest

LANGUAGES: Final = MappingProxyType(
    {
        "af": "afrikaans",
        "am": "amharic",
        "ar": "arabic",
        "as": "assamese",
        "az": "azerbaijani",
        "ba": "bashkir",
        "be": "belarusian",
        "bg": "bulgarian",
        "bn": "bengali",
        "bo": "tibetan",
        "br": "breton",
        "bs": "bosnian",
        "ca": "catalan",
        "cs": "czech",
        "cy": "welsh",
        "da": "danish",
        "de": "german",
        "el": "greek",
        "en": "english",
        "es": "spanish",
        "et": "estonian",
        "eu": "basque",
        "fa": "persian",
        "fi": "finnish",
        "fo": "faroese",
        "fr": "french",
        "gl": "galician",
        "gu": "gujarati",
        "ha": "hausa",
        "haw": "hawaiian",
        "he": "hebrew",
        "hi": "hindi",
        "hr": "croatian",
        "ht": "haitian creole",
        "hu": "hungarian",
        "hy": "armenian",
        "id": "indonesian",
        "is": "icelandic",
        "it": "italian",
        "ja": "japanese",
        "jw": "javanese",
        "ka": "georgian",
        "kk": "kazakh",
        "km": "khmer",
        "kn": "kannada",
        "ko": "korean",
        "la": "latin",
        "lb": "luxembourgish",
        "ln": "lingala",
        "lo": "lao",
        "lt": "lithuanian",
        "lv": "latvian",
        "mg": "malagasy",
        "mi": "maori",
        "mk": "macedonian",
        "ml": "malayalam",
        "mn": "mongolian",
        "mr": "marathi",
        "ms": "malay",
        "mt": "maltese",
        "my": "myanmar",
        "ne": "nepali",
        "nl": "dutch",
        "nn": "nynorsk",
        "no": "norwegian",
        "oc": "occitan",
        "pa": "punjabi",
        "pl": "polish",
        "ps": "pashto",
        "pt": "portuguese",
        "ro": "romanian",
        "ru": "russian",
        "sa": "sanskrit",
        "sd": "sindhi",
        "si": "sinhala",
        "sk": "slovak",
        "sl": "slovenian",
        "sn": "shona",
        "so": "somali",
        "sq": "albanian",
        "sr": "serbian",
        "su": "sundanese",
        "sv": "swedish",
        "sw": "swahili",
        "ta": "tamil",
        "te": "telugu",
        "tg": "tajik",
        "th": "thai",
        "tk": "turkmen",
        "tl": "tagalog",
        "tr": "turkish",
        "tt": "tatar",
        "uk": "ukrainian",
        "ur": "urdu",
        "uz": "uzbek",
        "vi": "vietnamese",
        "yi": "yiddish",
        "yo": "yoruba",
        "yue": "cantonese",
        "zh": "chinese",
    }
)
# Codes and names that mean one of the above.
_OTHERS: Final = MappingProxyType(
    {
        "burmese": "my",
        "castilian": "es",
        "cmn": "zh",
        "farsi": "fa",
        "fil": "tl",
        "filipino": "tl",
        "flemish": "nl",
        "haitian": "ht",
        "in": "id",
        "iw": "he",
        "jv": "jw",
        "letzeburgesch": "lb",
        "mandarin": "zh",
        "moldavian": "ro",
        "moldovan": "ro",
        "nb": "no",
        "panjabi": "pa",
        "pushto": "ps",
        "sinhalese": "si",
        "valencian": "ca",
    }
)
_CODES: Final = MappingProxyType({name: code for code, name in LANGUAGES.items()})
_DETECTED: Final = frozenset({"", "auto", "detect", "none", "null"})
_MAX_SHOWN: Final = 40


def language_code(text: str, *, param: str = "language") -> str:
    """Of a code, a code with a region ("en-US") or a name ("English"); empty where the language is to be found out. Raises
    BadRequest for what is no language of Whisper's."""
    word = text.strip().lower()
    if word in _DETECTED:
        return ""
    for spelling in (word, word.replace("_", "-").partition("-")[0]):
        code = spelling if spelling in LANGUAGES else _OTHERS.get(spelling) or _CODES.get(spelling)
        if code:
            return code
    raise BadRequest(
        f"{ascii(text)[:_MAX_SHOWN]} is no language that can be transcribed. Send a code of ISO 639-1 such as 'en', or a "
        "name such as 'english', or leave it out.",
        param=param,
        code="invalid_language",
    )


def language_name(code: str) -> str:
    """In English, in small letters, as OpenAI's answers have it; "unknown" where nobody spoke."""
    return LANGUAGES.get(code, "unknown")
