-- The old shop's tables, as it makes them itself.
CREATE TABLE products (
    id serial PRIMARY KEY,
    isbn varchar(13) UNIQUE NOT NULL,
    title text NOT NULL,
    author text NOT NULL,
    year int NOT NULL,
    price numeric(8, 2) NOT NULL,
    stock int NOT NULL
);
CREATE TABLE customers (
    id serial PRIMARY KEY,
    email text UNIQUE NOT NULL,
    name text NOT NULL,
    salt char(8) NOT NULL,
    password char(40) NOT NULL,
    created timestamp NOT NULL
);
CREATE TABLE orders (
    id serial PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers (id),
    status char(1) NOT NULL,
    total numeric(10, 2) NOT NULL,
    created timestamp NOT NULL
);
CREATE TABLE order_items (
    order_id int NOT NULL REFERENCES orders (id),
    line int NOT NULL,
    product_id int NOT NULL REFERENCES products (id),
    qty int NOT NULL,
    price numeric(8, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);
