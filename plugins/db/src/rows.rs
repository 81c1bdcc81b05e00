//! `db.Rows`: rows that are read as they come.
//!
//! A task runs the statement and hands rows on through a short channel: a script that does not read
//! keeps it waiting, and with it the server.

use assay_plugin::{Ref, Result, Value, object};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// Rows of a statement that is running.
pub struct Rows(Mutex<State>);

struct State {
    /// Came before the script asked.
    first: Option<Value>,
    /// With the task that they come from; None at the end, and when closed.
    rows: Option<(mpsc::Receiver<Result<Value>>, JoinHandle<()>)>,
}

object! {
    /// Rows that are read as they come: `for row in conn:each(sql) do`.
    Rows as "db.Rows" {
        /// The next row; nil at the end.
        async fn __call = "fun(self: db.Rows): table<string, any>?",
        /// Stops the statement and frees its connection. Not needed after the last row.
        async fn close = "fun(self: db.Rows)",
        async fn __close = "fun(self: db.Rows)",
    }
}

/// How many rows may wait to be read.
pub const AHEAD: usize = 64;

impl Rows {
    /// Waits for the first row, so that a statement that fails does so where it was written.
    pub async fn start(
        mut rows: mpsc::Receiver<Result<Value>>,
        task: JoinHandle<()>,
    ) -> Result<Ref<Self>> {
        let first = rows.recv().await.transpose()?;
        let rows = first.is_some().then_some((rows, task));
        Ok(Ref::new(Self(Mutex::new(State { first, rows }))))
    }

    async fn __call(this: Ref<Rows>) -> Result<Option<Value>> {
        let mut state = this.0.lock().await;
        if let Some(first) = state.first.take() {
            return Ok(Some(first));
        }
        let Some((rows, _)) = &mut state.rows else {
            return Ok(None);
        };
        match rows.recv().await {
            Some(Ok(row)) => Ok(Some(row)),
            other => {
                state.rows = None;
                other.transpose()
            }
        }
    }

    async fn close(this: Ref<Rows>) {
        let mut state = this.0.lock().await;
        state.first = None;
        if let Some((rows, task)) = state.rows.take() {
            drop(rows);
            // It ends when the statement has, and the connection is free.
            let _ = task.await;
        }
    }

    async fn __close(this: Ref<Rows>) {
        Self::close(this).await;
    }
}
