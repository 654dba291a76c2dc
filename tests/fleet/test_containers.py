"""docker/compose.yaml and docker/make-secrets, without an engine: docker/smoke-test runs them for real."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import redis

from kit.program.command import make_shim
from kit.repository import REPOSITORY
from kit.services.fleet import RedisServer

COMPOSE = (REPOSITORY / "docker/compose.yaml").read_text()
DIGEST = r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}"


def make_secrets(folder: Path, *devices: str) -> None:
    shim = folder.with_name("bin") / "segfleet"
    if not shim.exists():
        make_shim(shim.parent)
    environment = os.environ | {"SEGFLEET": str(shim), "SEGFLEET_SECRETS": str(folder)}
    subprocess.run([REPOSITORY / "docker/make-secrets", *devices], env=environment, check=True, timeout=60)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    make_secrets(folder)
    return folder


def test_every_base_image_is_named_by_its_digest() -> None:
    images = re.findall(r"image: (.*)|BASE: (.*)", COMPOSE)
    # Of the profile monitoring the digests are nowhere to be looked up without a registry.
    tagged = {image for image, _ in images if re.fullmatch(r"\$\{\w+:-(prom|grafana)/[a-z]+:v?[0-9.]+\}", image)}
    named = {"".join(image) for image in images} - {"segfleet"} - tagged
    assert (len(named), len(tagged)) == (2, 2)
    assert [name for name in named if not re.fullmatch(rf"\$\{{\w+:-{DIGEST}\}}", name)] == []


def test_compose_and_dockerfile_name_the_same_base() -> None:
    base = re.search(rf"^ARG BASE=({DIGEST})$", (REPOSITORY / "docker/Dockerfile").read_text(), re.MULTILINE)
    assert base
    assert f"BASE: ${{SEGFLEET_BASE_IMAGE:-{base[1]}}}" in COMPOSE


def test_each_secret_of_compose_is_made_and_no_other(secrets: Path) -> None:
    named = set(re.findall(r"\$\{SEGFLEET_SECRETS:-\./secrets\}/([\w.-]+)", COMPOSE))
    assert {path.name for path in secrets.iterdir()} == named
    assert secrets.stat().st_mode & 0o077 == 0


def test_the_broker_knows_each_user_by_its_password_and_nobody_else_and_keeps_what_they_sent(
    secrets: Path, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis")
    try:
        server.end()
        server.use("--aclfile", str(secrets / "users.acl"))
        server.start()
        for user in ("agent-a", "agent-b", "agent-c", "manager-main", "master", "flower"):
            password = re.fullmatch(rf"redis://{user}:(\w+)@redis:6379/0\n", (secrets / user).read_text())
            assert password
            assert redis.Redis(port=server.port, username=user, password=password[1]).ping()
            assert password[1] not in (secrets / "users.acl").read_text()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).ping()
        manager = redis.Redis.from_url(
            (secrets / "manager-main").read_text().strip().replace("redis:6379", f"127.0.0.1:{server.port}")
        )
        with manager.pipeline(transaction=True) as pipeline:
            pipeline.lpush("device.a", "order")
            pipeline.lpush("device.b", "order")
            pipeline.execute()
        server.kill()
        server.start()
        assert (manager.llen("device.a"), manager.llen("device.b")) == (1, 1)
        health = redis.Redis(port=server.port, username="health", password="any")
        assert health.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            health.keys()
    finally:
        server.end()


def test_a_further_device_leaves_the_passwords_of_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder, "a")
    before = {path.name: path.read_text() for path in folder.iterdir() if path.name != "users.acl"}
    make_secrets(folder, "a", "b")

    after = {path.name: path.read_text() for path in folder.iterdir() if path.name != "users.acl"}
    assert after == before | {"agent-b": after["agent-b"]}
    assert "user agent-b " in (folder / "users.acl").read_text()
