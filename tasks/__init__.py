"""What travels between the producer and the workers, and nothing else.

The words, as everywhere in segfleet (``docs/glossary.md`` has the whole list):

- *order*: what a manager asks of one device: store this segment, restore these extents.
- *receipt*: the answer to one order: the result, or the failure and its class.
- *extent*: a byte range of one source file.
- *segment*: the extents that travel as one order and are stored as one object.

Both sides import this package; it imports neither.  An order goes to ``device.<name>``,
its receipt to ``manager.<name>`` (:mod:`tasks.queues`).
"""
