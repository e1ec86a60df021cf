"""`pixi.lock` is a lock that Pixi accepts as it stands: canonical, complete, and what `pixi.toml` asks for."""

import tomllib
from pathlib import Path

import pytest
import rattler

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = tomllib.loads((ROOT / "pixi.toml").read_text())

Record = rattler.PackageRecord


@pytest.fixture(scope="module")
def environment() -> rattler.lock.Environment:
    return rattler.LockFile.from_path(ROOT / "pixi.lock").default_environment()


@pytest.fixture(scope="module")
def platform(environment: rattler.lock.Environment) -> rattler.lock.LockPlatform:
    (platform,) = environment.platforms()
    return platform


@pytest.fixture(scope="module")
def records(environment: rattler.lock.Environment, platform: rattler.lock.LockPlatform) -> list[Record]:
    return environment.conda_repodata_records_for_platform(platform)


@pytest.fixture(scope="module")
def virtual(platform: rattler.lock.LockPlatform) -> list[Record]:
    """The virtual packages that the lock declares, as records: `__glibc=2.28` and the like."""
    declared = [(*text.split("="), "0", "0")[:3] for text in platform.virtual_packages]
    return [
        Record(name=name, version=version, build=rattler.BuildString(build), build_number=0, subdir="linux-64")
        for name, version, build in declared
    ]


def matching(spec: str, candidates: list[Record]) -> list[Record]:
    return [record for record in candidates if rattler.MatchSpec(spec).matches(record)]


def test_writes_back_the_same_bytes(tmp_path: Path) -> None:
    rattler.LockFile.from_path(ROOT / "pixi.lock").to_path(tmp_path / "pixi.lock")
    assert (tmp_path / "pixi.lock").read_bytes() == (ROOT / "pixi.lock").read_bytes()


def test_closure_is_complete(records: list[Record], virtual: list[Record]) -> None:
    available = records + virtual
    unmet = {f"{r.name.normalized}: {spec}" for r in records for spec in r.depends if not matching(spec, available)}
    assert not unmet


def test_a_missing_record_would_be_noticed(records: list[Record], virtual: list[Record]) -> None:
    available = [record for record in records + virtual if record.name.normalized != "openssl"]
    assert any(not matching(spec, available) for record in records for spec in record.depends)


def test_constraints_hold(records: list[Record], virtual: list[Record]) -> None:
    available = {record.name.normalized: record for record in records + virtual}
    for record in records:
        for spec in record.constrains:
            other = available.get(rattler.MatchSpec(spec).name.normalized)
            assert other is None or matching(spec, [other]), f"{record.name.normalized} constrains {spec}"


def test_one_record_a_package_each_with_a_hash(records: list[Record]) -> None:
    names = [record.name.normalized for record in records]
    assert len(names) == len(set(names))
    assert all(record.sha256 for record in records)


def test_satisfies_the_manifest(records: list[Record]) -> None:
    for name, version in MANIFEST["dependencies"].items():
        assert len(matching(f"{name} {version}", records)) == 1, f"{name} {version}"


def test_locks_the_channels_and_platforms_of_the_manifest(
    environment: rattler.lock.Environment, platform: rattler.lock.LockPlatform
) -> None:
    channels = [str(channel).rstrip("/").rpartition("/")[2] for channel in environment.channels()]
    assert channels == MANIFEST["workspace"]["channels"]
    assert [platform.name] == MANIFEST["workspace"]["platforms"]


def test_tasks_are_described_and_run_existing_scripts() -> None:
    assert {"setup", "quickstart", "test", "lint"} <= MANIFEST["tasks"].keys()
    for name, task in MANIFEST["tasks"].items():
        assert task["description"], name
        program, script, *_ = task["cmd"].split()
        assert program == "bash", name
        assert (ROOT / script).is_file(), f"task {name}: no {script}"
