//! Connections that the HTTP server accepts for us: SIP over WebSocket (RFC 7118).

use super::Arrival;
use super::census::Place;
use super::connections::Shared;
use super::line::Line;
use crate::sip::flow::Flow;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// The way in.
#[derive(Clone)]
pub struct Guests {
    shared: Arc<Shared>,
    arrivals: mpsc::Sender<Arrival>,
}

/// A connection, until this is dropped.
pub struct Guest {
    flow: Flow,
    line: Line,
    arrivals: mpsc::Sender<Arrival>,
    _place: Place,
}

impl Guests {
    pub(super) fn new(shared: Arc<Shared>, arrivals: mpsc::Sender<Arrival>) -> Guests {
        Guests { shared, arrivals }
    }

    /// A place among the connections; none where there are too many, in all or from that address.
    pub fn place(&self, flow: Flow) -> Option<Place> {
        self.shared.census.enter(flow.remote.ip(), false)
    }

    /// Takes a connection in; none while the gateway ends.
    pub async fn welcome(&self, flow: Flow, place: Place) -> Option<Guest> {
        let line = Line::new(&self.shared.waiting);
        self.arrivals.send(Arrival::Connected { flow, line: line.clone(), is_proven: false }).await.ok()?;
        Some(Guest { flow, line, arrivals: self.arrivals.clone(), _place: place })
    }

    pub fn message_bytes(&self) -> usize {
        let framing = self.shared.terms.framing;
        framing.head_bytes + framing.body_bytes
    }

    pub fn idle(&self) -> Duration {
        self.shared.terms.idle
    }

    pub fn message_time(&self) -> Duration {
        self.shared.terms.message_time
    }
}

impl Guest {
    /// What is to be sent; none when the connection is to be closed.
    pub async fn next(&self) -> Option<Bytes> {
        self.line.next().await
    }

    /// Hands a whole message in; false while the gateway ends.
    pub async fn hand_in(&self, bytes: Bytes) -> bool {
        self.arrivals.send(Arrival::Message { flow: self.flow, bytes }).await.is_ok()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.line.close();
        let closed = Arrival::Closed { flow: self.flow, line: self.line.clone() };
        if let Err(TrySendError::Full(closed)) = self.arrivals.try_send(closed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let arrivals = self.arrivals.clone();
            runtime.spawn(async move { arrivals.send(closed).await });
        }
    }
}
