"""A MkDocs hook: files of the checkout that pages link to are taken into the site.

    docs/rank.md ── ](../benchmarks/results/rank.json) ──▶ site/benchmarks/results/rank.json

So the guides read the same in the checkout and on the site, and the site needs no other host.
Markdown becomes a page, everything else is a file as it is.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
ALWAYS = ("CONTRIBUTING.md", "CHANGELOG.md")  # in the navigation
LINK = re.compile(r"(?<=\]\()[^)\s:#]+(?=[)#])")
TEXT_AND_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s:#]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The documents, and beside them what they link to outside the folder `docs`."""
    waiting = [*ALWAYS]
    for page in files.documentation_pages():
        waiting += outside(Path("docs", page.src_uri), page.content_string)
    while waiting:
        name = waiting.pop()
        if files.get_file_from_path(name) is not None:
            continue
        path = ROOT / name
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            files.append(File.generated(config, name, content=rewritten(Path(name), text)))
            waiting += outside(Path(name), text)
        else:
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page's text, its links out of `docs` pointing into the site."""
    if page.file.generated_by is not None:
        return markdown
    return rewritten(Path("docs", page.file.src_uri), markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page, `Example::` of the docstrings with one colon: it is no Markdown."""
    return html.replace("::</p>", ":</p>")


def outside(page: Path, text: str) -> Iterator[str]:
    """Files of the checkout that the page links to, as paths from the root, outside `docs`."""
    for link in LINK.findall(text):
        target = posixpath.normpath(posixpath.join(page.parent.as_posix(), link))
        if not target.startswith("docs/") and (ROOT / target).is_file():
            yield target


def rewritten(page: Path, text: str) -> str:
    """The text with each relative link as it is on the site, where `docs` is the root.

    A folder is no page: of a link to one the text stays.
    """
    here = posixpath.dirname(_on_site(page.as_posix()))

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(page.parent.as_posix(), link[0]))
        if not (ROOT / target).exists():
            return link[0]
        return posixpath.relpath(_on_site(target), here or ".")

    def unlinked(link: re.Match[str]) -> str:
        return link[1] if (ROOT / page.parent / link[2]).is_dir() else link[0]

    return LINK.sub(moved, TEXT_AND_LINK.sub(unlinked, text))


def _on_site(path: str) -> str:
    return path.removeprefix("docs/")
