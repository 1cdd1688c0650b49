-- Open whistles and their lead departments. Heard from routing.
CREATE TABLE directory.open_whistle (
    whistle uuid PRIMARY KEY,
    department text NOT NULL
);
