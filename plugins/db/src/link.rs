//! One connection to a server or a file, of whatever kind.

use std::sync::Arc;

use assay_plugin::{Cx, Result};

use crate::address::{File, Server};
use crate::mysql::MySql;
use crate::postgres::{Known, Postgres};
use crate::sqlite::Sqlite;
use crate::statement::{Done, Sink, Statement};

/// Where the connections of a pool lead.
pub enum Target {
    Postgres(Arc<Server>, Arc<Known>),
    MySql(Arc<Server>),
    Sqlite(File),
}

/// A connection.
pub enum Link {
    Postgres(Box<Postgres>),
    MySql(Box<MySql>),
    Sqlite(Box<Sqlite>),
}

impl Target {
    pub async fn connect(&self, cx: &Cx, timeout: std::time::Duration) -> Result<Link> {
        Ok(match self {
            Self::Postgres(server, known) => Link::Postgres(Box::new(
                Postgres::connect(cx, Arc::clone(server), Arc::clone(known)).await?,
            )),
            Self::MySql(server) => {
                Link::MySql(Box::new(MySql::connect(cx, Arc::clone(server)).await?))
            }
            Self::Sqlite(file) => Link::Sqlite(Box::new(Sqlite::open(cx, file, timeout).await?)),
        })
    }

    /// For messages.
    pub fn shown(&self) -> &str {
        match self {
            Self::Postgres(server, _) | Self::MySql(server) => &server.shown,
            Self::Sqlite(file) => &file.shown,
        }
    }

    /// Whether a connection is the database, and must be kept for as long as there is a script.
    pub fn is_memory(&self) -> bool {
        matches!(self, Self::Sqlite(File { path: None, .. }))
    }

    /// How a transaction begins. SQLite's would else be one that only reads, until it writes and
    /// finds that somebody else did.
    pub fn begin(&self) -> &'static str {
        match self {
            Self::Sqlite(File {
                read_only: false, ..
            }) => "BEGIN IMMEDIATE",
            _ => "BEGIN",
        }
    }
}

impl Link {
    pub async fn run(&mut self, statement: &Statement, sink: &mut Sink<'_>) -> Result<Done> {
        match self {
            Self::Postgres(link) => link.run(statement, sink).await,
            Self::MySql(link) => link.run(statement, sink).await,
            Self::Sqlite(link) => link.run(statement, sink).await,
        }
    }

    /// Whether it can be used for another statement.
    pub fn is_usable(&mut self) -> bool {
        match self {
            Self::Postgres(link) => link.is_alive(),
            Self::MySql(link) => link.is_usable(),
            Self::Sqlite(_) => true,
        }
    }

    /// The same of one that lay idle, which may need a question to the server.
    pub async fn is_alive(&mut self) -> bool {
        match self {
            Self::MySql(link) => link.ping().await,
            other => other.is_usable(),
        }
    }

    /// Whether the open transaction can only be rolled back.
    pub fn has_failed(&self) -> bool {
        match self {
            Self::Postgres(link) => link.has_failed(),
            Self::MySql(link) => link.has_failed(),
            Self::Sqlite(_) => false,
        }
    }

    /// Stops what runs, for a user that went away. What can still be used comes back.
    pub async fn abandon(self) -> Option<Self> {
        match self {
            Self::Postgres(link) => {
                link.cancel().await;
                None
            }
            Self::MySql(link) => {
                link.kill().await;
                None
            }
            Self::Sqlite(mut link) => link.recover().await.then_some(Self::Sqlite(link)),
        }
    }

    pub async fn close(self) {
        match self {
            Self::Postgres(link) => link.close().await,
            Self::MySql(link) => link.close().await,
            Self::Sqlite(link) => link.close().await,
        }
    }
}
