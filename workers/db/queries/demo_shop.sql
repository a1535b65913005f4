-- The demo's shop: a database of its own, which is a store downstream and none of Lethe's.

-- name: tables
create table customers (
    customer_id bigint primary key,
    reference text not null,
    name text not null,
    email text not null,
    phone text not null
);
create index customers_email on customers (lower(email));
create table addresses (
    address_id bigint generated always as identity primary key,
    customer_id bigint not null references customers,
    street text not null,
    postal_code text not null,
    city text not null
);
create index addresses_customer_id on addresses (customer_id);
create table orders (
    number text primary key,
    customer_id bigint references customers,
    ship_name text not null,
    ship_street text,
    total numeric(10, 2) not null
);
create table bookings (
    number text not null references orders,
    amount numeric(10, 2) not null,
    booked_on date not null
);

-- name: add_customer
insert into customers (customer_id, reference, name, email, phone) values ($1, $2, $3, $4, $5)

-- name: add_address
insert into addresses (customer_id, street, postal_code, city) values ($1, $2, $3, $4)

-- name: add_order
insert into orders (number, customer_id, ship_name, ship_street, total) values ($1, $2, $3, $4, $5)

-- name: add_booking
insert into bookings (number, amount, booked_on) values ($1, $2, $3)

-- name: rows
-- Every row as text, with the reference of the customer that it belongs to; of an order that was anonymised, none.
select 'customers' as part, reference, row.*::text as content from customers as row
union all
select 'addresses', reference, row.*::text from addresses as row join customers using (customer_id)
union all
select 'orders', reference, row.*::text from orders as row left join customers using (customer_id)
union all
select 'bookings', reference, row.*::text from bookings as row
    join orders using (number) left join customers using (customer_id)
order by 1, 3

-- name: analyze
-- Before the vacuum: it makes new statistics, which hold values of rows, and leaves the old ones dead.
analyze

-- name: vacuum
-- A plain vacuum does not overwrite what it frees; a full one writes every table anew, the statistics' own too.
vacuum full

-- name: switch_wal
select pg_switch_wal()
