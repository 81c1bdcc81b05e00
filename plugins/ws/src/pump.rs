//! The task that owns a connection's socket: it reads ahead of the script a little, so that pings are
//! answered while nobody receives, and sends what it is given.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use assay_plugin::{Error, Result};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::connect::Wire;
use crate::failure::lost;

/// How many bytes are read ahead, in units of `UNIT`; then the server has to wait.
pub const AHEAD: usize = 1024;
const UNIT: usize = 1024;
/// How long a server that no longer listens may hold up the end.
const PATIENCE: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<Box<dyn Wire>>;

/// What the script wants sent, and who is told that it was.
pub type Order = (Message, oneshot::Sender<Result<()>>);

/// A message, and the room that it takes up until the script has it.
pub type Arrived = (Bytes, Option<OwnedSemaphorePermit>);

/// How a connection ended.
pub enum End {
    /// With a closing handshake.
    Closed { code: u16, reason: String },
    /// In any other way: kind, message, hint.
    Lost(Error),
}

impl End {
    /// The error of whoever wants to use it still.
    pub fn error(&self) -> Error {
        match self {
            Self::Closed { code, reason } if reason.is_empty() => {
                Error::new("closed", format!("the connection was closed ({code})"))
            }
            Self::Closed { code, reason } => Error::new(
                "closed",
                format!("the connection was closed ({code}: {reason})"),
            ),
            Self::Lost(error) => {
                let copy = Error::new(error.kind().to_owned(), error.message());
                match error.hint_text() {
                    Some(hint) => copy.hint(hint),
                    None => copy,
                }
            }
        }
    }
}

/// The task's ends of the channels.
pub struct Pump {
    pub orders: mpsc::Receiver<Order>,
    pub arrived: mpsc::UnboundedSender<Arrived>,
    /// Closed once the script is no longer interested in what comes.
    pub room: Arc<Semaphore>,
    pub end: Arc<OnceLock<End>>,
    pub shown: String,
}

impl Pump {
    /// Runs until the connection has ended, or the script has dropped it.
    pub async fn run(mut self, socket: Socket) {
        let (mut sink, mut stream) = socket.split();
        tokio::select! {
            code = receive(&mut stream, &self.arrived, &self.room, &self.end, &self.shown) => {
                if let Some(code) = code {
                    close(&mut sink, code).await;
                }
            }
            () = send(&mut sink, &mut self.orders, &self.end, &self.shown) => close(&mut sink, 1001).await,
        }
        // Whoever still waits to send learns it from the dropped channel.
    }
}

/// Reads until the end; returns the code to close with when that is for us to do.
async fn receive(
    stream: &mut SplitStream<Socket>,
    arrived: &mpsc::UnboundedSender<Arrived>,
    room: &Arc<Semaphore>,
    end: &OnceLock<End>,
    shown: &str,
) -> Option<u16> {
    let mut closed = None;
    loop {
        let next = match closed {
            None => stream.next().await,
            // The server has said good-bye, and should hang up now.
            Some(_) => tokio::time::timeout(PATIENCE, stream.next())
                .await
                .unwrap_or(None),
        };
        match next {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                let data = message.into_data();
                let units = data.len().div_ceil(UNIT).clamp(1, AHEAD);
                // An error: nobody is interested any more.
                if let Ok(permit) = Arc::clone(room).acquire_many_owned(units as u32).await {
                    let _ = arrived.send((data, Some(permit)));
                }
            }
            Some(Ok(Message::Close(frame))) => {
                // RFC 6455: 1005 stands for a close frame without a code.
                closed = Some(frame.map_or((1005, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                }));
            }
            // Pings are answered by the protocol.
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                // After the handshake of closing, how the socket ends does not matter.
                if let Some((code, reason)) = closed {
                    let _ = end.set(End::Closed { code, reason });
                    return None;
                }
                let (error, code) = lost(&error, shown);
                let _ = end.set(End::Lost(error));
                return code;
            }
            None => {
                let (code, reason) = closed.unwrap_or((1006, String::new()));
                let _ = end.set(End::Closed { code, reason });
                return None;
            }
        }
    }
}

/// Sends until the script has dropped the connection.
async fn send(
    sink: &mut SplitSink<Socket, Message>,
    orders: &mut mpsc::Receiver<Order>,
    end: &OnceLock<End>,
    shown: &str,
) {
    while let Some((message, told)) = orders.recv().await {
        let closes = matches!(message, Message::Close(_));
        let sent = sink.send(message).await.map_err(|error| match end.get() {
            Some(end) => end.error(),
            None => lost(&error, shown).0,
        });
        let _ = told.send(sent);
        if closes {
            // The receiving half sees the end.
            std::future::pending::<()>().await;
        }
    }
}

/// Says why we go, to a server that may not listen.
async fn close(sink: &mut SplitSink<Socket, Message>, code: u16) {
    let frame = CloseFrame {
        code: code.into(),
        reason: "".into(),
    };
    let _ = tokio::time::timeout(PATIENCE, sink.send(Message::Close(Some(frame)))).await;
}
