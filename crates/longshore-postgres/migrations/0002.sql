-- Version 2: rates of queues are kept by all servers together. Programs of version 1 keep them each for itself.

-- Up to which moment the time of a rate has been spent on hand-outs, in microseconds since 1970:
-- longshore_core::bucket. Read and written under the lock of the queue's limit.
CREATE TABLE rates(queue text COLLATE "C" PRIMARY KEY, spent bigint NOT NULL) WITH (fillfactor = 50);
