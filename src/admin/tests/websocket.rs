//! SIP over WebSocket, as a browser and as somebody who means harm.

use super::Fixture;
use crate::config::settings::Settings;
use crate::shell::clock::Clock;
use crate::shell::transport::{Arrival, Transports};
use crate::sip::flow::{Flow, Kind, Transmit, Transport};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

struct Gateway {
    transports: Transports,
    arrivals: mpsc::Receiver<Arrival>,
    http: Fixture,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Gateway {
    async fn start(change: impl FnOnce(&mut Settings)) -> Gateway {
        let mut settings = Settings::default();
        (settings.sip.udp, settings.sip.tcp) = (Vec::new(), Vec::new());
        change(&mut settings);
        let (sender, arrivals) = mpsc::channel(64);
        let transports = Transports::open(&settings, Clock::start(), sender).await.unwrap();
        let http = Fixture::start_with(Some(transports.guests())).await;
        Gateway { transports, arrivals, http }
    }

    /// Opens a socket; the status of the refusal otherwise.
    async fn connect(&self, protocol: Option<&str>, origin: Option<&str>) -> Result<Socket, u16> {
        let mut request = format!("ws://{}/sip", self.http.address).into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
        }
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, answer)) => {
                assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "sip");
                Ok(socket)
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn next(&mut self) -> Arrival {
        tokio::time::timeout(Duration::from_secs(10), self.arrivals.recv()).await.unwrap().unwrap()
    }

    async fn connected(&mut self) -> Flow {
        let Arrival::Connected { flow, line, is_proven } = self.next().await else { panic!("nobody connected") };
        self.transports.connected(flow, line, is_proven);
        flow
    }
}

async fn say(socket: &mut Socket, message: Message) {
    use futures_util::SinkExt;
    socket.send(message).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Option<Message> {
    use futures_util::StreamExt;
    tokio::time::timeout(Duration::from_secs(10), socket.next()).await.unwrap().and_then(Result::ok)
}

#[tokio::test]
async fn a_browser_speaks_and_is_spoken_to() {
    let mut gateway = Gateway::start(|_| {}).await;
    let origin = format!("http://{}", gateway.http.address);
    let mut socket = gateway.connect(Some("sip"), Some(&origin)).await.unwrap();
    let flow = gateway.connected().await;
    assert_eq!((flow.transport, flow.local), (Transport::Ws, gateway.http.address));
    for message in [Message::text("OPTIONS"), Message::binary(Bytes::from_static(b"OPTIONS"))] {
        say(&mut socket, message).await;
        let Arrival::Message { flow: by, bytes } = gateway.next().await else { panic!("no message") };
        assert_eq!((by, &bytes[..]), (flow, &b"OPTIONS"[..]));
    }
    for (bytes, heard) in [(&b"SIP/2.0"[..], Message::text("SIP/2.0")), (b"\xff", Message::binary(&b"\xff"[..]))] {
        assert!(gateway.transports.send(Transmit { flow, bytes: Bytes::from_static(bytes), kind: Kind::Plain }));
        assert_eq!(hear(&mut socket).await, Some(heard));
    }
    say(&mut socket, Message::text("\r\n\r\n")).await;
    assert_eq!(hear(&mut socket).await, Some(Message::text("\r\n")));
    drop(socket);
    let Arrival::Closed { flow: ended, line } = gateway.next().await else { panic!("it is open") };
    assert!(gateway.transports.closed(ended, &line));
    let late = Transmit { flow, bytes: Bytes::from_static(b"x"), kind: Kind::Plain };
    assert_eq!((ended, gateway.transports.send(late)), (flow, false));
}

#[tokio::test]
async fn sockets_that_speak_something_else_or_serve_strangers_are_refused() {
    let gateway = Gateway::start(|_| {}).await;
    assert_eq!(gateway.connect(None, None).await.err(), Some(400));
    assert_eq!(gateway.connect(Some("mqtt"), None).await.err(), Some(400));
    assert_eq!(gateway.connect(Some("sip"), Some("https://evil.example")).await.err(), Some(403));
    assert!(gateway.connect(Some("sip"), None).await.is_ok());
}

#[tokio::test]
async fn there_is_a_limit_on_sockets_and_on_messages() {
    let mut gateway = Gateway::start(|settings| {
        settings.limits.tcp_connections_per_address = 1;
        settings.limits.message_bytes = 4_096;
    })
    .await;
    let mut socket = gateway.connect(Some("sip"), None).await.unwrap();
    let flow = gateway.connected().await;
    assert_eq!(gateway.connect(Some("sip"), None).await.err(), Some(503));
    say(&mut socket, Message::text("x".repeat(200_000))).await;
    let Arrival::Closed { flow: ended, .. } = gateway.next().await else { panic!("it is open") };
    assert_eq!(ended, flow);
}

#[tokio::test]
async fn plain_requests_for_the_path_and_gateways_without_sip_are_answered() {
    let http = Fixture::start().await;
    let address: SocketAddr = http.address;
    let mut request = format!("ws://{address}/sip").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "sip".parse().unwrap());
    let Err(Error::Http(answer)) = connect_async(request).await else { panic!("there is no SIP here") };
    assert_eq!(answer.status().as_u16(), 404);
    assert_eq!(http.get("/sip").await.status, 400);
}
