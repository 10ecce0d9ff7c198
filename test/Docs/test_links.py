"""Links between documents lead somewhere, and no page is lost."""

import re

from pages import ROOT, written


def links(page):
    """The files that a page names."""
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not re.match(r"\w+:", target):
            yield target, (page.parent / target).resolve()


def test_links_lead_somewhere():
    pairs = [(page, *link) for page in written() for link in links(page)]
    assert pairs
    bad = [f"{page}: {text}" for page, text, path in pairs if not path.exists()]
    assert not bad, "\n".join(bad)


def test_every_page_can_be_found():
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in reached:
            reached.add(page)
            todo += [p for _, p in links(page) if p.suffix == ".md" and p.exists()]
    lost = [str(page) for page in written() if page not in reached]
    assert not lost, f"no page links to {lost}"
