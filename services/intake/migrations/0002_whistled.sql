-- Departments that may read an issue, because a whistle called them. Heard from routing.
CREATE TABLE whistled (
    issue uuid NOT NULL,
    department text NOT NULL,
    PRIMARY KEY (issue, department)
);
