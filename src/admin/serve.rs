//! The HTTP server: connections, each with a limit on how long it may be silent, and a limit on those from one address and
//! on all of them. Those that become something else are let go from all of these.

use crate::shell::error::ShellError;
use crate::shell::tls;
use crate::shell::transport::{Census, Place};
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
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
/// Within this time of its start a connection has asked something.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);
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
///
/// At most `per_address` connections come from one address at once; more are closed as they come.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    per_address: usize,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_within(Patience::DEFAULT, listener, router, per_address, shutdown).await
}

/// The same over TLS, with whatever certificate is in force when a client comes.
pub async fn serve_tls(
    listener: TcpListener,
    current: tls::Current,
    router: Router,
    per_address: usize,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let (shaken, greeted) = mpsc::channel(1);
    tokio::spawn(shake_hands(Door::new(listener, per_address), current, shaken));
    let guarded = Guarded { incoming: Incoming::Tls { greeted, address }, patience: Patience::DEFAULT };
    let router = router.layer(middleware::from_fn(note_question));
    axum::serve(guarded, router.into_make_service_with_connect_info::<Caller>()).await
}

async fn serve_within(
    patience: Patience,
    listener: TcpListener,
    router: Router,
    per_address: usize,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let guarded = Guarded { incoming: Incoming::Plain(Door::new(listener, per_address)), patience };
    let router = router.layer(middleware::from_fn(note_question));
    let service = router.into_make_service_with_connect_info::<Caller>();
    axum::serve(guarded, service).with_graceful_shutdown(shutdown).await
}

/// A connection has asked something, whose answer it may wait for.
async fn note_question(request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(caller)) = request.extensions().get::<ConnectInfo<Caller>>() {
        caller.lease.has_asked.store(true, Ordering::Relaxed);
    }
    next.run(request).await
}

/// How long connections are waited for.
#[derive(Clone, Copy)]
struct Patience {
    question: Duration,
    answer: Duration,
}

impl Patience {
    const DEFAULT: Patience = Patience { question: QUESTION_TIMEOUT, answer: ANSWER_TIMEOUT };
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
    room: Mutex<Option<Room>>,
    has_asked: AtomicBool,
    is_over: AtomicBool,
}

/// A place among all connections, and among those from its address.
type Room = (OwnedSemaphorePermit, Place);

impl Lease {
    /// The connection is no longer one of HTTP: others look after it.
    pub fn release(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.room.lock().unwrap_or_else(PoisonError::into_inner).take();
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
    patience: Patience,
}

/// Where connections come in, as many as there is room for.
struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
    census: Arc<Census>,
}

impl Door {
    fn new(listener: TcpListener, per_address: usize) -> Door {
        let census = Arc::new(Census::of(CONNECTIONS, per_address));
        Door { listener, room: Arc::new(Semaphore::new(CONNECTIONS)), census }
    }

    async fn next(&mut self) -> (TcpStream, SocketAddr, Room) {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { continue };
            let (stream, remote) = Listener::accept(&mut self.listener).await;
            if let Some(place) = self.census.enter(remote.ip(), true) {
                return (stream, remote, (permit, place));
            }
        }
    }
}

enum Incoming {
    Plain(Door),
    Tls { greeted: mpsc::Receiver<Greeted>, address: SocketAddr },
}

struct Greeted {
    stream: Stream,
    local: SocketAddr,
    remote: SocketAddr,
    room: Room,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

struct Connection {
    stream: Stream,
    local: SocketAddr,
    patience: Patience,
    deadline: Pin<Box<Sleep>>,
    lease: Arc<Lease>,
}

/// Handshakes go on beside each other, so that a slow one keeps nobody waiting.
async fn shake_hands(mut door: Door, current: tls::Current, shaken: mpsc::Sender<Greeted>) {
    while !shaken.is_closed() {
        let (stream, remote, room) = door.next().await;
        let (Some(tls), Ok(local)) = (current.load_full(), stream.local_addr()) else { continue };
        let shaken = shaken.clone();
        tokio::spawn(async move {
            let handshake = TlsAcceptor::from(tls.http()).accept(stream);
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, handshake).await {
                let _ = shaken.send(Greeted { stream: Stream::Tls(Box::new(stream)), local, remote, room }).await;
            }
        });
    }
}

impl Listener for Guarded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let greeted = match &mut self.incoming {
            Incoming::Plain(door) => loop {
                let (stream, remote, room) = door.next().await;
                if let Ok(local) = stream.local_addr() {
                    break Greeted { stream: Stream::Plain(stream), local, remote, room };
                }
            },
            Incoming::Tls { greeted, .. } => match greeted.recv().await {
                Some(greeted) => greeted,
                None => std::future::pending().await,
            },
        };
        let Greeted { stream, local, remote, room } = greeted;
        let patience = self.patience;
        let deadline = Box::pin(sleep_until(after(patience.question)));
        let lease =
            Lease { room: Mutex::new(Some(room)), has_asked: AtomicBool::new(false), is_over: AtomicBool::new(false) };
        (Connection { stream, local, patience, deadline, lease: Arc::new(lease) }, remote)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.incoming {
            Incoming::Plain(door) => door.listener.local_addr(),
            Incoming::Tls { address, .. } => Ok(*address),
        }
    }
}

impl Connection {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.lease.is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
        while self.deadline.as_mut().poll(context).is_ready() {
            if !self.lease.has_asked.swap(false, Ordering::Relaxed) {
                return Err(ErrorKind::TimedOut.into());
            }
            let deadline = after(self.patience.answer);
            self.deadline.as_mut().reset(deadline);
        }
        Ok(())
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
            let deadline = after(self.patience.answer);
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
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const LIMIT: Duration = Duration::from_millis(500);

    async fn serving(patience: Patience, router: Router, per_address: usize) -> SocketAddr {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_within(patience, listener, router, per_address, std::future::pending()));
        address
    }

    #[tokio::test]
    async fn a_connection_that_asks_byte_by_byte_is_closed_and_one_with_answers_is_not() {
        let address = serving(Patience { question: LIMIT, answer: LIMIT }, Router::new(), 2).await;
        let mut dripping = TcpStream::connect(address).await.unwrap();
        let mut asking = TcpStream::connect(address).await.unwrap();
        dripping.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let drip = async {
            while dripping.write_all(b"X").await.is_ok() {
                tokio::time::sleep(LIMIT / 10).await;
                asking.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
                assert!(asking.read(&mut [0; 4096]).await.unwrap() > 0);
            }
        };
        tokio::time::timeout(Duration::from_secs(60), drip).await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_asks_nothing_is_closed_before_one_that_waits_for_its_answer() {
        let slow = get(|| async {
            tokio::time::sleep(3 * LIMIT).await;
            "at last"
        });
        let patience = Patience { question: LIMIT, answer: 60 * LIMIT };
        let address = serving(patience, Router::new().route("/", slow), 2).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut asking = TcpStream::connect(address).await.unwrap();
        asking.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
        let closed = tokio::time::timeout(20 * LIMIT, silent.read(&mut [0; 16])).await.unwrap();
        assert!(closed.is_err() || closed.is_ok_and(|read| read == 0));
        let mut answer = [0; 4096];
        let length = asking.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..length]).contains("200 OK"));
    }

    #[tokio::test]
    async fn one_address_has_so_many_connections_and_gets_them_back() {
        let address = serving(Patience::DEFAULT, Router::new(), 2).await;
        let mut kept = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            kept.push(stream);
        }
        let mut third = TcpStream::connect(address).await.unwrap();
        assert!(third.read(&mut [0; 16]).await.is_ok_and(|read| read == 0), "closed at once");
        kept.clear();
        let again = async {
            loop {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
                if stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                    return;
                }
                tokio::time::sleep(LIMIT / 10).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), again).await.unwrap();
    }
}
