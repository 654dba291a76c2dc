"""What travels between the producer and the workers, and nothing else.

The main words (``docs/glossary.md`` lists all):

- *order*: what a manager asks one device to do: store this segment, restore these extents.
- *receipt*: the answer to one order: its result, or why it failed.
- *extent*: a byte range of one source file.
- *segment*: the extents that travel as one order and are stored as one object.

Both sides import this package; it imports neither.  An order goes to ``device.<name>``, its receipt to
``manager.<name>`` (:mod:`tasks.broker.queues`).  All orders are listed in :mod:`tasks.registry`.
"""
