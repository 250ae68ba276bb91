//! SIP over TCP (RFC 3261 §18): connections are kept, used both ways, and bounded in number and patience.

use super::{Arrival, may_be_missing};
use crate::config::settings::{Limits as Bounds, Settings};
use crate::shell::error::ShellError;
use crate::sip::flow::{Flow, Transmit, Transport};
use crate::wire::sip::{Frame, Framer, Limits};
use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A message that has begun must end within so long.
const MESSAGE_LIMIT: Duration = Duration::from_secs(5);
/// A connection on which nothing ever came is closed after so long; one that was used may rest for longer.
const FIRST_MESSAGE_LIMIT: Duration = Duration::from_secs(30);
const IDLE_LIMIT: Duration = Duration::from_secs(3_600);
/// A peer that doesn't read has so many messages to catch up with.
const WAITING_MESSAGES: usize = 256;
const BACKLOG: i32 = 1_024;

pub struct Connections {
    addresses: Vec<SocketAddr>,
    open: HashMap<SocketAddr, (Flow, mpsc::Sender<Bytes>)>,
    limits: Limits,
}

impl Connections {
    pub async fn open(settings: &Settings, arrivals: &mpsc::Sender<Arrival>) -> Result<Connections, ShellError> {
        let limits = Limits { body_bytes: settings.limits.message_bytes.max(4_096), ..Limits::default() };
        let census = Arc::new(Census::new(&settings.limits));
        let mut addresses = Vec::new();
        for &address in &settings.sip.tcp {
            let listener = match bind(address) {
                Ok(listener) => listener,
                Err(error) if may_be_missing(address, &error) => continue,
                Err(error) => return Err(ShellError::bind(format!("tcp {address}"), "`tcp` of [sip]", &error)),
            };
            addresses.push(listener.local_addr().unwrap_or(address));
            tokio::spawn(accept(listener, Arc::clone(&census), limits, arrivals.clone()));
        }
        Ok(Connections { addresses, open: HashMap::new(), limits })
    }

    pub fn listening(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub fn connected(&mut self, flow: Flow, sender: mpsc::Sender<Bytes>) {
        self.open.insert(flow.remote, (flow, sender));
    }

    pub fn closed(&mut self, flow: Flow) {
        if self.open.get(&flow.remote).is_some_and(|(_, sender)| sender.is_closed()) {
            self.open.remove(&flow.remote);
        }
    }

    /// Uses the connection to that peer, or makes one.
    pub fn send(&mut self, Transmit { flow, bytes }: Transmit, arrivals: &mpsc::Sender<Arrival>) -> Result<(), Flow> {
        if let Some((_, sender)) = self.open.get(&flow.remote)
            && !sender.is_closed()
        {
            return sender.try_send(bytes).map_err(|_| flow);
        }
        let (sender, waiting) = mpsc::channel(WAITING_MESSAGES);
        sender.try_send(bytes).map_err(|_| flow)?;
        self.open.insert(flow.remote, (flow, sender));
        tokio::spawn(connect(flow, waiting, self.limits, arrivals.clone()));
        Ok(())
    }
}

/// How many connections there are, and from where.
struct Census {
    most: usize,
    most_for_address: usize,
    by_address: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

impl Census {
    fn new(bounds: &Bounds) -> Census {
        Census {
            most: bounds.tcp_connections,
            most_for_address: bounds.tcp_connections_per_address,
            by_address: Mutex::default(),
        }
    }

    fn enter(&self, address: IpAddr) -> bool {
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.0 >= self.most || counts.1.get(&address).is_some_and(|&count| count >= self.most_for_address) {
            return false;
        }
        counts.0 += 1;
        *counts.1.entry(address).or_default() += 1;
        true
    }

    fn leave(&self, address: IpAddr) {
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        counts.0 = counts.0.saturating_sub(1);
        if let Some(count) = counts.1.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.1.remove(&address);
            }
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart may not wait for the old connections' last seconds.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(listener: TcpListener, census: Arc<Census>, limits: Limits, arrivals: mpsc::Sender<Arrival>) {
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of file descriptors: those that close make room.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if arrivals.is_closed() {
            return;
        }
        if !census.enter(remote.ip()) {
            continue;
        }
        let Ok(local) = stream.local_addr() else { continue };
        let flow = Flow { transport: Transport::Tcp, local, remote };
        let (sender, waiting) = mpsc::channel(WAITING_MESSAGES);
        let (arrivals, census) = (arrivals.clone(), Arc::clone(&census));
        tokio::spawn(async move {
            if arrivals.send(Arrival::Connected { flow, sender: sender.clone() }).await.is_ok() {
                converse(stream, flow, waiting, sender, limits, &arrivals).await;
            }
            census.leave(remote.ip());
        });
    }
}

async fn connect(flow: Flow, waiting: mpsc::Receiver<Bytes>, limits: Limits, arrivals: mpsc::Sender<Arrival>) {
    match timeout(CONNECT_LIMIT, TcpStream::connect(flow.remote)).await {
        Ok(Ok(stream)) => {
            let (answers, _) = mpsc::channel(1);
            converse(stream, flow, waiting, answers, limits, &arrivals).await;
        }
        _ => {
            drop(waiting);
            let _ = arrivals.send(Arrival::Closed { flow }).await;
        }
    }
}

/// Reads and writes until either side has had enough.
async fn converse(
    stream: TcpStream,
    flow: Flow,
    mut waiting: mpsc::Receiver<Bytes>,
    own: mpsc::Sender<Bytes>,
    limits: Limits,
    arrivals: &mpsc::Sender<Arrival>,
) {
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let writing = async {
        while let Some(bytes) = waiting.recv().await {
            if !matches!(timeout(MESSAGE_LIMIT, writer.write_all(&bytes)).await, Ok(Ok(()))) {
                break;
            }
        }
    };
    let reading = read(&mut reader, flow, limits, &own, arrivals);
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
    drop(waiting);
    let _ = arrivals.send(Arrival::Closed { flow }).await;
}

async fn read(
    reader: &mut tokio::net::tcp::OwnedReadHalf,
    flow: Flow,
    limits: Limits,
    own: &mpsc::Sender<Bytes>,
    arrivals: &mpsc::Sender<Arrival>,
) {
    let mut framer = Framer::new(limits);
    let mut buffer = vec![0; 16_384];
    let mut patience = FIRST_MESSAGE_LIMIT;
    // A message that comes byte by byte has one time limit for all of it.
    let mut begun: Option<tokio::time::Instant> = None;
    loop {
        let deadline = begun.unwrap_or_else(|| tokio::time::Instant::now() + patience);
        let Ok(Ok(length)) = tokio::time::timeout_at(deadline, reader.read(&mut buffer)).await else { return };
        if length == 0 {
            return;
        }
        framer.push(&buffer[..length]);
        while let Some(frame) = framer.next() {
            begun = None;
            match frame {
                Ok(Frame::Message(bytes)) => {
                    patience = IDLE_LIMIT;
                    if arrivals.send(Arrival::Message { flow, bytes }).await.is_err() {
                        return;
                    }
                }
                // A double CRLF asks for a single one (RFC 5626 §4.4.1).
                Ok(Frame::Ping) => {
                    let _ = own.try_send(Bytes::from_static(b"\r\n"));
                }
                Err(_) => return,
            }
        }
        if framer.buffered() > 0 {
            begun.get_or_insert_with(|| tokio::time::Instant::now() + MESSAGE_LIMIT);
        }
    }
}
