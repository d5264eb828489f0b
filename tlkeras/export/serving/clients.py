"""Programs that ask a served model about the file picture.jpg, for people to start from.

Each prints the label and the score, or that the file is no picture that the model reads.
"""

URL = "http://127.0.0.1:8501/v1/models/{name}:predict"
"""Where TensorFlow Serving and `tlkeras serve` answer, on the machine that they run on."""

_CURL = """\
{ printf '{"instances": [{"image_bytes": {"b64": "'
  base64 < picture.jpg | tr -d '\\n'
  printf '"}}]}'
} | curl -sS -H 'Content-Type: application/json' --data-binary @- \\
  @URL@
"""

_PYTHON = """\
import base64
import json
import urllib.request

url = "@URL@"
with open("picture.jpg", "rb") as file:
    picture = base64.b64encode(file.read()).decode()
body = json.dumps({"instances": [{"image_bytes": {"b64": picture}}]}).encode()
request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
with urllib.request.urlopen(request) as reply:
    (answer,) = json.load(reply)["predictions"]
if answer["ok"]:
    print(answer["label"], answer["score"])
else:
    print("not a picture that the model reads")
"""

_JAVASCRIPT = """\
import { readFile } from "node:fs/promises";

const url = "@URL@";
const picture = await readFile("picture.jpg", "base64");
const reply = await fetch(url, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ instances: [{ image_bytes: { b64: picture } }] }),
});
if (!reply.ok) throw new Error((await reply.json()).error);
const [answer] = (await reply.json()).predictions;
if (answer.ok) console.log(answer.label, answer.score);
else console.log("not a picture that the model reads");
"""


def clients(name: str) -> dict[str, str]:
    """The programs that ask the model of that name, by the language of their Markdown block.

    The first prints the whole answer as it comes.

    >>> list(clients("flowers"))
    ['bash', 'python', 'javascript']
    >>> "/v1/models/flowers:predict" in clients("flowers")["python"]
    True
    """
    url = URL.replace("{name}", name)
    texts = {"bash": _CURL, "python": _PYTHON, "javascript": _JAVASCRIPT}
    return {language: text.replace("@URL@", url) for language, text in texts.items()}
