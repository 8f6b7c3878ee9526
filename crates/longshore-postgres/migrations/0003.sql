-- Version 3: a relay asks how much of a queue its broker has. Programs of versions 1 and 2 relay nothing.

-- At most a window for each kind: what a broker has and nobody has opened.
CREATE INDEX outbox_relayed ON outbox(queue, seq) WHERE relayed;
