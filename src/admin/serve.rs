//! The HTTP server: connections, each with a limit on how long it may be silent, and a limit on all of them.

use crate::shell::error::ShellError;
use axum::Router;
use axum::serve::Listener;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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

/// Where a client on this machine finds a server that listens there: one that listens everywhere, on loopback.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Serves until `shutdown` completes and the requests in progress are answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_within(ANSWER_TIMEOUT, listener, router, shutdown).await
}

async fn serve_within(
    answer_timeout: Duration,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let guarded = Guarded { listener, room: Arc::new(Semaphore::new(CONNECTIONS)), answer_timeout };
    axum::serve(guarded, router).with_graceful_shutdown(shutdown).await
}

struct Guarded {
    listener: TcpListener,
    room: Arc<Semaphore>,
    answer_timeout: Duration,
}

struct Connection {
    stream: TcpStream,
    answer_timeout: Duration,
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
        let answer_timeout = self.answer_timeout;
        let deadline = Box::pin(sleep_until(after(answer_timeout)));
        (Connection { stream, answer_timeout, deadline, _permit: permit }, address)
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
            let deadline = after(self.answer_timeout);
            self.deadline.as_mut().reset(deadline);
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
fn after(span: Duration) -> Instant {
    Instant::now() + span
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_connection_that_asks_byte_by_byte_is_closed_and_one_with_answers_is_not() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let limit = Duration::from_millis(500);
        tokio::spawn(serve_within(limit, listener, Router::new(), std::future::pending()));
        let mut dripping = TcpStream::connect(address).await.unwrap();
        let mut asking = TcpStream::connect(address).await.unwrap();
        dripping.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let drip = async {
            while dripping.write_all(b"X").await.is_ok() {
                tokio::time::sleep(limit / 10).await;
                asking.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
                assert!(asking.read(&mut [0; 4096]).await.unwrap() > 0);
            }
        };
        tokio::time::timeout(Duration::from_secs(60), drip).await.unwrap();
    }
}
