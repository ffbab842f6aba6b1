"""Prompts of all kinds: plain, code, chat, other scripts, emoji, white space."""

PROMPTS = (
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "Water boils at 100 degrees because",
    "def fibonacci(n):\n    ",
    "SELECT name, age FROM people WHERE",
    "<html>\n<head>\n<title>",
    "1, 1, 2, 3, 5, 8, 13,",
    "Q: What is 2 + 2?\nA:",
    "Die Hauptstadt von Österreich heißt",
    "L'été dernier, à la plage,",
    "Москва — столица",
    "日本の首都は",
    "中国的首都是",
    "한국의 수도는",
    "🙂🙂🙃 means",
    "👩‍💻 writes 🐍 code and",
    "    \n\n\t indented and empty\n\n",
    '{"name": "Ada", "age": 36, "languages": [',
    "<|im_start|>user\nSay hello.<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user\nWrite a haiku about rain 🌧️.<|im_end|>\n<|im_start|>assistant\n",
)
