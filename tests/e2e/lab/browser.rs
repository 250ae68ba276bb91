//! A browser's telephone: SIP over WebSocket or its secure kind, with a Contact that leads nowhere (RFC 7118 §5).

use super::gateway::{DOMAIN, Gateway};
use super::wait::seconds;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tandem::base::chance::Chance;
use tandem::sip::digest::{ClientCredentials, Responder};
use tandem::wire::sip::{Message, Method, Writer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message as Frame;
use tokio_tungstenite::{WebSocketStream, client_async};

pub trait Stream: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

pub struct Browser {
    runtime: Runtime,
    socket: WebSocketStream<Pin<Box<dyn Stream>>>,
    via: &'static str,
    user: String,
}

impl Browser {
    /// Opens a socket as a page of the gateway's own does. `roots` is a PEM file; none for a socket without TLS.
    #[track_caller]
    pub fn open(gateway: &Gateway, user: &str, roots: Option<&Path>) -> Browser {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let host = gateway.net.gateway();
        let socket = runtime.block_on(async {
            let (scheme, port) = if roots.is_some() { ("wss", 8443) } else { ("ws", 8080) };
            let stream = TcpStream::connect((host, port)).await.expect("the gateway listens");
            let stream: Pin<Box<dyn Stream>> = match roots {
                None => Box::pin(stream),
                Some(roots) => {
                    let name = ServerName::try_from(host.to_string()).expect("an address is a name");
                    let connector = tokio_rustls::TlsConnector::from(Arc::new(believing(roots)));
                    Box::pin(connector.connect(name, stream).await.expect("the gateway's certificate is right"))
                }
            };
            let mut request = format!("{scheme}://{host}:{port}/sip").into_client_request().expect("a URL");
            let headers = request.headers_mut();
            headers.insert("Sec-WebSocket-Protocol", "sip".parse().expect("a value"));
            headers.insert("Origin", format!("https://{host}").parse().expect("a value"));
            client_async(request, stream).await.expect("the gateway speaks SIP here").0
        });
        let via = if roots.is_some() { "WSS" } else { "WS" };
        Browser { runtime, socket, via, user: user.to_owned() }
    }

    pub fn send(&mut self, message: &[u8]) {
        let text = String::from_utf8_lossy(message).into_owned();
        self.runtime.block_on(self.socket.send(Frame::text(text))).expect("the socket is open");
    }

    #[track_caller]
    pub fn receive(&mut self) -> Message {
        let next = async {
            loop {
                match tokio::time::timeout(seconds(10), self.socket.next()).await {
                    Ok(Some(Ok(Frame::Text(text)))) => return text,
                    Ok(Some(Ok(Frame::Ping(_) | Frame::Pong(_)))) => {}
                    other => panic!("no message came: {other:?}"),
                }
            }
        };
        let text = self.runtime.block_on(next);
        Message::parse(bytes::Bytes::copy_from_slice(text.as_bytes())).expect("the gateway writes what can be read")
    }

    /// Registers, and checks that the gateway took it.
    #[track_caller]
    pub fn register(&mut self, password: &str) {
        let credentials = ClientCredentials { username: self.user.clone(), password: password.to_owned(), realm: None };
        let mut responder = Responder::new(credentials);
        let mut chance = Chance::from_number(1);
        for attempt in 1..=2 {
            let uri = format!("sip:{DOMAIN}");
            let mut writer = Writer::request(&Method::Register, &uri);
            writer.header_named("Via", format!("SIP/2.0/{} x7f3.invalid;branch=z9hG4bKr{attempt}", self.via));
            writer.header_named("Max-Forwards", "70");
            writer.header_named("From", format!("<sip:{}@{DOMAIN}>;tag=r", self.user));
            writer.header_named("To", format!("<sip:{}@{DOMAIN}>", self.user));
            writer.header_named("Call-ID", "browser-registration");
            writer.header_named("CSeq", format!("{attempt} REGISTER"));
            writer.header_named("Contact", format!("<sip:{}@x7f3.invalid;transport=ws>;expires=600", self.user));
            for (name, value) in responder.headers("REGISTER", &uri, b"", &mut chance).unwrap_or_default() {
                writer.header(name, value);
            }
            self.send(&writer.finish());
            let answer = self.receive();
            match answer.status() {
                401 if attempt == 1 => drop(responder.challenged(&answer).expect("the challenge can be answered")),
                200 => return,
                status => panic!("REGISTER was answered {status}"),
            }
        }
    }

    pub fn answer(&mut self, request: &Message, status: u16) {
        let bytes = Writer::reply_to(request, status, "", Some("browser")).finish();
        self.send(&bytes);
    }
}

fn believing(roots: &Path) -> rustls::ClientConfig {
    let mut store = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(roots).expect("the file is there") {
        store.add(certificate.expect("a certificate")).expect("it can be a root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().expect("TLS is there");
    builder.with_root_certificates(store).with_no_client_auth()
}
