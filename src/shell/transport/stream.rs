//! One connection: messages out of its bytes and back, keep-alives (RFC 5626 §4.4.1), and patience with an end.

use super::Arrival;
use super::line::Line;
use crate::shell::clock::Clock;
use crate::sip::flow::Flow;
use crate::sip::keep_alive::{Action, KeepAlive};
use crate::wire::sip::{Frame, Framer, Limits, Message};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, split};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";
/// Messages that wait together are written together, up to so many bytes.
const PIECE: usize = 64 << 10;
/// A connection on which nothing ever came is closed after so long; one that was used may rest for longer.
pub const FIRST_MESSAGE_LIMIT: Duration = Duration::from_secs(30);

/// What holds for every connection.
#[derive(Clone)]
pub struct Terms {
    pub framing: Limits,
    /// A message that has begun must end within so long.
    pub message_time: Duration,
    /// Nothing needs to come for so long.
    pub idle: Duration,
    pub clock: Clock,
}

/// Reads and writes until either side has had enough.
pub async fn converse<S: AsyncRead + AsyncWrite>(
    stream: S,
    flow: Flow,
    line: &Line,
    terms: &Terms,
    keep_alive: Option<KeepAlive>,
    is_proven: bool,
    arrivals: &mpsc::Sender<Arrival>,
) {
    line.opened();
    let (reader, mut writer) = split(stream);
    let writing = async {
        while let Some(messages) = line.all().await {
            if !send(&mut writer, messages, terms.message_time).await {
                break;
            }
        }
        // Lets a TLS peer know that nothing was cut off.
        let _ = timeout(terms.message_time, writer.shutdown()).await;
    };
    let reading = Reader { flow, line, terms, arrivals, watches_alias: is_proven }.read(reader, keep_alive);
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
    line.close();
    let _ = arrivals.send(Arrival::Closed { flow, line: line.clone() }).await;
}

/// Writes messages in as few pieces as they go into. Each piece has to be taken within `patience`.
async fn send(writer: &mut (impl AsyncWrite + Unpin), messages: VecDeque<Bytes>, patience: Duration) -> bool {
    let mut messages = messages.into_iter().peekable();
    let mut piece = BytesMut::new();
    while let Some(message) = messages.next() {
        piece.extend_from_slice(&message);
        if messages.peek().is_some_and(|next| piece.len() + next.len() <= PIECE) {
            continue;
        }
        let all = async {
            writer.write_all(&piece).await?;
            writer.flush().await
        };
        if !matches!(timeout(patience, all).await, Ok(Ok(()))) {
            return false;
        }
        piece.clear();
    }
    true
}

struct Reader<'a> {
    flow: Flow,
    line: &'a Line,
    terms: &'a Terms,
    arrivals: &'a mpsc::Sender<Arrival>,
    /// Whether the peer may yet ask us to reuse its connection.
    watches_alias: bool,
}

impl Reader<'_> {
    async fn read<S: AsyncRead>(mut self, mut reader: ReadHalf<S>, mut keep_alive: Option<KeepAlive>) {
        let mut framer = Framer::new(self.terms.framing);
        let mut buffer = vec![0; 16_384];
        // Who was called by us owes us nothing.
        let mut is_used = keep_alive.is_some();
        let mut idle_at = self.after(if is_used { self.terms.idle } else { FIRST_MESSAGE_LIMIT });
        // A message that comes byte by byte has one time limit for all of it.
        let mut begun: Option<Instant> = None;
        loop {
            let deadline = begun.unwrap_or(idle_at);
            let ping_at = keep_alive.as_ref().map(|flow| self.terms.clock.instant(flow.poll_timeout()).into());
            let wake_at = ping_at.map_or(deadline, |at: Instant| at.min(deadline));
            let length = match timeout_at(wake_at, reader.read(&mut buffer)).await {
                Ok(Ok(length)) if length > 0 => length,
                Ok(_) => return,
                Err(_) if wake_at == deadline => return,
                Err(_) if self.ask(&mut keep_alive) => continue,
                Err(_) => return,
            };
            framer.push(&buffer[..length]);
            let mut messages = 0;
            while let Some(frame) = framer.next() {
                begun = None;
                messages += 1;
                match frame {
                    Ok(Frame::Message(bytes)) => {
                        is_used = true;
                        if !self.hand_in(bytes).await {
                            return;
                        }
                    }
                    // A double CRLF asks for a single one.
                    Ok(Frame::Ping) => drop(self.line.push(Bytes::from_static(PONG))),
                    Err(_) => return,
                }
            }
            if let Some(flow) = &mut keep_alive {
                flow.heard(self.terms.clock.now().time, messages == 0 && !framer.has_begun());
            }
            // Line ends alone don't make a connection worth keeping.
            if is_used {
                idle_at = self.after(self.terms.idle);
            }
            if framer.has_begun() {
                begun.get_or_insert(self.after(self.terms.message_time));
            }
        }
    }

    /// False where the peer is gone.
    fn ask(&self, keep_alive: &mut Option<KeepAlive>) -> bool {
        let now = self.terms.clock.now().time;
        match keep_alive.as_mut().and_then(|flow| flow.handle_timeout(now)) {
            Some(Action::Ping) => self.line.push(Bytes::from_static(PING)),
            Some(Action::Dead) => false,
            None => true,
        }
    }

    async fn hand_in(&mut self, bytes: Bytes) -> bool {
        if self.watches_alias
            && let Some(address) = alias(&bytes, self.flow)
        {
            self.watches_alias = false;
            if self.arrivals.send(Arrival::Alias { flow: self.flow, address }).await.is_err() {
                return false;
            }
        }
        self.arrivals.send(Arrival::Message { flow: self.flow, bytes }).await.is_ok()
    }

    fn after(&self, span: Duration) -> Instant {
        let now = self.terms.clock.now().time;
        self.terms.clock.instant(now + span).into()
    }
}

/// The address that a peer's Via names, with the wish that requests to there come over its connection (RFC 5923 §5).
fn alias(bytes: &Bytes, flow: Flow) -> Option<SocketAddr> {
    let message = Message::parse(bytes.clone()).ok().filter(Message::is_request)?;
    let via = message.top_via().ok()?;
    via.param("alias")?;
    Some(SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(flow.transport.default_port())))
}
