"""One worker process: it boots, obeys, answers, and shows that it is alive."""
