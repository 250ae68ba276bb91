//! The HTTP server: connections, each with a limit on how long it may be silent, and a limit on all of them.

use crate::shell::error::ShellError;
use axum::Router;
use axum::serve::Listener;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

/// Enough for consoles and monitors; those who come after wait to be accepted.
const CONNECTIONS: usize = 256;
/// Within this time of its start, or of the last bytes of an answer, a connection has an answer again. That ends idle
/// ones, and those that send a request byte by byte. It is longer than a request may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Binds `http.listen`.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ShellError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ShellError::bind(format_args!("http {address}"), "`listen` of [http]", &error))
}

/// Serves until `shutdown` completes and the requests in progress are answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_within(ANSWER_TIMEOUT, listener, router, shutdown).await
}

pub(super) async fn serve_within(
    limit: Duration,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let guarded = Guarded { listener, limit, room: Arc::new(Semaphore::new(CONNECTIONS)) };
    axum::serve(guarded, router).with_graceful_shutdown(shutdown).await
}

struct Guarded {
    listener: TcpListener,
    limit: Duration,
    room: Arc<Semaphore>,
}

struct Connection {
    stream: TcpStream,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Listener for Guarded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed.
        let permit = self.room.clone().acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let limit = self.limit;
        (Connection { stream, limit, deadline: Box::pin(sleep_until(deadline(limit))), _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connection {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Err(ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(_)) = written {
            let limit = self.limit;
            self.deadline.as_mut().reset(deadline(limit));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[allow(clippy::disallowed_methods, reason = "a connection's deadline is the shell's, on tokio's clock")]
fn deadline(limit: Duration) -> Instant {
    Instant::now() + limit
}
