//! `ws.Connection`: what a script holds.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use assay_plugin::{Buf, Cx, Error, Ref, Result, Value, object};
use futures_util::future::{Either, select};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use crate::connect::Opened;
use crate::options::{Target, seconds};
use crate::pump::{AHEAD, Arrived, End, Order, Pump};

/// An open connection.
pub struct Connection {
    orders: mpsc::Sender<Order>,
    arrived: Mutex<mpsc::UnboundedReceiver<Arrived>>,
    room: Arc<Semaphore>,
    end: Arc<OnceLock<End>>,
    subprotocol: Option<String>,
    /// By the script.
    closing: AtomicBool,
    timeout: Duration,
}

object! {
    /// An open WebSocket. What is not closed is when the script ends.
    Connection as "ws.Connection" {
        /// Sends a text message, which must be UTF-8. Waits until the system has taken it.
        async fn send = "fun(self: ws.Connection, text: string)",
        /// Sends a binary message. Waits until the system has taken it.
        async fn send_binary = "fun(self: ws.Connection, bytes: string)",
        /// Waits for the next message, text or binary; nil when the connection was closed.
        async fn recv = "fun(self: ws.Connection, timeout?: number): string?",
        /// Closes the connection and waits until the server did, too.
        async fn close = "fun(self: ws.Connection, code?: integer, reason?: string)",
        async fn __close = "fun(self: ws.Connection)",
        /// Its fields.
        fn __index = "fun(self: ws.Connection, name: string): any",
    }
}

impl Connection {
    /// On the tokio thread, where its task will run.
    pub fn new(opened: Opened, target: &Target) -> Self {
        let (orders, wanted) = mpsc::channel(1);
        let (sender, arrived) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(AHEAD));
        let end = Arc::new(OnceLock::new());
        let pump = Pump {
            orders: wanted,
            arrived: sender,
            room: Arc::clone(&room),
            end: Arc::clone(&end),
            shown: target.shown.clone(),
        };
        tokio::spawn(pump.run(opened.socket));
        Self {
            orders,
            arrived: Mutex::new(arrived),
            room,
            end,
            subprotocol: opened.subprotocol,
            closing: AtomicBool::new(false),
            timeout: target.timeout,
        }
    }

    fn send(this: Ref<Self>, text: &[u8]) -> impl Future<Output = Result<()>> + use<> {
        let message = Utf8Bytes::try_from(Bytes::copy_from_slice(text)).map_err(|error| {
            Error::argument(format!("argument 1: a text must be UTF-8: {error}"))
                .hint("send_binary sends any bytes")
        });
        async move { this.put(Message::Text(message?)).await }
    }

    fn send_binary(this: Ref<Self>, bytes: &[u8]) -> impl Future<Output = Result<()>> + use<> {
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        async move { this.put(message).await }
    }

    async fn recv(this: Ref<Self>, cx: Cx, timeout: Option<f64>) -> Result<Option<Buf>> {
        let Ok(mut arrived) = this.arrived.try_lock() else {
            return Err(
                Error::new("busy", "another coroutine receives from this connection")
                    .hint("let one coroutine receive, and hand on what came"),
            );
        };
        if this.closing.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let message = match timeout {
            None => arrived.recv().await,
            Some(0.0) => match arrived.try_recv() {
                Ok(message) => Some(message),
                Err(mpsc::error::TryRecvError::Disconnected) => None,
                Err(mpsc::error::TryRecvError::Empty) => return Err(too_late(0.0)),
            },
            Some(limit) => {
                let duration = seconds("timeout", limit)?;
                // Only the clock runs on the other thread: what comes is taken here or stays.
                let clock = cx.tokio(async move {
                    tokio::time::sleep(duration).await;
                    Ok(())
                });
                match select(std::pin::pin!(arrived.recv()), std::pin::pin!(clock)).await {
                    Either::Left((message, _)) => message,
                    Either::Right(_) => return Err(too_late(limit)),
                }
            }
        };
        match (message, this.end.get()) {
            (Some((data, _)), _) => Ok(Some(Buf::new(data.into()))),
            (None, Some(end @ End::Lost(_))) => Err(end.error()),
            (None, _) => Ok(None),
        }
    }

    async fn close(
        this: Ref<Self>,
        cx: Cx,
        code: Option<u16>,
        reason: Option<String>,
    ) -> Result<()> {
        let frame = close_frame(code, reason)?;
        this.closing.store(true, Ordering::Relaxed);
        // What still comes is dropped, so that the server's answer is reached.
        this.room.close();
        let (told, sent) = oneshot::channel();
        // Who closes what is closed already has what he wants.
        if this
            .orders
            .send((Message::Close(Some(frame)), told))
            .await
            .is_err()
        {
            return Ok(());
        }
        let limit = this.timeout;
        let clock = cx.tokio(async move {
            tokio::time::sleep(limit).await;
            Ok(())
        });
        let ended = async {
            let _ = sent.await;
            this.orders.closed().await;
        };
        select(std::pin::pin!(ended), std::pin::pin!(clock)).await;
        Ok(())
    }

    async fn __close(this: Ref<Self>, cx: Cx) -> Result<()> {
        Self::close(this, cx, None, None).await
    }

    fn __index(this: Ref<Self>, name: &str) -> Value {
        let closed = || match this.end.get()? {
            End::Closed { code, reason } => Some((*code, reason.as_str())),
            End::Lost(_) => Some((1006, "")),
        };
        match name {
            "subprotocol" => this.subprotocol.as_deref().map_or(Value::Nil, Value::from),
            "close_code" => closed().map_or(Value::Nil, |(code, _)| Value::Int(code.into())),
            "close_reason" => closed().map_or(Value::Nil, |(_, reason)| Value::from(reason)),
            _ => Value::Nil,
        }
    }

    async fn put(&self, message: Message) -> Result<()> {
        let ended = || match self.end.get() {
            Some(end) => end.error(),
            None => Error::new("closed", "the connection was closed"),
        };
        if self.closing.load(Ordering::Relaxed) {
            return Err(Error::new("closed", "the connection was closed"));
        }
        let (told, sent) = oneshot::channel();
        self.orders
            .send((message, told))
            .await
            .map_err(|_| ended())?;
        sent.await.map_err(|_| ended())?
    }
}

/// `ws.send(conn, text)`
pub fn send(conn: Ref<Connection>, text: &[u8]) -> impl Future<Output = Result<()>> + use<> {
    Connection::send(conn, text)
}

/// `ws.send_binary(conn, bytes)`
pub fn send_binary(
    conn: Ref<Connection>,
    bytes: &[u8],
) -> impl Future<Output = Result<()>> + use<> {
    Connection::send_binary(conn, bytes)
}

/// `ws.recv(conn, timeout?)`
pub async fn recv(conn: Ref<Connection>, cx: Cx, timeout: Option<f64>) -> Result<Option<Buf>> {
    Connection::recv(conn, cx, timeout).await
}

/// `ws.close(conn, code?, reason?)`
pub async fn close(
    conn: Ref<Connection>,
    cx: Cx,
    code: Option<u16>,
    reason: Option<String>,
) -> Result<()> {
    Connection::close(conn, cx, code, reason).await
}

fn too_late(seconds: f64) -> Error {
    Error::new("timeout", format!("no message within {seconds} s"))
}

fn close_frame(code: Option<u16>, reason: Option<String>) -> Result<CloseFrame> {
    let code = code.unwrap_or(1000);
    if !CloseCode::from(code).is_allowed() {
        return Err(
            Error::argument(format!("argument 1: {code} is no code to close with"))
                .hint("1000 is normal; 3000 to 4999 are an application's own"),
        );
    }
    let reason = reason.unwrap_or_default();
    if reason.len() > 123 {
        return Err(Error::argument(format!(
            "argument 2: a reason has at most 123 bytes, this one {}",
            reason.len()
        )));
    }
    Ok(CloseFrame {
        code: code.into(),
        reason: reason.into(),
    })
}
