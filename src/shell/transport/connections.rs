//! SIP over TCP and TLS (RFC 3261 §18): connections are kept, used both ways, and bounded in number and patience. Each peer
//! has one, whoever made it (RFC 5923 for those that say so with a certificate).

use super::census::{Census, Place};
use super::guest::Guests;
use super::line::{Line, Waiting};
use super::stream::{Terms, converse};
use super::{Arrival, may_be_missing};
use crate::base::chance::Chance;
use crate::config::settings::Settings;
use crate::shell::clock::Clock;
use crate::shell::error::ShellError;
use crate::shell::{seed, tls};
use crate::sip::flow::{Flow, Kind, Transmit, Transport};
use crate::sip::keep_alive::KeepAlive;
use crate::wire::sip::Limits;
use bytes::Bytes;
use rustls::pki_types::ServerName;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Shorter than a trunk may stay without an answer, so that another way can still be tried.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const BACKLOG: i32 = 1_024;
/// Names and aliases that are remembered; beyond that all are forgotten, and learnt again.
const MEMORY: usize = 4_096;

type Peer = (Transport, SocketAddr);

pub struct Connections {
    tcp: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
    open: HashMap<Peer, Open>,
    /// The address at which a peer listens, and the connection that it lets us use in place of one to there.
    aliases: HashMap<Peer, Peer>,
    shared: Arc<Shared>,
    /// How long a request may stay without any answer.
    lifetime: Duration,
    /// Where connections live.
    runtime: Handle,
}

struct Open {
    flow: Flow,
    line: Line,
    is_proven: bool,
    /// Whether the peer made it.
    came_in: bool,
}

/// What the tasks of connections share.
pub(super) struct Shared {
    pub census: Arc<Census>,
    pub waiting: Waiting,
    pub terms: Terms,
    tls: tls::Current,
    /// Under which names an address was found.
    names: Mutex<HashMap<SocketAddr, Vec<String>>>,
    chance: Mutex<Chance>,
}

impl Connections {
    pub async fn open(
        settings: &Settings,
        clock: Clock,
        arrivals: &mpsc::Sender<Arrival>,
    ) -> Result<Connections, ShellError> {
        let limits = &settings.limits;
        let shared = Arc::new(Shared {
            census: Arc::new(Census::new(limits)),
            waiting: Waiting::default(),
            terms: Terms {
                framing: Limits { body_bytes: limits.message_bytes.max(4_096), ..Limits::default() },
                message_time: limits.message_time,
                idle: limits.connection_idle,
                clock,
            },
            tls: tls::Current::default(),
            names: Mutex::default(),
            chance: Mutex::new(Chance::from_seed(seed::fresh()?)),
        });
        let tcp = listen(Transport::Tcp, &settings.sip.tcp, &shared, arrivals)?;
        let tls = listen(Transport::Tls, &settings.sip.tls, &shared, arrivals)?;
        let lifetime = settings.sip.t1.saturating_mul(64);
        let (open, aliases, runtime) = (HashMap::new(), HashMap::new(), Handle::current());
        Ok(Connections { tcp, tls, open, aliases, shared, lifetime, runtime })
    }

    pub fn listening(&self, transport: Transport) -> &[SocketAddr] {
        if transport == Transport::Tls { &self.tls } else { &self.tcp }
    }

    pub fn tls(&self) -> tls::Current {
        Arc::clone(&self.shared.tls)
    }

    pub fn guests(&self, arrivals: mpsc::Sender<Arrival>) -> Guests {
        Guests::new(Arc::clone(&self.shared), arrivals)
    }

    pub fn connected(&mut self, flow: Flow, line: Line, is_proven: bool) {
        line.opened();
        self.open.insert((flow.transport, flow.remote), Open { flow, line, is_proven, came_in: true });
    }

    pub fn alias(&mut self, flow: Flow, address: SocketAddr) {
        let peer = (flow.transport, flow.remote);
        if !self.open.get(&peer).is_some_and(|open| open.is_proven) {
            return;
        }
        if self.aliases.len() >= MEMORY {
            self.aliases.clear();
        }
        self.aliases.insert((flow.transport, address), peer);
    }

    /// Whether nothing is left of the flow: the peer may have another connection by now.
    pub fn closed(&mut self, flow: Flow, line: &Line) -> bool {
        let peer = (flow.transport, flow.remote);
        let is_it = |open: &Open| open.line.is(line);
        if self.open.get(&peer).is_some_and(is_it) {
            self.open.remove(&peer);
            self.aliases.retain(|_, target| *target != peer);
        }
        !self.open.contains_key(&peer)
    }

    /// Remembers the name of an address, for the check of its certificate. Connections that came from there before it was
    /// known that a certificate is required are ended: from now on the address counts as the trunk.
    pub fn found(&mut self, host: &str, flows: &[Flow]) {
        for flow in flows {
            self.shared.name(flow.remote, host);
        }
        if !self.shared.tls.load().as_ref().is_some_and(|tls| tls.is_required(host)) {
            return;
        }
        let is_theirs = |open: &Open| flows.iter().any(|flow| flow.remote.ip() == open.flow.remote.ip());
        for open in self.open.values().filter(|open| open.came_in && !open.is_proven && is_theirs(open)) {
            open.line.hang_up();
        }
    }

    /// Uses the connection to that peer, or makes one. False where neither is possible.
    pub fn send(&mut self, transmit: Transmit, arrivals: &mpsc::Sender<Arrival>) -> bool {
        let Transmit { flow, bytes, kind } = transmit;
        if let Some(line) = self.line(flow) {
            return self.push(&line, bytes, kind);
        }
        let flow = match kind {
            Kind::IfOpen(_) => return false,
            Kind::Answer { listens } => flow.towards(listens),
            Kind::Plain | Kind::Request(_) => flow,
        };
        if let Some(line) = self.line(flow) {
            return self.push(&line, bytes, kind);
        }
        // Nobody can connect to a browser.
        if flow.transport.is_websocket() {
            return false;
        }
        let Some(place) = self.shared.census.leave(flow.remote.ip()) else { return false };
        let line = Line::new(&self.shared.waiting);
        self.push(&line, bytes, kind);
        let open = Open { flow, line: line.clone(), is_proven: false, came_in: false };
        self.open.insert((flow.transport, flow.remote), open);
        self.runtime.spawn(connect(flow, line, Arc::clone(&self.shared), place, arrivals.clone()));
        true
    }

    /// What leads to a peer now.
    fn line(&self, flow: Flow) -> Option<Line> {
        let peer = (flow.transport, flow.remote);
        let reused = self.aliases.get(&peer).and_then(|target| self.open.get(target));
        let open = self.open.get(&peer).filter(|open| !open.line.is_closed()).or(reused);
        open.map(|open| &open.line).filter(|line| !line.is_closed()).cloned()
    }

    fn push(&self, line: &Line, bytes: Bytes, kind: Kind) -> bool {
        match kind.transaction() {
            Some(id) => line.push_request(bytes, id, self.shared.terms.clock.now().time, self.lifetime),
            None => line.push(bytes),
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.open.values().for_each(|open| open.line.hang_up());
    }
}

impl Shared {
    fn name(&self, address: SocketAddr, host: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MEMORY {
            names.clear();
        }
        let known = names.entry(address).or_default();
        if !known.iter().any(|name| name == host) {
            // The name of the latest look-up is the one to connect by.
            known.truncate(7);
            known.insert(0, host.to_owned());
        }
    }

    /// The name by which an address was found last; the address itself where there is none.
    fn name_of(&self, address: SocketAddr) -> String {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&address).and_then(|names| names.first()).cloned().unwrap_or_else(|| address.ip().to_string())
    }

    /// Whether a host of ours, such as a trunk's, was found there.
    fn knows(&self, ip: IpAddr) -> bool {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.keys().any(|address| address.ip() == ip)
    }

    fn names_of(&self, ip: IpAddr) -> Vec<String> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().filter(|(address, _)| address.ip() == ip).flat_map(|(_, names)| names.clone()).collect()
    }

    fn keep_alive(&self) -> KeepAlive {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = KeepAlive::LONGEST.as_millis() as u64;
        let interval = Duration::from_millis(millis * 4 / 5 + chance.below(millis / 5));
        KeepAlive::new(self.terms.clock.now().time, interval)
    }
}

fn listen(
    transport: Transport,
    addresses: &[SocketAddr],
    shared: &Arc<Shared>,
    arrivals: &mpsc::Sender<Arrival>,
) -> Result<Vec<SocketAddr>, ShellError> {
    let mut opened = Vec::new();
    for &address in addresses {
        let listener = match bind(address) {
            Ok(listener) => listener,
            Err(error) if may_be_missing(address, &error) => continue,
            Err(error) => {
                let name = transport.name();
                return Err(ShellError::bind(format!("{name} {address}"), &format!("`{name}` of [sip]"), &error));
            }
        };
        opened.push(listener.local_addr().unwrap_or(address));
        tokio::spawn(accept(listener, transport, Arc::clone(shared), arrivals.clone()));
    }
    Ok(opened)
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

async fn accept(listener: TcpListener, transport: Transport, shared: Arc<Shared>, arrivals: mpsc::Sender<Arrival>) {
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
        let Some(place) = shared.census.enter(remote.ip(), shared.knows(remote.ip())) else { continue };
        let Ok(local) = stream.local_addr() else { continue };
        let flow = Flow { transport, local, remote };
        tokio::spawn(take_in(stream, flow, Arc::clone(&shared), place, arrivals.clone()));
    }
}

async fn take_in(stream: TcpStream, flow: Flow, shared: Arc<Shared>, _place: Place, arrivals: mpsc::Sender<Arrival>) {
    let _ = stream.set_nodelay(true);
    let line = Line::new(&shared.waiting);
    let connected = |is_proven| Arrival::Connected { flow, line: line.clone(), is_proven };
    if flow.transport == Transport::Tcp {
        if arrivals.send(connected(false)).await.is_ok() {
            converse(stream, flow, &line, &shared.terms, None, false, &arrivals).await;
        }
        return;
    }
    let handshake = greet(stream, flow, &shared);
    match timeout(shared.terms.message_time, handshake).await {
        Ok(Ok((stream, is_proven))) => {
            if arrivals.send(connected(is_proven)).await.is_ok() {
                converse(stream, flow, &line, &shared.terms, None, is_proven, &arrivals).await;
            }
        }
        Ok(Err(why)) => tracing::debug!("no TLS with {flow}: {why}"),
        Err(_) => tracing::debug!("no TLS with {flow}: the handshake took too long"),
    }
}

async fn greet(
    stream: TcpStream,
    flow: Flow,
    shared: &Shared,
) -> Result<(tokio_rustls::server::TlsStream<TcpStream>, bool), String> {
    let tls = shared.tls.load_full().ok_or("no certificate is loaded")?;
    let ip = flow.remote.ip();
    let welcome = tls.welcome(ip, &shared.names_of(ip));
    let stream =
        TlsAcceptor::from(Arc::clone(&welcome.config)).accept(stream).await.map_err(|error| error.to_string())?;
    let is_proven = welcome.judge(stream.get_ref().1.peer_certificates()).inspect_err(|why| {
        tracing::warn!("a connection from {flow} was closed: {why}");
    })?;
    Ok((stream, is_proven))
}

async fn connect(flow: Flow, line: Line, shared: Arc<Shared>, _place: Place, arrivals: mpsc::Sender<Arrival>) {
    let stream = match timeout(CONNECT_LIMIT, reach(flow)).await {
        Ok(Ok(stream)) => stream,
        _ => return gone(line, flow, &arrivals).await,
    };
    let _ = stream.set_nodelay(true);
    let keep_alive = Some(shared.keep_alive());
    if flow.transport != Transport::Tls {
        return converse(stream, flow, &line, &shared.terms, keep_alive, false, &arrivals).await;
    }
    let host = shared.name_of(flow.remote);
    match timeout(shared.terms.message_time, introduce(stream, &host, &shared)).await {
        Ok(Ok(stream)) => {
            return converse(stream, flow, &line, &shared.terms, keep_alive, false, &arrivals).await;
        }
        Ok(Err(why)) => tracing::warn!("no TLS with {host} at {flow}: {why}"),
        Err(_) => tracing::warn!("no TLS with {host} at {flow}: the handshake took too long"),
    }
    gone(line, flow, &arrivals).await;
}

/// A peer may know us by our address, so that the connection comes from the one that its requests name.
async fn reach(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    socket.connect(flow.remote).await
}

async fn introduce(
    stream: TcpStream,
    host: &str,
    shared: &Shared,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let tls = shared.tls.load_full().ok_or("no trunk is configured for TLS")?;
    let config = tls.towards(host).ok_or("this machine has no roots: install ca-certificates, or set `ca`")?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| error.to_string())
}

async fn gone(line: Line, flow: Flow, arrivals: &mpsc::Sender<Arrival>) {
    line.close();
    let _ = arrivals.send(Arrival::Closed { flow, line }).await;
}
