-- The grid a void one was merged into: what was reported there climbs from then on along that one's path.
ALTER TABLE directory.grid ADD COLUMN merged_into uuid REFERENCES directory.grid
  CHECK (merged_into IS NULL OR void_at IS NOT NULL AND merged_into <> id);
CREATE INDEX grid_merged_into ON directory.grid (merged_into) WHERE merged_into IS NOT NULL;
