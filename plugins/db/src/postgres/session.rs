//! The socket of a connection: dialled, encrypted, authenticated.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use assay_plugin::tls::rustls::pki_types::ServerName;
use assay_plugin::{Cx, Error, Result, abi::level};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::address::{Host, Server};
use crate::failure;
use crate::tls::Mode;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A conversation with a server.
pub struct Session {
    stream: Box<dyn Stream>,
    input: BytesMut,
    /// What is sent with the next flush.
    pub out: BytesMut,
    /// `I`dle, in a `T`ransaction, in one that `E`rred.
    pub status: u8,
    /// With which what this connection runs can be cancelled.
    pub key: Option<(i32, i32)>,
    /// What the database stores text in is what we write it in.
    pub is_utf8: bool,
    is_broken: bool,
    cx: Cx,
}

impl Session {
    /// Connects and logs in.
    pub async fn open(cx: &Cx, server: &Server) -> Result<Self> {
        let mut session = Self::dial(cx, server).await?;
        session.log_in(server).await?;
        Ok(session)
    }

    /// Connects, encrypted if that is asked for.
    pub async fn dial(cx: &Cx, server: &Server) -> Result<Self> {
        let stream: Box<dyn Stream> = match &server.host {
            Host::Socket(path) => Box::new(
                UnixStream::connect(path)
                    .await
                    .map_err(|error| failure::io(&error, &server.shown))?,
            ),
            Host::Name(name) => {
                let tcp = tcp(cx, name, server).await?;
                encrypted(tcp, name, server).await?
            }
        };
        Ok(Self {
            stream,
            input: BytesMut::with_capacity(16 << 10),
            out: BytesMut::new(),
            status: b'I',
            key: None,
            is_utf8: false,
            is_broken: false,
            cx: cx.clone(),
        })
    }

    async fn log_in(&mut self, server: &Server) -> Result<()> {
        let mut parameters = vec![
            ("user", &*server.user),
            ("client_encoding", "UTF8"),
            // What the texts of dates look like, and that times have the zone Z.
            ("DateStyle", "ISO, MDY"),
            ("TimeZone", "UTC"),
            ("application_name", &*server.application_name),
        ];
        if let Some(database) = &server.database {
            parameters.push(("database", database));
        }
        if let Some(options) = &server.options {
            parameters.push(("options", options));
        }
        let shown = &*server.shown;
        let unsendable = |error: std::io::Error| failure::connecting("connect", error, shown);
        let lost = |error: Error| failure::connecting("connect", error.message(), shown);
        frontend::startup_message(parameters, &mut self.out).map_err(unsendable)?;
        self.flush().await.map_err(lost)?;
        let mut scram = None;
        loop {
            let message = match self.receive().await {
                Ok(message) => message,
                Err(error) => return Err(failure::io(&error, shown)),
            };
            let password = || {
                server.password.as_deref().ok_or_else(|| {
                    failure::connecting(
                        "auth",
                        "the server asks for a password, the URL has none",
                        shown,
                    )
                })
            };
            match message {
                Message::AuthenticationOk | Message::NoticeResponse(_) => continue,
                Message::ParameterStatus(body) => {
                    if body.name().is_ok_and(|name| name == "server_encoding") {
                        self.is_utf8 = body.value().is_ok_and(|value| value == "UTF8");
                    }
                    continue;
                }
                Message::BackendKeyData(body) => {
                    self.key = Some((body.process_id(), body.secret_key()));
                    continue;
                }
                Message::ReadyForQuery(body) => {
                    self.status = body.status();
                    return Ok(());
                }
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(password()?.as_bytes(), &mut self.out)
                        .map_err(unsendable)?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash =
                        md5_hash(server.user.as_bytes(), password()?.as_bytes(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.out)
                        .map_err(unsendable)?;
                }
                Message::AuthenticationSasl(body) => {
                    let offered: Vec<String> = body
                        .mechanisms()
                        .map(|name| Ok(name.to_owned()))
                        .collect()
                        .map_err(|error| failure::connecting("protocol", error, shown))?;
                    if !offered.iter().any(|name| name == sasl::SCRAM_SHA_256) {
                        return Err(failure::connecting(
                            "auth",
                            format!(
                                "the server wants {}, which is not supported",
                                offered.join(" or ")
                            ),
                            shown,
                        ));
                    }
                    let started = sasl::ScramSha256::new(
                        password()?.as_bytes(),
                        sasl::ChannelBinding::unsupported(),
                    );
                    frontend::sasl_initial_response(
                        sasl::SCRAM_SHA_256,
                        started.message(),
                        &mut self.out,
                    )
                    .map_err(unsendable)?;
                    scram = Some(started);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let scram = scram.as_mut().ok_or_else(|| unexpected(shown))?;
                    scram
                        .update(body.data())
                        .map_err(|error| failure::connecting("auth", error, shown))?;
                    frontend::sasl_response(scram.message(), &mut self.out).map_err(unsendable)?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let scram = scram.as_mut().ok_or_else(|| unexpected(shown))?;
                    scram.finish(body.data()).map_err(|error| {
                        failure::connecting(
                            "auth",
                            format!("the server does not know the password: {error}"),
                            shown,
                        )
                    })?;
                    continue;
                }
                Message::ErrorResponse(body) => {
                    let error = super::server_error(&mut body.fields(), "");
                    return Err(refused(&error, shown));
                }
                Message::AuthenticationGss
                | Message::AuthenticationSspi
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationScmCredential => {
                    return Err(failure::connecting(
                        "auth",
                        "the server wants Kerberos or the like, which is not supported",
                        shown,
                    ));
                }
                _ => return Err(unexpected(shown)),
            }
            self.flush().await.map_err(lost)?;
        }
    }

    /// Sends what was written.
    pub async fn flush(&mut self) -> Result<()> {
        let sent = async {
            self.stream.write_all_buf(&mut self.out).await?;
            self.stream.flush().await
        };
        let result = sent.await;
        self.out.clear();
        result.map_err(|error| {
            self.is_broken = true;
            failure::lost(failure::reason(&error))
        })
    }

    /// The next message of the answer.
    pub async fn next(&mut self) -> Result<Message> {
        loop {
            match self.receive().await {
                Ok(Message::NoticeResponse(body)) => {
                    let notice = super::server_error(&mut body.fields(), "");
                    self.cx
                        .log(level::DEBUG, &format!("postgres: {}", notice.message()));
                }
                Ok(Message::ParameterStatus(_) | Message::NotificationResponse(_)) => {}
                // What ends the connection comes where an answer is expected.
                Ok(Message::ErrorResponse(body)) if self.ends_here(&body) => {
                    self.is_broken = true;
                    let error = super::server_error(&mut body.fields(), "");
                    return Err(failure::lost(error.message()));
                }
                Ok(message) => return Ok(message),
                Err(error) => {
                    self.is_broken = true;
                    return Err(failure::lost(failure::reason(&error)));
                }
            }
        }
    }

    fn ends_here(&self, body: &postgres_protocol::message::backend::ErrorResponseBody) -> bool {
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            if matches!(field.type_(), b'V' | b'S')
                && matches!(field.value_bytes(), b"FATAL" | b"PANIC")
            {
                return true;
            }
        }
        false
    }

    async fn receive(&mut self) -> std::io::Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.input)? {
                return Ok(message);
            }
            self.input.reserve(64 << 10);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the server closed it",
                ));
            }
        }
    }

    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether an idle connection can be used: a server that closed it has said so, or just hung up.
    pub fn is_alive(&mut self) -> bool {
        if self.is_broken {
            return false;
        }
        let mut waker = Context::from_waker(std::task::Waker::noop());
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        loop {
            match Pin::new(&mut *self.stream).poll_read(&mut waker, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.input.extend_from_slice(buffer.filled());
                    buffer.clear();
                }
                Poll::Ready(_) => return false,
            }
        }
        // Notices and changed settings come at any time; an error means the end.
        loop {
            match Message::parse(&mut self.input) {
                Ok(Some(
                    Message::NoticeResponse(_)
                    | Message::ParameterStatus(_)
                    | Message::NotificationResponse(_),
                )) => {}
                Ok(None) => return true,
                _ => return false,
            }
        }
    }

    pub async fn cancel(&mut self, process: i32, key: i32) -> Result<()> {
        frontend::cancel_request(process, key, &mut self.out);
        self.flush().await?;
        // The server hangs up when it is done.
        while self.stream.read_buf(&mut self.input).await.unwrap_or(0) > 0 {
            self.input.clear();
        }
        Ok(())
    }

    pub async fn terminate(&mut self) {
        frontend::terminate(&mut self.out);
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }
}

/// What a server says instead of letting us in.
fn refused(error: &Error, shown: &str) -> Error {
    let state = error
        .field_value("sqlstate")
        .and_then(assay_plugin::Value::as_str)
        .unwrap_or_default();
    let phase = if state.starts_with("28") {
        "auth"
    } else {
        "connect"
    };
    let out = failure::connecting(phase, error.message(), shown)
        .field("sqlstate", assay_plugin::Value::from(state));
    match state {
        "28P01" => out.hint("the user or the password is wrong"),
        "3D000" => out.hint("the URL's path is the database: postgres://user@host/database"),
        "53300" => out
            .hint("other clients hold them, or `max_connections` of several pools adds up to more"),
        _ => out,
    }
}

fn unexpected(shown: &str) -> Error {
    failure::connecting(
        "protocol",
        "the server does not answer as PostgreSQL does",
        shown,
    )
}

/// To one of the addresses that the script may connect to, and to no other.
async fn tcp(cx: &Cx, name: &str, server: &Server) -> Result<TcpStream> {
    let addresses = assay_plugin::net::resolve(cx, name, server.port)
        .await
        .map_err(|error| match error.kind() {
            "dns" => failure::connecting("dns", error.message(), &server.shown),
            _ => error,
        })?;
    let mut failed = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Statements are small and waited for.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(match failed {
        Some(error) => failure::io(&error, &server.shown),
        None => failure::connecting("dns", "the name has no address", &server.shown),
    })
}

async fn encrypted(mut tcp: TcpStream, name: &str, server: &Server) -> Result<Box<dyn Stream>> {
    let shown = &*server.shown;
    if server.tls.mode == Mode::Disable {
        return Ok(Box::new(tcp));
    }
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let answer = async {
        tcp.write_all(&request).await?;
        tcp.read_u8().await
    };
    match answer.await.map_err(|error| failure::io(&error, shown))? {
        b'S' => {}
        b'N' if server.tls.mode == Mode::Prefer => return Ok(Box::new(tcp)),
        b'N' => {
            return Err(
                failure::connecting("tls", "the server does not speak TLS", shown)
                    .hint("`tls = \"disable\"`, if the network in between is trusted"),
            );
        }
        _ => return Err(unexpected(shown)),
    }
    let config = Arc::new(server.tls.config()?);
    let host = ServerName::try_from(name.to_owned()).map_err(|_| {
        failure::connecting(
            "tls",
            format!("`{name}` is no name that a certificate can have"),
            shown,
        )
    })?;
    let stream = tokio_rustls::TlsConnector::from(config)
        .connect(host, tcp)
        .await
        .map_err(|error| failure::io(&error, shown))?;
    Ok(Box::new(stream))
}
