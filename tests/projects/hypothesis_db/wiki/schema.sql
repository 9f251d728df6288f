CREATE TABLE versions (
    page text NOT NULL,
    number int NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (page, number)
);
