//! The HTTP server: connections, each with a limit on how long it may be silent, and a limit on all of them. Those that
//! become something else are let go from both.

use crate::shell::error::ShellError;
use crate::shell::tls;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Enough for consoles and monitors; those who come after wait to be accepted.
const CONNECTIONS: usize = 256;
/// Within this time of its start, or of the last bytes of an answer, a connection has an answer again. That ends idle
/// ones, and those that send a request byte by byte. It is longer than a request may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Binds `http.listen`.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ShellError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ShellError::bind(format_args!("http {address}"), "`listen` of [http]", &error))
}

/// Binds `http.tls`.
pub async fn bind_tls(address: SocketAddr) -> Result<TcpListener, ShellError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ShellError::bind(format_args!("https {address}"), "`tls` of [http]", &error))
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

/// The same over TLS, with whatever certificate is in force when a client comes.
pub async fn serve_tls(listener: TcpListener, current: tls::Current, router: Router) -> io::Result<()> {
    let address = listener.local_addr()?;
    let (shaken, greeted) = mpsc::channel(1);
    tokio::spawn(shake_hands(listener, current, shaken));
    let guarded = Guarded { incoming: Incoming::Tls { greeted, address }, answer_timeout: ANSWER_TIMEOUT };
    axum::serve(guarded, router.into_make_service_with_connect_info::<Caller>()).await
}

async fn serve_within(
    answer_timeout: Duration,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let incoming = Incoming::Plain { listener, room: Arc::new(Semaphore::new(CONNECTIONS)) };
    let guarded = Guarded { incoming, answer_timeout };
    let service = router.into_make_service_with_connect_info::<Caller>();
    axum::serve(guarded, service).with_graceful_shutdown(shutdown).await
}

/// Who asks.
#[derive(Clone)]
pub struct Caller {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub is_secure: bool,
    pub lease: Arc<Lease>,
}

/// A connection's place among those of the HTTP server, and its deadline.
pub struct Lease {
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    is_over: AtomicBool,
}

impl Lease {
    /// The connection is no longer one of HTTP: others look after it.
    pub fn release(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Connected<IncomingStream<'_, Guarded>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Guarded>) -> Caller {
        let connection = stream.io();
        Caller {
            local: connection.local,
            remote: *stream.remote_addr(),
            is_secure: matches!(connection.stream, Stream::Tls(_)),
            lease: Arc::clone(&connection.lease),
        }
    }
}

struct Guarded {
    incoming: Incoming,
    answer_timeout: Duration,
}

enum Incoming {
    Plain { listener: TcpListener, room: Arc<Semaphore> },
    Tls { greeted: mpsc::Receiver<Greeted>, address: SocketAddr },
}

struct Greeted {
    stream: Stream,
    local: SocketAddr,
    remote: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

struct Connection {
    stream: Stream,
    local: SocketAddr,
    answer_timeout: Duration,
    deadline: Pin<Box<Sleep>>,
    lease: Arc<Lease>,
}

/// Handshakes go on beside each other, so that a slow one keeps nobody waiting.
async fn shake_hands(mut listener: TcpListener, current: tls::Current, shaken: mpsc::Sender<Greeted>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while !shaken.is_closed() {
        let permit = Arc::clone(&room).acquire_owned().await.ok();
        let (stream, remote) = Listener::accept(&mut listener).await;
        let (Some(tls), Ok(local)) = (current.load_full(), stream.local_addr()) else { continue };
        let shaken = shaken.clone();
        tokio::spawn(async move {
            let handshake = TlsAcceptor::from(tls.http()).accept(stream);
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, handshake).await {
                let _ = shaken.send(Greeted { stream: Stream::Tls(Box::new(stream)), local, remote, permit }).await;
            }
        });
    }
}

impl Listener for Guarded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let greeted = match &mut self.incoming {
            Incoming::Plain { listener, room } => loop {
                // The semaphore is never closed.
                let permit = room.clone().acquire_owned().await.ok();
                let (stream, remote) = Listener::accept(listener).await;
                if let Ok(local) = stream.local_addr() {
                    break Greeted { stream: Stream::Plain(stream), local, remote, permit };
                }
            },
            Incoming::Tls { greeted, .. } => match greeted.recv().await {
                Some(greeted) => greeted,
                None => std::future::pending().await,
            },
        };
        let Greeted { stream, local, remote, permit } = greeted;
        let answer_timeout = self.answer_timeout;
        let deadline = Box::pin(sleep_until(after(answer_timeout)));
        let lease = Arc::new(Lease { permit: Mutex::new(permit), is_over: AtomicBool::new(false) });
        (Connection { stream, local, answer_timeout, deadline, lease }, remote)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.incoming {
            Incoming::Plain { listener, .. } => listener.local_addr(),
            Incoming::Tls { address, .. } => Ok(*address),
        }
    }
}

impl Connection {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.lease.is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
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
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        if let Poll::Ready(Ok(_)) = written {
            let deadline = after(self.answer_timeout);
            self.deadline.as_mut().reset(deadline);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
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
