from __future__ import annotations

from tasks.app import app, connect


def test_a_second_run_of_a_process_publishes_to_its_own_broker() -> None:
    for port in (7001, 7002):
        connect(f"redis://127.0.0.1:{port}/0", "segfleet:test", "inbox")
        assert f":{port}/" in app.amqp.producer_pool.connections.connection.as_uri()
        # As a link does at its end.
        app.close()
