//! A connection's bytes: hyper's I/O on the host's reactor.

use std::cell::RefCell;
use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use assay_plugin::reactor::{Direction, Io};
use hyper::rt::{self, ReadBufCursor};

use super::connection::Connection;

/// A socket that tells its connection when bytes move.
pub struct Socket {
    pub io: Io<TcpStream>,
    pub connection: Rc<Connection>,
}

thread_local! {
    /// Sockets are read through here, since hyper's own buffer can be filled in place only by
    /// unsafe code. Copying a request costs less than giving each connection such a buffer.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 << 10]);
}

impl rt::Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = buf.remaining().min(scratch.len());
            let count = ready!(self.io.poll_read(cx, &mut scratch[..room]))?;
            buf.put_slice(&scratch[..count]);
            self.connection.received();
            Poll::Ready(Ok(()))
        })
    }
}

impl rt::Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self
            .io
            .poll_with(cx, Direction::Write, |mut socket: &TcpStream| {
                socket.write_vectored(bufs)
            });
        self.connection.sent(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.io.get_ref().shutdown(Shutdown::Write) {
            // Closed by the client already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}
