-- A key is known by its SHA-256 only, which fits into an index whatever its length.
CREATE TABLE idempotency_keys (
    namespace  text        NOT NULL,
    agent      text        NOT NULL,
    key_sha256 text        NOT NULL,
    run_name   text        NOT NULL,
    run_uid    text        NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, agent, key_sha256)
);

-- Keys are dropped by the run that had them.
CREATE INDEX idempotency_keys_by_run ON idempotency_keys (namespace, run_name);

CREATE TABLE run_history (
    run_uid     text        PRIMARY KEY,
    namespace   text        NOT NULL,
    run_name    text        NOT NULL,
    agent       text        NOT NULL,
    key_sha256  text,
    phase       text        NOT NULL,
    reason      text        NOT NULL,
    started_at  timestamptz,
    finished_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX run_history_by_run ON run_history (namespace, run_name);
