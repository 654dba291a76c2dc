"""The broker: a configured one, or a private server that lives as long as somebody uses it.

The private server has no port, only a unix socket in a folder of mode 0700.  Four kinds of process
take part:

- a *user*: a segfleet command.  It holds a shared lock on ``users.lock`` while it uses the server.
- the *keeper* (``keeper.py``): holds ``keeper.lock`` for life, is the server's parent, restarts it
  when it dies, and ends it after the last user.
- the *watcher*: the keeper's child, asleep in a request for an exclusive lock on ``users.lock``,
  which the kernel grants when no user is left: after a clean end, an exception, a kill -9.
- the *server*: the keeper's child.  The kernel kills it when the keeper dies.

There is no pid file and no flag file: what is true is held by the kernel, so nothing can be stale.

To join, a user takes its share of ``users.lock``, sends a PING, and is done when it is answered.  If not,
it tries ``keeper.lock``.  The first to get it starts a keeper, which inherits the lock; everybody else goes
on asking until the server answers.  The races, one by one:

- *A user begins the server early* (``begin_private_server``), to import its modules meanwhile: it takes its share
  first, as ever, and does not wait for the answer.  It does so only when it is the first user.
- *Two users start at once*: one gets ``keeper.lock``, the other waits for the answer.
- *A user joins while the keeper is ending*: the keeper holds ``users.lock`` exclusively until its process
  is gone, so the user's share is granted afterwards; it then finds nobody, and starts anew.
- *A user joins between the end of the last one and the grant to the watcher*: its share comes first, and
  the watcher sleeps on.  The server is used as it is.
- *The user that started the keeper dies at once*: its share ends with it, and the keeper ends too.  It took
  its share before the keeper existed, so the watcher can never find the lock free too early.
- *The server is killed while it is used*: the keeper starts it again with its data (append-only file).
  A file that ends in half a command is cut there by the server; one that it refuses is removed.
- *The keeper is killed*: the server dies with it.  The next user that joins, or one that calls
  ``ensure_running``, finds ``keeper.lock`` free and starts another one, which finds the data.
- *The socket's file is left over*: nobody answers there, which is all that counts; a server replaces it.
- *keeper.lock is free but the dying server still answers*: possible for the moment that the kernel needs for
  the kill; the user notices at its next call, and ``ensure_running`` mends it.

The catalog is the truth and the reconciler feeds what is missing, so an empty broker is always right, while
old messages only cost their refusal.  Therefore data is kept for restarts while there are users, and removed
by the keeper at its end and by a first user that finds what a killed keeper left.
"""

from producer.broker.lookup import Broker, broker
from producer.broker.urls import without_password

__all__ = ["Broker", "broker", "without_password"]
