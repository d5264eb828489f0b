"""The page at `/`: drop a picture, see what the model answers. Nothing comes from elsewhere."""

import base64
import hashlib
import json
from html import escape
from urllib.parse import quote

from tlkeras.tasks.serving.servable import Servable

_STYLE = """
:root { color-scheme: light dark; --soft: #666; --bar: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; --bar: #56b4e9; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
label.drop { display: block; border: 2px dashed var(--soft); border-radius: .5rem;
  padding: 2rem 1rem; text-align: center; cursor: pointer; }
label.drop:focus-within, label.over { border-color: var(--bar); border-style: solid; }
input { position: absolute; opacity: 0; width: 1px; height: 1px; }
figure { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; padding: 0; }
img { width: 9rem; height: 9rem; object-fit: contain; background: #8882; }
figcaption { flex: 1 1 14rem; min-width: 0; overflow-wrap: anywhere; }
meter { width: 100%; height: .7rem; }
dl { margin: .5rem 0; } dd { margin: 0; } dt { display: flex; justify-content: space-between; }
.soft { color: var(--soft); font-size: .9rem; } .warn { font-weight: bold; }
pre { overflow-x: auto; background: #8882; padding: .5rem; font-size: .85rem; }
"""

_SCRIPT = """
const {url, names} = JSON.parse(document.body.dataset.model);
const area = document.querySelector('.drop'), list = document.querySelector('#answers');
const SHOWN = 5;
function add(parent, tag, text, kind) {
  const made = parent.appendChild(document.createElement(tag));
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}
function encoded(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => failed(new Error('the file can not be read'));
    reader.readAsDataURL(file);
  });
}
async function ask(file) {
  const figure = document.createElement('figure');
  list.prepend(figure);
  const image = add(figure, 'img');
  image.alt = file.name;
  image.src = URL.createObjectURL(file);
  const told = add(figure, 'figcaption', file.name + ' …');
  try {
    const b64 = file.size ? await encoded(file) : '';
    const reply = await fetch(url, {
      method: 'POST', headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({instances: [{image_bytes: {b64}}]}),
    });
    const answer = await reply.json();
    told.textContent = '';
    add(told, 'div', file.name, 'soft');
    if (!reply.ok) { add(told, 'div', answer.error, 'warn'); return; }
    show(told, answer.predictions[0]);
  } catch (error) {
    told.textContent = '';
    add(told, 'div', file.name, 'soft');
    add(told, 'div', 'no answer: ' + error.message, 'warn');
  }
}
function show(told, row) {
  if (!row.ok) { add(told, 'div', 'This picture could not be read.', 'warn'); return; }
  add(told, 'strong', row.label);
  if (row.unknown) {
    add(told, 'div', 'Unlike the training pictures (unknown score ' +
      row.unknown_score.toFixed(2) + '): do not rely on it.', 'warn');
  }
  const best = row.probabilities.map((p, i) => [p, names[i]]).sort((a, b) => b[0] - a[0]);
  const lines = add(told, 'dl');
  for (const [p, name] of best.slice(0, SHOWN)) {
    const head = add(lines, 'dt');
    add(head, 'span', name);
    add(head, 'span', (100 * p).toFixed(1) + ' %');
    const bar = add(add(lines, 'dd'), 'meter');
    bar.value = p;
    bar.setAttribute('aria-label', name);
  }
  if (best.length > SHOWN) add(told, 'div', best.length - SHOWN + ' more classes', 'soft');
}
async function all(files) { for (const file of files) await ask(file); }
document.querySelector('input').addEventListener('change', (event) => {
  all([...event.target.files]).then(() => { event.target.value = ''; });
});
for (const kind of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    area.classList.toggle('over', kind === 'dragover');
    if (kind === 'drop') all([...event.dataTransfer.files]);
  });
}
"""


def page(servable: Servable) -> str:
    """The HTML page for one model, which asks that model's `:predict`.

    >>> "flowers" in page(Servable("flowers", {}, ("rose", "iris")))
    True
    """
    path = f"/v1/models/{quote(servable.name, safe='')}:predict"
    told = json.dumps({"url": path, "names": servable.class_names})
    name, count = escape(servable.name), len(servable.class_names)
    classes = ", ".join(map(escape, servable.class_names[:30])) + (", …" if count > 30 else "")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>{_STYLE}</style></head>
<body data-model="{escape(told)}">
<h1>{name}</h1>
<p class="soft">One of {count} classes: {classes}</p>
<label class="drop">Drop pictures here, or choose some
<input type="file" accept="image/*" multiple></label>
<main id="answers" aria-live="polite"></main>
<h2>From a program</h2>
<pre>POST {escape(path)}
{{"instances": [{{"image_bytes": {{"b64": "…"}}}}]}}</pre>
<p class="soft">A server for trying the model out, not for production.</p>
<script>{_SCRIPT}</script></body></html>
"""


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


POLICY = (
    f"default-src 'none'; script-src {_digest(_SCRIPT)}; style-src {_digest(_STYLE)}; "
    "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""What the page may load and run: its own script and style, and nothing else."""
