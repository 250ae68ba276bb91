//! Connections on loopback: what a peer has to show, how long it may take, and which way a message goes.

use super::*;
use crate::config::settings::{ClientCertificate, Network, Trunk, TrunkTls, TrunkTransport};
use crate::shell::tls::Tls;
use crate::sip::agent::ClientId;
use crate::sip::flow::Kind;
use crate::wire::stun;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A gateway's sockets, an authority and the certificates that it gave.
struct Desk {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
    settings: Settings,
}

struct Open {
    transports: Transports,
    arrivals: mpsc::Receiver<Arrival>,
}

impl Desk {
    fn new() -> Desk {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let mut settings = Settings { data: folder.path().to_owned(), ..Settings::default() };
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        settings.sip.udp = vec!["0.0.0.0:0".parse().unwrap()];
        settings.sip.tcp = vec![loopback];
        settings.sip.tls = vec![loopback];
        let mut desk = Desk { folder, authority, settings };
        desk.settings.sip.certificate = Some(desk.certificate("localhost"));
        desk
    }

    fn certificate(&self, name: &str) -> crate::config::settings::Certificate {
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.authority).unwrap();
        let (chain, path) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        std::fs::write(&chain, made.pem()).unwrap();
        std::fs::write(&path, key.serialize_pem()).unwrap();
        crate::config::settings::Certificate { chain, key: path }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn trunk(&mut self, host: &str, rule: ClientCertificate) {
        self.settings.trunks.push(Trunk {
            transport: Some(TrunkTransport::Tls),
            tls: TrunkTls { ca: Some(self.path("ca.pem")), certificate: None, client_certificate: rule },
            ..Trunk::named("acme", host)
        });
    }

    async fn open(&self) -> Open {
        let (sender, arrivals) = mpsc::channel(64);
        let mut transports = Transports::open(&self.settings, Clock::start(), sender).await.unwrap();
        transports.watch().unwrap();
        transports.tls().store(Tls::load(&self.settings).unwrap().map(Arc::new));
        Open { transports, arrivals }
    }

    /// A TLS client of this machine; `shows` is its certificate.
    async fn connect(&self, to: SocketAddr, shows: Option<&str>) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match shows {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let files = self.certificate(name);
                let chain = CertificateDer::pem_file_iter(&files.chain).unwrap().map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(to).await?).await
    }
}

impl Open {
    fn at(&self, transport: Transport) -> SocketAddr {
        SocketAddr::new([127, 0, 0, 1].into(), self.transports.listening(transport)[0].port())
    }

    /// What the loop would do with arrivals, until a message or an end comes.
    async fn next(&mut self) -> Arrival {
        loop {
            let arrival = tokio::time::timeout(Duration::from_secs(10), self.arrival()).await.unwrap();
            match arrival {
                Arrival::Connected { flow, line, is_proven } => self.transports.connected(flow, line, is_proven),
                Arrival::Alias { flow, address } => self.transports.alias(flow, address),
                Arrival::Closed { flow, line } => {
                    self.transports.closed(flow, &line);
                    return Arrival::Closed { flow, line };
                }
                other => return other,
            }
        }
    }

    async fn arrival(&mut self) -> Arrival {
        loop {
            if let Some(datagram) = self.transports.take() {
                return datagram;
            }
            tokio::select! {
                arrival = self.arrivals.recv() => return arrival.unwrap(),
                () = self.transports.readable() => self.transports.receive(),
            }
        }
    }

    async fn message(&mut self) -> (Flow, Bytes) {
        match self.next().await {
            Arrival::Message { flow, bytes } => (flow, bytes),
            Arrival::Closed { flow, .. } => panic!("{flow} is closed"),
            _ => panic!("something else"),
        }
    }

    async fn closed(&mut self) -> Flow {
        match self.next().await {
            Arrival::Closed { flow, .. } => flow,
            _ => panic!("it isn't closed"),
        }
    }

    fn send(&mut self, flow: Flow, text: &str) -> bool {
        self.transports.send(Transmit { flow, bytes: Bytes::from(text.to_owned()), kind: Kind::Plain })
    }
}

fn options(via: &str) -> String {
    format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS {via}\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:a@b>\r\nCall-ID: c\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut buffer = [0; 2_000];
    let length = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.unwrap().unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn a_message_comes_and_goes_over_tls() {
    let desk = Desk::new();
    let mut gateway = desk.open().await;
    let mut phone = desk.connect(gateway.at(Transport::Tls), None).await.unwrap();
    phone.write_all(options("x").as_bytes()).await.unwrap();
    let (flow, bytes) = gateway.message().await;
    assert_eq!((flow.transport, &bytes[..7]), (Transport::Tls, &b"OPTIONS"[..]));
    assert!(gateway.send(flow, "SIP/2.0 200 OK\r\n\r\n"));
    assert!(read(&mut phone).await.starts_with("SIP/2.0 200"));
    phone.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut phone).await, "\r\n");
    drop(phone);
    assert_eq!(gateway.closed().await, flow);
}

#[tokio::test]
async fn new_certificates_serve_new_connections_and_old_ones_go_on() {
    let mut desk = Desk::new();
    let mut gateway = desk.open().await;
    let mut before = desk.connect(gateway.at(Transport::Tls), None).await.unwrap();
    desk.settings.sip.certificate = Some(desk.certificate("elsewhere"));
    gateway.transports.tls().store(Tls::load(&desk.settings).unwrap().map(Arc::new));
    assert!(desk.connect(gateway.at(Transport::Tls), None).await.is_err());
    before.write_all(options("x").as_bytes()).await.unwrap();
    gateway.message().await;
}

#[tokio::test]
async fn a_trunk_that_must_show_its_certificate_gets_in_with_no_other() {
    let mut desk = Desk::new();
    desk.trunk("127.0.0.1", ClientCertificate::Required);
    let mut gateway = desk.open().await;
    let at = gateway.at(Transport::Tls);
    // In TLS 1.3 a client learns of its rejection by its first read.
    for wrong in [None, Some("stranger.example")] {
        if let Ok(mut stream) = desk.connect(at, wrong).await {
            let _ = stream.write_all(options("x").as_bytes()).await;
            assert_eq!(read(&mut stream).await, "");
        }
    }
    let mut right = desk.connect(at, Some("127.0.0.1")).await.unwrap();
    right.write_all(options("x").as_bytes()).await.unwrap();
    gateway.message().await;
}

#[tokio::test]
async fn one_who_may_show_a_certificate_needs_none() {
    let mut desk = Desk::new();
    desk.trunk("acme.example", ClientCertificate::Asked);
    desk.settings.trunks[0].from = vec![Network { address: [127, 0, 0, 1].into(), bits: 32 }];
    let mut gateway = desk.open().await;
    let mut stream = desk.connect(gateway.at(Transport::Tls), None).await.unwrap();
    stream.write_all(options("x").as_bytes()).await.unwrap();
    gateway.message().await;
}

#[tokio::test]
async fn a_connection_from_what_turns_out_to_be_a_trunk_is_ended_unless_proven() {
    let mut desk = Desk::new();
    desk.trunk("acme.example", ClientCertificate::Required);
    let mut gateway = desk.open().await;
    let mut stream = desk.connect(gateway.at(Transport::Tls), None).await.unwrap();
    stream.write_all(options("x").as_bytes()).await.unwrap();
    let (flow, _) = gateway.message().await;
    let found = Flow { remote: "127.0.0.1:5061".parse().unwrap(), ..flow };
    gateway.transports.found("acme.example", &[found]);
    assert_eq!(gateway.closed().await, flow);
    let again = desk.connect(gateway.at(Transport::Tls), Some("acme.example")).await;
    again.unwrap().write_all(options("x").as_bytes()).await.unwrap();
    gateway.message().await;
}

/// RFC 5923 §5: with `alias`, what goes to the peer's listening address goes over the connection that it made.
#[tokio::test]
async fn a_proven_peer_lets_us_reuse_its_connection_and_others_can_not() {
    let mut desk = Desk::new();
    desk.trunk("127.0.0.1", ClientCertificate::Asked);
    let mut gateway = desk.open().await;
    for (shows, is_reused) in [(None, false), (Some("127.0.0.1"), true)] {
        let mut stream = desk.connect(gateway.at(Transport::Tls), shows).await.unwrap();
        stream.write_all(options("127.0.0.1:9;branch=z9hG4bKa;alias").as_bytes()).await.unwrap();
        let (flow, _) = gateway.message().await;
        let listens = Flow { remote: "127.0.0.1:9".parse().unwrap(), ..flow };
        assert!(gateway.send(listens, "BYE"));
        match is_reused {
            true => assert_eq!(read(&mut stream).await, "BYE"),
            false => assert_eq!(gateway.closed().await, listens),
        }
        drop(stream);
        assert_eq!(gateway.closed().await, flow);
    }
}

#[tokio::test]
async fn a_trunk_has_to_have_a_certificate_of_its_name() {
    let mut desk = Desk::new();
    desk.trunk("right.example", ClientCertificate::No);
    let mut gateway = desk.open().await;
    let local = "127.0.0.1:5061".parse().unwrap();
    for (name, is_right) in [("wrong.example", false), ("right.example", true)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let flow = Flow { transport: Transport::Tls, local, remote: listener.local_addr().unwrap() };
        let mut served = desk.settings.clone();
        served.sip.certificate = Some(desk.certificate(name));
        let acceptor =
            TlsAcceptor::from(Tls::load(&served).unwrap().unwrap().welcome([192, 0, 2, 1].into(), &[]).config);
        gateway.transports.found("right.example", &[flow]);
        assert!(gateway.send(flow, "hello"));
        let (stream, from) = listener.accept().await.unwrap();
        assert_eq!(from.ip(), local.ip());
        match (acceptor.accept(stream).await, is_right) {
            (Ok(mut stream), true) => assert_eq!(read(&mut stream).await, "hello"),
            (accepted, false) => {
                drop(accepted);
                assert_eq!(gateway.closed().await, flow);
            }
            (Err(error), true) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_message_that_comes_byte_by_byte_has_one_limit_for_all_of_it() {
    let mut desk = Desk::new();
    desk.settings.limits.message_time = Duration::from_millis(300);
    let mut gateway = desk.open().await;
    let mut phone = TcpStream::connect(gateway.at(Transport::Tcp)).await.unwrap();
    let drip = tokio::spawn(async move {
        for byte in options("x").into_bytes() {
            if phone.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    gateway.closed().await;
    drip.await.unwrap();
}

/// AST-2016-005 and others: neither a handshake that never ends nor a length that is a lie keeps a connection or memory.
#[tokio::test]
async fn a_handshake_without_end_and_a_length_that_is_a_lie_are_ended() {
    let mut desk = Desk::new();
    desk.settings.limits.message_time = Duration::from_millis(300);
    let mut gateway = desk.open().await;
    let mut silent = TcpStream::connect(gateway.at(Transport::Tls)).await.unwrap();
    assert_eq!(read(&mut silent).await, "", "a client that says nothing at all");
    let mut half = TcpStream::connect(gateway.at(Transport::Tls)).await.unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]).await.unwrap();
    assert_eq!(read(&mut half).await, "", "half a hello");
    for length in ["4294967295", "16777216", "18446744073709551615", "-1"] {
        let mut liar = TcpStream::connect(gateway.at(Transport::Tcp)).await.unwrap();
        let text = options("x").replace("Content-Length: 0", &format!("Content-Length: {length}"));
        liar.write_all(text.as_bytes()).await.unwrap();
        // Either the beginning is told, so that it can be answered, or nothing is; the connection ends in any case.
        while let Arrival::Message { bytes, .. } = gateway.next().await {
            assert!(bytes.len() < 1_000, "{length}");
        }
        let _ = liar.write_all(&[b'x'; 100]).await;
        assert_eq!(read(&mut liar).await, "", "{length}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_single_line_end_is_no_message() {
    let mut desk = Desk::new();
    desk.settings.limits.message_time = Duration::from_millis(100);
    desk.settings.limits.connection_idle = Duration::from_millis(900);
    let mut gateway = desk.open().await;
    let mut phone = TcpStream::connect(gateway.at(Transport::Tcp)).await.unwrap();
    phone.write_all(options("x").as_bytes()).await.unwrap();
    let (flow, _) = gateway.message().await;
    phone.write_all(b"\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // It would be closed by now if that had begun a message.
    phone.write_all(options("y").as_bytes()).await.unwrap();
    gateway.message().await;
    assert_eq!(gateway.closed().await, flow);
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let mut desk = Desk::new();
    desk.settings.limits.tcp_connections_per_address = 2;
    let mut gateway = desk.open().await;
    let at = gateway.at(Transport::Tcp);
    let mut phones = Vec::new();
    for _ in 0..2 {
        let mut phone = TcpStream::connect(at).await.unwrap();
        phone.write_all(options("x").as_bytes()).await.unwrap();
        gateway.message().await;
        phones.push(phone);
    }
    let mut third = TcpStream::connect(at).await.unwrap();
    let _ = third.write_all(options("x").as_bytes()).await;
    assert_eq!(read(&mut third).await, "");
    drop(phones.pop());
    gateway.closed().await;
    let mut fourth = TcpStream::connect(at).await.unwrap();
    fourth.write_all(options("x").as_bytes()).await.unwrap();
    gateway.message().await;
}

#[tokio::test]
async fn a_flow_to_nobody_fails() {
    let desk = Desk::new();
    let mut gateway = desk.open().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local: gateway.at(Transport::Tcp), remote: free };
    assert!(gateway.send(flow, "x"));
    assert_eq!(gateway.closed().await, flow);
    let browser = Flow { transport: Transport::Wss, ..flow };
    assert!(!gateway.send(browser, "x"));
}

/// RFC 5626 §4.4.2: what a phone behind a NAT learns of its own address, from the address that it asked.
#[tokio::test]
async fn stun_is_answered_where_sip_is_spoken() {
    let mut gateway = Desk::new().open().await;
    let port = gateway.transports.listening(Transport::Udp)[0].port();
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for ours in ["127.0.0.1", "127.0.0.9"] {
        let ours: SocketAddr = format!("{ours}:{port}").parse().unwrap();
        let request = stun::Request { transaction: *b"0123456789ab", has_fingerprint: true, unknown: Vec::new() };
        phone.send_to(&request.write(), ours).await.unwrap();
        let mut buffer = [0; 200];
        let (length, from) = tokio::select! {
            answer = phone.recv_from(&mut buffer) => answer.unwrap(),
            _ = gateway.arrival() => panic!("the request is taken for a message"),
        };
        assert_eq!(from, ours);
        assert_eq!(stun::mapped(&buffer[..length], &request), Some(phone.local_addr().unwrap()));
    }
}

/// A flood at one address leaves the other its turns.
#[tokio::test]
async fn each_socket_has_its_share() {
    let mut desk = Desk::new();
    desk.settings.sip.udp = vec!["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
    let mut gateway = desk.open().await;
    let at = gateway.transports.listening(Transport::Udp);
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..200 {
        phone.send_to(b"flood", at[0]).await.unwrap();
    }
    phone.send_to(b"trunk", at[1]).await.unwrap();
    // Until the runtime knows of both.
    tokio::time::sleep(Duration::from_millis(100)).await;
    gateway.transports.receive();
    let both: Vec<Bytes> = (0..2)
        .map(|_| match gateway.transports.take() {
            Some(Arrival::Message { bytes, .. }) => bytes,
            _ => panic!("no message"),
        })
        .collect();
    assert!(both.iter().any(|bytes| bytes == "trunk"), "{both:?}");
}

/// RFC 3261 §18.4: the port of a host that is up, where nobody listens.
#[tokio::test]
async fn a_datagram_that_nobody_takes_comes_back() {
    for any in ["0.0.0.0:0", "127.0.0.1:0"] {
        let mut desk = Desk::new();
        desk.settings.sip.udp = vec![any.parse().unwrap()];
        let mut gateway = desk.open().await;
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let flow = Flow { transport: Transport::Udp, local: gateway.at(Transport::Udp), remote: free };
        let text = options("x;branch=z9hG4bKa").replace("SIP/2.0/TLS", "SIP/2.0/UDP");
        assert!(gateway.send(flow, &text));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(gateway.send(flow, &text), "what is told of the first is not of the second");
        match gateway.transports.take() {
            Some(Arrival::Returned { beginning }) => assert!(text.as_bytes().starts_with(&beginning)),
            _ => panic!("nothing came back"),
        }
    }
}

/// RFC 3261 §18.2.2: an answer whose connection is gone goes to where the peer listens; a request that knows another way
/// says so at once.
#[tokio::test]
async fn what_a_closed_connection_would_have_carried_goes_elsewhere() {
    let desk = Desk::new();
    let mut gateway = desk.open().await;
    let mut phone = TcpStream::connect(gateway.at(Transport::Tcp)).await.unwrap();
    phone.write_all(options("x").as_bytes()).await.unwrap();
    let (flow, _) = gateway.message().await;
    drop(phone);
    gateway.closed().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let kind = Kind::Answer { listens: listener.local_addr().unwrap() };
    assert!(gateway.transports.send(Transmit { flow, bytes: Bytes::from_static(b"SIP/2.0 200"), kind }));
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(read(&mut stream).await, "SIP/2.0 200");
    let kind = Kind::IfOpen(ClientId::default());
    assert!(!gateway.transports.send(Transmit { flow, bytes: Bytes::from_static(b"BYE"), kind }));
}

/// A burst is no reason to give a connection up, and one that ends tells which requests went by it.
#[tokio::test]
async fn a_burst_goes_out_whole_and_what_was_lost_is_told() {
    let desk = Desk::new();
    let mut gateway = desk.open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local: gateway.at(Transport::Tcp), remote };
    let id = ClientId::default();
    for _ in 0..5_000 {
        let bytes = Bytes::from_static(&[b'x'; 100]);
        assert!(gateway.transports.send(Transmit { flow, bytes, kind: Kind::Request(id) }));
    }
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut all = vec![0; 500_000];
    stream.read_exact(&mut all).await.unwrap();
    drop(stream);
    let Arrival::Closed { flow: closed, line } = gateway.next().await else { panic!("it is open") };
    assert_eq!(closed, flow);
    let (requests, was_open) = line.take_requests();
    assert_eq!((requests.len(), was_open, line.take_requests().0.len()), (5_000, true, 0));
}

/// What goes by a new connection isn't lost with the one before it.
#[tokio::test]
async fn the_end_of_a_connection_says_nothing_of_the_next() {
    let desk = Desk::new();
    let mut gateway = desk.open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local: gateway.at(Transport::Tcp), remote };
    assert!(gateway.send(flow, "one"));
    drop(listener.accept().await.unwrap());
    let Some(Arrival::Closed { line: first, .. }) = gateway.arrivals.recv().await else { panic!("it is open") };
    let kind = Kind::Request(ClientId::default());
    assert!(gateway.transports.send(Transmit { flow, bytes: Bytes::from_static(b"two"), kind }));
    assert!(!gateway.transports.closed(flow, &first), "there is another by now");
    assert_eq!(first.take_requests().0.len(), 0);
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(read(&mut stream).await, "two");
}
