//! The `db` family: PostgreSQL, MySQL, MariaDB and SQLite, with one set of functions.
//!
//! Not here: an SQL builder, migrations, `COPY`, `LISTEN`.
//!
//! # Layout
//! - `connection`: what scripts hold: a pool's connection, or a transaction's; the functions.
//! - `rows`: rows that are read as they come.
//! - `address`: from URL and options to where to connect. `tls`: whom to trust there.
//! - `pool`: who may use which link, and what becomes of one whose user went away.
//! - `link`: one connection to a server or file. `postgres`, `mysql`, `sqlite`: the three of them.
//! - `statement`: SQL with its parameters, and where its rows go. `json`: Lua tables as JSON.
//! - `failure`: what went wrong, for scripts to branch on.
//!
//! Everything runs on the plugin's tokio thread, so it works on hosts without a reactor.
//!
//! # Example
//! ```
//! use assay_plugin::{AnyObject, Value};
//!
//! let host = assay_plugin::test::Host::new(&assay_db::ASSAY_PLUGIN);
//! let conn: AnyObject = host.call("connect", ("sqlite::memory:",)).unwrap();
//! let rows: Vec<Value> = match host.method(&conn, "query", ("select 6 * 7 as answer",)).unwrap() {
//!     Value::List(rows) => rows,
//!     other => panic!("{other:?}"),
//! };
//! assert_eq!(rows[0].get("answer"), Some(&Value::Int(42)));
//! ```

mod address;
mod connection;
mod failure;
mod json;
mod link;
mod mysql;
mod pool;
mod postgres;
mod rows;
mod sqlite;
mod statement;
mod tls;

use assay_plugin::plugin;

use connection::{close, connect, each, execute, null, query, transaction};

plugin! {
    /// SQL databases: PostgreSQL, MySQL, MariaDB, SQLite.
    name: "db",
    permissions: ["net.connect", "fs.read", "fs.write"],
    links: ["sqlite3"],
    types: include_str!("../types/db.lua"),
    functions: {
        /// Connects, and keeps up to `max_connections` connections for the statements to come.
        ///
        /// URLs: `postgres://user:password@host:5432/database`, `postgresql://`, `mysql://`,
        /// `mariadb://`, `sqlite:PATH`, `sqlite://PATH`, `sqlite::memory:`.
        async fn connect = "fun(url: string, opts?: db.Options): db.Connection",
        /// Runs a statement and returns its rows. Placeholders are the server's: `$1` for PostgreSQL,
        /// `?` for MySQL, MariaDB and SQLite.
        async fn query = "fun(conn: db.Connection, sql: string, params?: any[], opts?: db.StatementOptions): table<string, any>[]",
        /// Runs a statement, or without parameters several, and says what changed.
        async fn execute = "fun(conn: db.Connection, sql: string, params?: any[], opts?: db.StatementOptions): db.Result",
        /// Runs a statement and returns its rows one by one, as the loop asks for them.
        async fn each = "fun(conn: db.Connection, sql: string, params?: any[], opts?: db.StatementOptions): db.Rows",
        /// Calls a function in a transaction: commits when it returns, rolls back when it raises or
        /// is cancelled. Inside another transaction this is a savepoint.
        async fn transaction = "fun(conn: db.Connection, fn: fun(tx: db.Connection): any): any",
        /// Closes the connections, after the statements that are running.
        async fn close = "fun(conn: db.Connection)",
        /// SQL's NULL, as a parameter and, where asked for, in rows. The same value as `json.null`.
        const null = "userdata",
    },
    classes: [connection::Connection, rows::Rows],
}
