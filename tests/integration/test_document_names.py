"""Under which names documents are known: paths in folders, copies, files that have left."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.store.knowledge import documents as store
from shared.store.knowledge import imports, sites
from tasks.knowledge.imports import Result, import_next
from tests.factories import Bot
from tests.integration.command_line import Run
from tests.integration.station import Station

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "documents"
COMPANY = ("--company", "shoe-shop")


@pytest.fixture
def shop(run: Run) -> None:
    run("company", "create", "Shoe shop")


def listed(run: Run) -> dict[str, tuple[str, list[str]]]:
    rows = run("documents", "list", *COMPANY, "--json").json
    return {row["source"]: (row["title"], row["also"]) for row in rows}


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_files_of_one_name_are_known_by_their_path(run: Run, tmp_path: Path, shop: None) -> None:
    folder = write(tmp_path / "handbook", returns__index="# Returns\n\n45 days.", faq__index="# Pets\n\nWelcome.")

    assert run("documents", "add", folder, *COMPANY).lines[-1].startswith("2 added")
    assert listed(run) == {"faq/index.md": ("Pets", []), "returns/index.md": ("Returns", [])}

    inside = run("documents", "add", folder / "faq", folder / "returns" / "index.md", *COMPANY)
    assert inside.lines[-1].startswith("0 added, 0 changed, 2 unchanged")
    assert len(listed(run)) == 2


def test_another_folder_s_file_of_the_same_path_takes_nobody_s_place(run: Run, tmp_path: Path, shop: None) -> None:
    one, two = write(tmp_path / "one", README="We open at nine."), write(tmp_path / "two", README="Dogs are welcome.")
    for folder in (one, two, one, two):
        run("documents", "add", folder, *COMPANY)

    assert sorted(listed(run)) == ["README.md", "two/README.md"]


def test_a_copy_is_stored_once_and_known_by_both_names(run: Run, tmp_path: Path, shop: None) -> None:
    folder = write(tmp_path / "rent", bikes="# Bikes\n\n3 tokens.", copy="# Bikes\n\n3 tokens.")

    told = run("documents", "add", folder, *COMPANY)
    assert "the same text is there already, as bikes.md" in told.out
    assert listed(run) == {"bikes.md": ("Bikes", ["copy.md"])}
    assert "bikes.md (also copy.md)" in run("documents", "list", *COMPANY).out

    write(folder, bikes="# Bikes\n\n4 tokens.")
    assert run("documents", "add", folder, *COMPANY).lines[-1].startswith("0 added, 1 changed, 1 unchanged")
    assert listed(run) == {"bikes.md": ("Bikes", []), "copy.md": ("Bikes", [])}

    write(folder, copy="# Bikes\n\n4 tokens.")
    run("documents", "add", folder, *COMPANY)
    assert listed(run) == {"bikes.md": ("Bikes", ["copy.md"])}


def test_what_left_the_folder_is_told_and_deleted_when_asked(run: Run, tmp_path: Path, shop: None) -> None:
    folder = write(tmp_path / "spa", pool="# Pool\n\n4.", sauna="# Sauna\n\n17.", copy="# Pool\n\n4.")
    elsewhere = write(tmp_path / "other", hours="We open at nine.")
    run("documents", "add", folder, elsewhere, *COMPANY)
    assert listed(run)["copy.md"] == ("Pool", ["pool.md"])

    (folder / "sauna.md").unlink()
    (folder / "copy.md").unlink()
    told = run("documents", "add", folder, *COMPANY)
    assert "sauna.md  is not in the folder any more: its document is still there" in told.out
    assert len(listed(run)) == 3

    pruned = run("documents", "add", folder, "--prune", *COMPANY)
    assert (pruned.code, pruned.lines[-1]) == (0, "0 added, 0 changed, 1 unchanged, 0 skipped, 0 failed, 1 deleted")
    assert sorted(listed(run)) == ["hours.md", "pool.md"]
    again = run("documents", "add", folder, "--prune", *COMPANY)
    assert (again.code, again.lines[-1]) == (0, "0 added, 0 changed, 1 unchanged, 0 skipped, 0 failed, 0 deleted")


def test_an_empty_folder_prunes_nothing(run: Run, tmp_path: Path, shop: None) -> None:
    folder = write(tmp_path / "spa", pool="Pool 4.")
    run("documents", "add", folder, *COMPANY)
    (folder / "pool.md").unlink()

    assert run("documents", "add", folder, "--prune", *COMPANY).code == 1
    assert sorted(listed(run)) == ["pool.md"]


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")
def test_the_folders_of_the_cases(run: Run, tmp_path: Path, shop: None) -> None:
    assert run("documents", "add", CASES / "folder", *COMPANY).lines[-1].startswith("4 added")
    assert sorted(listed(run)) == ["faq/README.md", "jobs/README.md", "returns/index.md", "shipping/index.md"]

    gone = tmp_path / "gone"
    shutil.copytree(CASES / "gone", gone, copy_function=shutil.copyfile)
    run("documents", "add", gone, *COMPANY)
    assert listed(run)["bikes-copy.md"] == ("Bikes", ["bikes.md"])
    gone.chmod(0o755)
    (gone / "pool.md").unlink()
    assert run("documents", "add", gone, "--prune", *COMPANY).lines[-1].endswith("1 deleted")
    assert "pool.md" not in listed(run)


def test_a_page_that_went_leaves_its_text_to_the_address_that_stays(station: Station, bot: Bot) -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        for name in ("a.txt", "b.txt"):
            imports.queue_file(
                conn, bot.company_id, source=name, name=name, media_type=None, body=b"We open at nine.", described={}
            )
    assert [import_next(station.r, 0)[0] for _ in range(2)] == [Result.DONE] * 2
    station.execute(
        "UPDATE imports SET kind = 'page', site = 's', left_at = now() - interval '9 days' WHERE source = 'a.txt'"
    )

    with station.r.db.transaction(bot.company_id) as conn:
        assert sites.part_with(conn, bot.company_id, "s", ["https://a.example/"]) in (0, 1)
        kept = store.list_documents(conn, bot.company_id)

    assert [(document.source, document.also) for document in kept] == [("b.txt", ())]


def test_two_that_bring_one_text_at_once_store_it_once(station: Station, bot: Bot) -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        for number in range(8):
            name = f"{number}.txt"
            imports.queue_file(
                conn, bot.company_id, source=name, name=name, media_type=None, body=b"We open at nine.", described={}
            )
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: import_next(station.r, 0)[0], range(8)))

    assert ended == [Result.DONE] * 8
    with station.r.db.transaction(bot.company_id) as conn:
        [kept] = store.list_documents(conn, bot.company_id)
    assert sorted((kept.source, *kept.also)) == [f"{number}.txt" for number in range(8)]
