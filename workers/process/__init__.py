"""One worker process: it boots, carries out orders, answers, and shows that it is alive."""
