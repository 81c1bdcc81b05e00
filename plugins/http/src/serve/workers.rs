//! `workers`: several VMs that serve one port.
//!
//! They share a listener instead of each having its own (`SO_REUSEPORT`): the port stays closed to
//! other processes, and a connection goes to whoever has the fewest, which no hash does with few of them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use assay_plugin::{Error, Result, Worker};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// A client that was accepted.
pub type Client = (TcpStream, SocketAddr);

/// A VM's place among those that serve a port, which it leaves with this.
pub struct Seat {
    table: Arc<Table>,
    worker: Worker,
    connections: Arc<AtomicUsize>,
}

/// What the VMs of a port share.
struct Table {
    port: Port,
    /// None once one of them stopped listening: all of them are about to.
    listener: Mutex<Option<TcpListener>>,
    members: Mutex<Vec<Member>>,
}

struct Member {
    index: u32,
    /// Those on their way to it included.
    connections: Arc<AtomicUsize>,
    inbox: UnboundedSender<Client>,
}

/// As scripts name it: with 0 for a port that nobody knows before.
#[derive(PartialEq, Eq)]
struct Port {
    group: u64,
    host: String,
    port: u16,
}

static TABLES: Mutex<Vec<Weak<Table>>> = Mutex::new(Vec::new());

impl Seat {
    /// Takes a place. Whoever is first listens, with `listen`.
    pub fn take(
        worker: Worker,
        host: &str,
        port: u16,
        listen: impl FnOnce() -> Result<TcpListener>,
    ) -> Result<(Self, UnboundedReceiver<Client>)> {
        let wanted = Port {
            group: worker.group,
            host: host.into(),
            port,
        };
        let mut tables = lock(&TABLES);
        tables.retain(|table| table.strong_count() > 0);
        let known = tables
            .iter()
            .filter_map(Weak::upgrade)
            .find(|table| table.port == wanted && lock(&table.listener).is_some());
        let table = match known {
            Some(table) => table,
            None => {
                let table = Arc::new(Table {
                    port: wanted,
                    listener: Mutex::new(Some(listen()?)),
                    members: Mutex::default(),
                });
                tables.push(Arc::downgrade(&table));
                table
            }
        };
        drop(tables);
        let (inbox, clients) = mpsc::unbounded_channel();
        let connections = Arc::default();
        let mut members = lock(&table.members);
        if members.iter().any(|member| member.index == worker.index) {
            return Err(Error::new(
                "listen",
                format!("this script serves {host}:{port} already"),
            )
            .hint("servers with `workers` tell each other apart by their port: port 0 is for one of them"));
        }
        members.push(Member {
            index: worker.index,
            connections: Arc::clone(&connections),
            inbox,
        });
        drop(members);
        let seat = Self {
            table,
            worker,
            connections,
        };
        Ok((seat, clients))
    }

    /// The listener, for this VM's reactor.
    pub fn listener(&self) -> std::io::Result<Option<TcpListener>> {
        lock(&self.table.listener)
            .as_ref()
            .map(TcpListener::try_clone)
            .transpose()
    }

    /// Gives a client to the VM with the fewest. Back it comes if that is this one.
    pub fn assign(&self, client: Client) -> Option<Client> {
        let members = lock(&self.table.members);
        let fewest = members.iter().min_by_key(|member| {
            let connections = member.connections.load(Ordering::Relaxed);
            (connections, member.index != self.worker.index)
        });
        let client = match fewest {
            Some(member) if member.index != self.worker.index => {
                member.connections.fetch_add(1, Ordering::Relaxed);
                match member.inbox.send(client) {
                    Ok(()) => return None,
                    // About to leave.
                    Err(refused) => refused.0,
                }
            }
            _ => client,
        };
        self.connections.fetch_add(1, Ordering::Relaxed);
        Some(client)
    }

    /// One of this VM's connections has ended.
    pub fn left(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Stops to listen.
    pub fn close(&self) {
        lock(&self.table.listener).take();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.table.members).retain(|member| member.index != self.worker.index);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
