-- The tables of the shop. Times are local times of Berlin.
CREATE TABLE IF NOT EXISTS products (
    id serial PRIMARY KEY,
    isbn varchar(13) NOT NULL UNIQUE,
    title text NOT NULL,
    author text NOT NULL,
    year int NOT NULL,
    price numeric(8, 2) NOT NULL,
    stock int NOT NULL
);

CREATE TABLE IF NOT EXISTS customers (
    id serial PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    salt char(8) NOT NULL,
    password char(40) NOT NULL,
    created timestamp NOT NULL
);

-- status: P paid, X refused by the card
CREATE TABLE IF NOT EXISTS orders (
    id serial PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers,
    status char(1) NOT NULL,
    total numeric(10, 2) NOT NULL,
    created timestamp NOT NULL
);

CREATE INDEX IF NOT EXISTS orders_of_customer ON orders (customer_id, id);

CREATE TABLE IF NOT EXISTS order_items (
    order_id int NOT NULL REFERENCES orders,
    line int NOT NULL,
    product_id int NOT NULL REFERENCES products,
    qty int NOT NULL,
    price numeric(8, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);

CREATE TABLE IF NOT EXISTS charges (
    id serial PRIMARY KEY,
    order_id int NOT NULL UNIQUE REFERENCES orders,
    amount numeric(10, 2) NOT NULL,
    reference text NOT NULL,
    created timestamp NOT NULL
);
