//! Who may use which connection.
//!
//! A permit of a semaphore stands for the right to have a connection, and travels with it: with the
//! lease of whoever uses it, and, when that one goes away in the middle of a statement, with the task
//! that stops the statement. So there are never more than `max_connections`, whatever happens.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use assay_plugin::{Cx, Error, Result, threads};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::failure;
use crate::link::{Link, Target};
use crate::statement::{Done, Progress, Sink, Statement};

/// The connections to a database.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    cx: Cx,
    target: Target,
    timeout: Duration,
    most: usize,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// Leases, by [`Purpose`].
    used: [AtomicUsize; 3],
    closed: AtomicBool,
    closing: Notify,
}

struct Idle {
    link: Link,
    since: Instant,
    made: Instant,
}

/// What somebody wants a connection for.
#[derive(Clone, Copy)]
pub enum Purpose {
    Statement,
    Transaction,
    Rows,
}

/// Idle connections are closed after that.
const IDLE: Duration = Duration::from_secs(300);
/// Connections are not used again when they are older: balancers and changed DNS entries count on it.
const OLD: Duration = Duration::from_secs(1800);
/// An idle connection is believed to be alive for that long.
const FRESH: Duration = Duration::from_secs(1);

impl Pool {
    /// Connects once, so that what is wrong with the address is known at once.
    pub async fn connect(cx: Cx, target: Target, most: usize, timeout: Duration) -> Result<Self> {
        let pool = Self(Arc::new(Shared {
            cx,
            target,
            timeout,
            most,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
            used: Default::default(),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
        }));
        drop(pool.acquire(Purpose::Statement).await?);
        tokio::spawn(sweep(Arc::downgrade(&pool.0)));
        Ok(pool)
    }

    pub fn target(&self) -> &Target {
        &self.0.target
    }

    pub async fn acquire(&self, purpose: Purpose) -> Result<Lease> {
        let deadline = Instant::now() + self.0.timeout;
        if self.is_closed() {
            return Err(closed());
        }
        let permit = timeout_at(deadline, Arc::clone(&self.0.permits).acquire_owned())
            .await
            .map_err(|_| self.busy())?
            .map_err(|_| closed())?;
        while let Some(mut idle) = self.take_idle() {
            let is_fresh = idle.since.elapsed() < FRESH;
            let alive = match is_fresh {
                true => idle.link.is_usable(),
                false => timeout_at(deadline, idle.link.is_alive())
                    .await
                    .unwrap_or(false),
            };
            if alive {
                return Ok(self.lease(idle.link, idle.made, permit, purpose));
            }
        }
        let connecting = self.0.target.connect(&self.0.cx, self.0.timeout);
        let link = timeout_at(deadline, connecting).await.map_err(|_| {
            failure::connecting(
                "timeout",
                format!("no connection within {} s", self.0.timeout.as_secs_f64()),
                self.0.target.shown(),
            )
            .hint("the option `timeout` is in seconds")
        })??;
        Ok(self.lease(link, Instant::now(), permit, purpose))
    }

    /// Ends when the pool is closed.
    pub async fn closing(&self) {
        let notified = self.0.closing.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.is_closed() {
            notified.await;
        }
    }

    /// Lets nobody in any more, waits for statements and transactions to end, and hangs up. What does
    /// not end in time is closed when it does.
    pub async fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.closing.notify_waiters();
        let all = Arc::clone(&self.0.permits).acquire_many_owned(self.0.most as u32);
        let _ = tokio::time::timeout(self.0.timeout, all).await;
        self.0.permits.close();
        let idle = std::mem::take(&mut *self.0.idle());
        for idle in idle {
            idle.link.close().await;
        }
    }

    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    fn take_idle(&self) -> Option<Idle> {
        self.0.idle().pop()
    }

    fn lease(
        &self,
        link: Link,
        made: Instant,
        permit: OwnedSemaphorePermit,
        purpose: Purpose,
    ) -> Lease {
        self.0.used[purpose as usize].fetch_add(1, Ordering::Relaxed);
        Lease {
            pool: self.clone(),
            link: Some((link, permit)),
            made,
            purpose,
        }
    }

    /// Why nobody can have a connection.
    fn busy(&self) -> Error {
        let count = |purpose: Purpose| self.0.used[purpose as usize].load(Ordering::Relaxed);
        let by = [
            (count(Purpose::Transaction), "db.transaction"),
            (count(Purpose::Rows), "db.each"),
            (count(Purpose::Statement), "statements"),
        ];
        let by: Vec<String> = by
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, who)| format!("{count} by {who}"))
            .collect();
        let error = Error::new(
            "pool",
            format!(
                "no connection became free within {} s: {} in use ({})",
                self.0.timeout.as_secs_f64(),
                self.0.most,
                by.join(", ")
            ),
        );
        if count(Purpose::Transaction) > 0 {
            error.hint(
                "in db.transaction, use the connection that its function is given; or raise `max_connections`",
            )
        } else if count(Purpose::Rows) > 0 {
            error.hint(
                "rows that are not read to their end are to be closed: `local rows <close> = ...`",
            )
        } else {
            error.hint("raise `max_connections`")
        }
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, link: Link, made: Instant) {
        if self.closed.load(Ordering::Acquire) || (made.elapsed() > OLD && !self.target.is_memory())
        {
            hang_up(link);
            return;
        }
        self.idle().push(Idle {
            link,
            since: Instant::now(),
            made,
        });
    }
}

/// Closes idle connections, for as long as there is a pool.
async fn sweep(pool: Weak<Shared>) {
    loop {
        tokio::time::sleep(IDLE / 5).await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.target.is_memory() {
            return;
        }
        let old: Vec<Idle> = {
            let mut idle = pool.idle();
            idle.extract_if(.., |idle| {
                idle.since.elapsed() > IDLE || idle.made.elapsed() > OLD
            })
            .collect()
        };
        for idle in old {
            idle.link.close().await;
        }
    }
}

/// Closes a connection behind the script's back.
fn hang_up(link: Link) {
    if let Ok(handle) = threads::handle() {
        handle.spawn(link.close());
    }
}

fn closed() -> Error {
    Error::new("closed", "the connection is closed")
}

/// A connection that somebody uses.
pub struct Lease {
    pool: Pool,
    /// None when a statement was cut short, and the connection with it.
    link: Option<(Link, OwnedSemaphorePermit)>,
    made: Instant,
    purpose: Purpose,
}

impl Lease {
    /// Runs a statement. When the future is dropped, or the time is over, the statement is stopped on
    /// the server too, and the lease is worth nothing any more.
    pub async fn run(
        &mut self,
        statement: &Statement,
        sink: &mut Sink<'_>,
        progress: &Progress,
    ) -> Result<Done> {
        let Some(link) = self.link.take() else {
            return Err(self.cut_short());
        };
        let timeout = statement.timeout.unwrap_or(self.pool.0.timeout);
        let mut running = Running {
            lease: self,
            link: Some(link),
        };
        let (link, _) = running.link.as_mut().expect("just put there");
        let result = tokio::select! {
            biased;
            result = link.run(statement, sink) => result,
            () = progress.expired(timeout) => {
                return Err(Error::new(
                    "timeout",
                    format!("the statement took longer than {} s and was stopped", timeout.as_secs_f64()),
                )
                .hint("the option `timeout` is in seconds"));
            }
        };
        running.finished();
        result
    }

    /// Whether there is still a connection.
    pub fn is_whole(&self) -> bool {
        self.link.is_some()
    }

    /// Whether the open transaction can only be rolled back.
    pub fn has_failed(&self) -> bool {
        self.link.as_ref().is_none_or(|(link, _)| link.has_failed())
    }

    /// Gives up the connection, with the transaction that is open on it.
    pub fn abandon(&mut self) {
        if let Some((link, permit)) = self.link.take() {
            stop(&self.pool.0, link, self.made, permit);
        }
    }

    fn cut_short(&self) -> Error {
        Error::new(
            "transaction",
            "the transaction was rolled back when one of its statements was cut short",
        )
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.0.used[self.purpose as usize].fetch_sub(1, Ordering::Relaxed);
        if let Some((mut link, permit)) = self.link.take() {
            if link.is_usable() {
                self.pool.0.put(link, self.made);
            }
            drop(permit);
        }
    }
}

/// A statement that runs: whoever drops this before the end gives up the connection.
struct Running<'a> {
    lease: &'a mut Lease,
    link: Option<(Link, OwnedSemaphorePermit)>,
}

impl Running<'_> {
    fn finished(mut self) {
        let link = self.link.take();
        self.lease.link =
            link.and_then(|(mut link, permit)| link.is_usable().then_some((link, permit)));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some((link, permit)) = self.link.take() {
            stop(&self.lease.pool.0, link, self.lease.made, permit);
        }
    }
}

/// Stops what runs on a connection, in a task of its own.
fn stop(shared: &Arc<Shared>, link: Link, made: Instant, permit: OwnedSemaphorePermit) {
    let shared = Arc::clone(shared);
    // Without a thread there is no connection.
    let Ok(handle) = threads::handle() else {
        return;
    };
    handle.spawn(async move {
        if let Some(link) = link.abandon().await {
            shared.put(link, made);
        }
        drop(permit);
    });
}
