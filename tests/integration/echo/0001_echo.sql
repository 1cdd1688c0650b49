CREATE TABLE heard (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject uuid NOT NULL,
    seq bigint NOT NULL,
    number int NOT NULL,
    trace text
);
