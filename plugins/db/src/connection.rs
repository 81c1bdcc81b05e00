//! `db.Connection`: what scripts hold. A pool's connections, or the one of a transaction.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assay_plugin::{Cx, Error, Func, Ref, Result, Value, View, object, threads};
use tokio::sync::{Mutex, mpsc, watch};

use crate::address::{Address, Place};
use crate::link::Target;
use crate::pool::{Lease, Pool, Purpose};
use crate::rows::{AHEAD, Rows};
use crate::statement::{Done, Mode, Progress, Sink, Statement};

/// A database to run statements on.
pub struct Connection(Kind);

enum Kind {
    Pool(Pool),
    Transaction(Arc<Transaction>),
}

object! {
    /// A database to run statements on: one from `db.connect`, or a transaction.
    Connection as "db.Connection" {
        /// As `db.query`.
        async fn query = "fun(self: db.Connection, sql: string, params?: any[], opts?: db.StatementOptions): table<string, any>[]",
        /// As `db.execute`.
        async fn execute = "fun(self: db.Connection, sql: string, params?: any[], opts?: db.StatementOptions): db.Result",
        /// As `db.each`.
        async fn each = "fun(self: db.Connection, sql: string, params?: any[], opts?: db.StatementOptions): db.Rows",
        /// As `db.transaction`.
        async fn transaction = "fun(self: db.Connection, fn: fun(tx: db.Connection): any): any",
        /// As `db.close`.
        async fn close = "fun(self: db.Connection)",
        async fn __close = "fun(self: db.Connection)",
    }
}

/// `db.connect(url, opts?)`
pub fn connect(
    cx: Cx,
    url: &str,
    opts: View<'_>,
) -> impl Future<Output = Result<Ref<Connection>>> + use<> {
    let address = Address::read(&cx, url, opts);
    async move {
        let Address {
            place,
            max_connections,
            timeout,
        } = address?;
        let target = match place {
            Place::Postgres(server) => Target::Postgres(Arc::new(server), Arc::default()),
            Place::MySql(server) => Target::MySql(Arc::new(server)),
            Place::Sqlite(file) => Target::Sqlite(file),
        };
        let pool_cx = cx.clone();
        let pool =
            cx.tokio(async move { Pool::connect(pool_cx, target, max_connections, timeout).await });
        Ok(Ref::new(Connection(Kind::Pool(pool.await?))))
    }
}

/// `db.query(conn, sql, params?, opts?)`
pub fn query(
    conn: Ref<Connection>,
    cx: Cx,
    sql: &str,
    params: View<'_>,
    opts: View<'_>,
) -> impl Future<Output = Result<Vec<Value>>> + use<> {
    conn.rows(cx, Statement::read(Mode::Query, sql, params, opts, 3))
}

/// `db.execute(conn, sql, params?, opts?)`
pub fn execute(
    conn: Ref<Connection>,
    cx: Cx,
    sql: &str,
    params: View<'_>,
    opts: View<'_>,
) -> impl Future<Output = Result<Value>> + use<> {
    conn.done(cx, Statement::read(Mode::Execute, sql, params, opts, 3))
}

/// `db.each(conn, sql, params?, opts?)`
pub fn each(
    conn: Ref<Connection>,
    cx: Cx,
    sql: &str,
    params: View<'_>,
    opts: View<'_>,
) -> impl Future<Output = Result<Ref<Rows>>> + use<> {
    conn.stream(cx, Statement::read(Mode::Each, sql, params, opts, 3))
}

/// `db.transaction(conn, fn)`
pub async fn transaction(conn: Ref<Connection>, cx: Cx, body: Func) -> Result<Value> {
    match &conn.0 {
        Kind::Pool(pool) => whole(pool.clone(), cx, body).await,
        Kind::Transaction(outer) => savepoint(Arc::clone(outer), cx, body).await,
    }
}

/// `db.close(conn)`
pub async fn close(conn: Ref<Connection>, cx: Cx) -> Result<()> {
    match &conn.0 {
        Kind::Pool(pool) => {
            let pool = pool.clone();
            cx.tokio(async move {
                pool.close().await;
                Ok(())
            })
            .await
        }
        Kind::Transaction(_) => Err(Error::new(
            "transaction",
            "a transaction ends with the function that it was given to",
        )),
    }
}

/// `db.null`
pub fn null() -> Value {
    Value::Null
}

impl Connection {
    fn query(
        this: Ref<Self>,
        cx: Cx,
        sql: &str,
        params: View<'_>,
        opts: View<'_>,
    ) -> impl Future<Output = Result<Vec<Value>>> + use<> {
        this.rows(cx, Statement::read(Mode::Query, sql, params, opts, 2))
    }

    fn execute(
        this: Ref<Self>,
        cx: Cx,
        sql: &str,
        params: View<'_>,
        opts: View<'_>,
    ) -> impl Future<Output = Result<Value>> + use<> {
        this.done(cx, Statement::read(Mode::Execute, sql, params, opts, 2))
    }

    fn each(
        this: Ref<Self>,
        cx: Cx,
        sql: &str,
        params: View<'_>,
        opts: View<'_>,
    ) -> impl Future<Output = Result<Ref<Rows>>> + use<> {
        this.stream(cx, Statement::read(Mode::Each, sql, params, opts, 2))
    }

    async fn transaction(this: Ref<Self>, cx: Cx, body: Func) -> Result<Value> {
        transaction(this, cx, body).await
    }

    async fn close(this: Ref<Self>, cx: Cx) -> Result<()> {
        close(this, cx).await
    }

    async fn __close(this: Ref<Self>, cx: Cx) -> Result<()> {
        close(this, cx).await
    }

    fn rows(
        &self,
        cx: Cx,
        statement: Result<Statement>,
    ) -> impl Future<Output = Result<Vec<Value>>> + use<> {
        let user = self.user();
        async move {
            let statement = statement?;
            cx.tokio(async move {
                let mut rows = Vec::new();
                user.run(&statement, &mut Sink::Collect(&mut rows)).await?;
                Ok(rows)
            })
            .await
        }
    }

    fn done(
        &self,
        cx: Cx,
        statement: Result<Statement>,
    ) -> impl Future<Output = Result<Value>> + use<> {
        let user = self.user();
        async move {
            let statement = statement?;
            let done = cx.tokio(async move { user.run(&statement, &mut Sink::Discard).await });
            let Done {
                rows_affected,
                last_insert_id,
            } = done.await?;
            let mut result = vec![("rows_affected".into(), Value::Int(rows_affected as i64))];
            if let Some(id) = last_insert_id {
                let id =
                    i64::try_from(id).map_or_else(|_| Value::from(&*id.to_string()), Value::Int);
                result.push(("last_insert_id".into(), id));
            }
            Ok(Value::Map(result))
        }
    }

    fn stream(
        &self,
        cx: Cx,
        statement: Result<Statement>,
    ) -> impl Future<Output = Result<Ref<Rows>>> + use<> {
        let user = self.user();
        async move {
            let statement = statement?;
            // Started from the plugin's thread and not by `cx.tokio`: it outlives this call.
            let (to, rows) = mpsc::channel(AHEAD);
            let task = threads::handle()?.spawn(async move {
                let mut stream = std::pin::pin!(user.stream(&statement, &to));
                tokio::select! {
                    () = &mut stream => return,
                    () = to.closed() => {}
                }
                // Ended by its next row the statement leaves a usable connection.
                let _ = tokio::time::timeout(GRACE, stream).await;
            });
            drop(cx);
            Rows::start(rows, task).await
        }
    }

    fn user(&self) -> User {
        match &self.0 {
            Kind::Pool(pool) => User::Pool(pool.clone()),
            Kind::Transaction(transaction) => User::Transaction(Arc::clone(transaction)),
        }
    }
}

/// What a statement runs on.
enum User {
    Pool(Pool),
    Transaction(Arc<Transaction>),
}

impl User {
    async fn run(&self, statement: &Statement, sink: &mut Sink<'_>) -> Result<Done> {
        let progress = Progress::new();
        match self {
            Self::Pool(pool) => {
                let mut lease = pool.acquire(Purpose::Statement).await?;
                lease.run(statement, sink, &Progress::new()).await
            }
            Self::Transaction(transaction) => transaction.run(statement, sink, &progress).await,
        }
    }

    /// Runs a statement whose rows go to a loop; what fails goes there too.
    async fn stream(&self, statement: &Statement, to: &mpsc::Sender<Result<Value>>) {
        let result = async {
            match self {
                Self::Pool(pool) => {
                    let mut lease = pool.acquire(Purpose::Rows).await?;
                    let progress = Progress::new();
                    let mut sink = Sink::Stream {
                        to,
                        progress: &progress,
                        end: None,
                    };
                    tokio::select! {
                        result = lease.run(statement, &mut sink, &progress) => result,
                        () = pool.closing() => Err(Error::new("closed", "the connection was closed")),
                    }
                }
                Self::Transaction(transaction) => {
                    let progress = Progress::new();
                    let mut end = transaction.loops.subscribe();
                    let mut sink = Sink::Stream {
                        to,
                        progress: &progress,
                        end: Some(&mut end),
                    };
                    let done = transaction.run(statement, &mut sink, &progress).await?;
                    // A loop that goes on must not take the rows that it has for all of them.
                    match sink {
                        Sink::Stream { end: None, .. } => Err(ended()),
                        _ => Ok(done),
                    }
                }
            }
        };
        if let Err(error) = result.await {
            let _ = to.send(Err(error)).await;
        }
    }
}

/// How long a statement whose rows nobody wants may take to notice.
const GRACE: Duration = Duration::from_millis(500);

/// A transaction that is open.
struct Transaction {
    state: Mutex<State>,
    /// Somebody reads rows one by one.
    is_streaming: AtomicBool,
    /// Sent when the function has returned: its loops over rows that were left early end.
    loops: watch::Sender<()>,
    /// Its own function has.
    is_over: AtomicBool,
}

struct State {
    /// None when the transaction has ended.
    lease: Option<Lease>,
    /// Savepoints that are open.
    depth: usize,
}

impl Transaction {
    async fn run(
        &self,
        statement: &Statement,
        sink: &mut Sink<'_>,
        progress: &Progress,
    ) -> Result<Done> {
        // Coroutines of the script take turns, but a loop over rows would wait for itself.
        if self.is_streaming.load(Ordering::Acquire) {
            return Err(Error::new(
                "transaction",
                "the transaction is busy with the rows of `each`",
            )
            .hint("read them to their end, or close them, before the next statement"));
        }
        let mut state = self.state.lock().await;
        if self.is_over.load(Ordering::Acquire) {
            return Err(ended());
        }
        let _streaming = (statement.mode == Mode::Each).then(|| Streaming::new(&self.is_streaming));
        let lease = state.lease.as_mut().ok_or_else(ended)?;
        lease.run(statement, sink, progress).await
    }

    /// Lets no statement in any more, and ends loops over rows, which would else hold the connection
    /// until their next row is wanted.
    fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.loops.send_replace(());
    }

    async fn command(&self, sql: impl Into<String>) -> Result<Done> {
        self.run(&Statement::plain(sql), &mut Sink::Discard, &Progress::new())
            .await
    }
}

/// Says so for as long as it lives.
struct Streaming<'a>(&'a AtomicBool);

impl<'a> Streaming<'a> {
    fn new(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Release);
        Self(flag)
    }
}

impl Drop for Streaming<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn ended() -> Error {
    Error::new("transaction", "the transaction has ended")
}

async fn command(lease: &mut Lease, sql: &str) -> Result<Done> {
    lease
        .run(&Statement::plain(sql), &mut Sink::Discard, &Progress::new())
        .await
}

/// A transaction from its beginning to its end.
async fn whole(pool: Pool, cx: Cx, body: Func) -> Result<Value> {
    let begin = pool.target().begin();
    let lease = cx
        .tokio({
            let pool = pool.clone();
            async move {
                let mut lease = pool.acquire(Purpose::Transaction).await?;
                command(&mut lease, begin).await?;
                Ok(lease)
            }
        })
        .await?;
    // Whoever drops this future drops the guard, which gives up the connection: that rolls back.
    let guard = Guard(Arc::new(Transaction {
        state: Mutex::new(State {
            lease: Some(lease),
            depth: 0,
        }),
        is_streaming: AtomicBool::new(false),
        loops: watch::Sender::new(()),
        is_over: AtomicBool::new(false),
    }));
    let tx = Ref::new(Connection(Kind::Transaction(Arc::clone(&guard.0))));
    let result: Result<Value> = body.call((tx,)).await;
    cx.tokio(async move { guard.end(result).await }).await
}

/// Rolls back unless the transaction was ended.
struct Guard(Arc<Transaction>);

impl Guard {
    async fn end(self, result: Result<Value>) -> Result<Value> {
        self.0.end();
        let mut lease = self.0.state.lock().await.lease.take().ok_or_else(ended)?;
        match result {
            Ok(value) => {
                if lease.is_whole() && lease.has_failed() {
                    let _ = command(&mut lease, "ROLLBACK").await;
                    return Err(Error::new(
                        "transaction",
                        "rolled back, since a statement in it failed",
                    )
                    .hint("to go on after an error, put what may fail into a `tx:transaction`"));
                }
                // One that was cut short says so.
                if let Err(error) = command(&mut lease, "COMMIT").await {
                    lease.abandon();
                    return Err(error);
                }
                Ok(value)
            }
            Err(error) => {
                if command(&mut lease, "ROLLBACK").await.is_err() {
                    lease.abandon();
                }
                Err(error)
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.end();
        let transaction = Arc::clone(&self.0);
        // A statement of it may be about to end; then it is given up there.
        match transaction.state.try_lock() {
            Ok(mut state) => give_up(&mut state),
            Err(_) => {
                if let Ok(handle) = threads::handle() {
                    let transaction = Arc::clone(&transaction);
                    handle.spawn(async move { give_up(&mut *transaction.state.lock().await) });
                }
            }
        };
    }
}

fn give_up(state: &mut State) {
    if let Some(mut lease) = state.lease.take() {
        lease.abandon();
    }
}

/// A transaction inside another one.
async fn savepoint(outer: Arc<Transaction>, cx: Cx, body: Func) -> Result<Value> {
    let name = cx
        .tokio({
            let outer = Arc::clone(&outer);
            async move {
                let depth = {
                    let mut state = outer.state.lock().await;
                    state.depth += 1;
                    state.depth
                };
                let name = format!("assay_{depth}");
                outer.command(format!("SAVEPOINT {name}")).await?;
                Ok(name)
            }
        })
        .await?;
    let guard = SavepointGuard {
        outer: Arc::clone(&outer),
        is_done: false,
    };
    let tx = Ref::new(Connection(Kind::Transaction(Arc::clone(&outer))));
    let result: Result<Value> = body.call((tx,)).await;
    cx.tokio(async move { guard.end(&name, result).await })
        .await
}

/// A savepoint whose function was cancelled: the statements after it must not count either, so the
/// whole transaction is given up, unless the savepoint was ended.
struct SavepointGuard {
    outer: Arc<Transaction>,
    is_done: bool,
}

impl SavepointGuard {
    async fn end(mut self, name: &str, result: Result<Value>) -> Result<Value> {
        let outer = Arc::clone(&self.outer);
        outer.loops.send_replace(());
        let failed = {
            let mut state = outer.state.lock().await;
            state.depth = state.depth.saturating_sub(1);
            state.lease.as_ref().is_some_and(Lease::has_failed)
        };
        let result = match result {
            Ok(_) if failed => Err(Error::new(
                "transaction",
                "rolled back to its start, since a statement in it failed",
            )
            .hint("to go on after an error, put what may fail into a `tx:transaction`")),
            result => result,
        };
        let ended = match &result {
            Ok(_) => outer.command(format!("RELEASE SAVEPOINT {name}")).await,
            Err(_) => match outer.command(format!("ROLLBACK TO SAVEPOINT {name}")).await {
                Ok(_) => outer.command(format!("RELEASE SAVEPOINT {name}")).await,
                failed => failed,
            },
        };
        self.is_done = ended.is_ok();
        match (result, ended) {
            (Ok(_), Err(error)) => Err(error),
            (result, _) => result,
        }
    }
}

impl Drop for SavepointGuard {
    fn drop(&mut self) {
        if !self.is_done {
            drop(Guard(Arc::clone(&self.outer)));
        }
    }
}
