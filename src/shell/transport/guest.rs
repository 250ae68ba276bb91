//! Connections that the HTTP server accepts for us: SIP over WebSocket (RFC 7118).

use super::Arrival;
use super::census::Place;
use super::connections::{Shared, WAITING_MESSAGES};
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
    waiting: mpsc::Receiver<Bytes>,
    arrivals: mpsc::Sender<Arrival>,
    _place: Place,
}

impl Guests {
    pub(super) fn new(shared: Arc<Shared>, arrivals: mpsc::Sender<Arrival>) -> Guests {
        Guests { shared, arrivals }
    }

    /// A place among the connections; none where there are too many, in all or from that address.
    pub fn place(&self, flow: Flow) -> Option<Place> {
        self.shared.census.enter(flow.remote.ip())
    }

    /// Takes a connection in; none while the gateway ends.
    pub async fn welcome(&self, flow: Flow, place: Place) -> Option<Guest> {
        let (sender, waiting) = mpsc::channel(WAITING_MESSAGES);
        self.arrivals.send(Arrival::Connected { flow, sender, is_proven: false }).await.ok()?;
        Some(Guest { flow, waiting, arrivals: self.arrivals.clone(), _place: place })
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
    pub async fn next(&mut self) -> Option<Bytes> {
        self.waiting.recv().await.filter(|bytes| !bytes.is_empty())
    }

    /// Hands a whole message in; false while the gateway ends.
    pub async fn hand_in(&self, bytes: Bytes) -> bool {
        self.arrivals.send(Arrival::Message { flow: self.flow, bytes }).await.is_ok()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Closed before the loop looks, so that it forgets the connection.
        self.waiting.close();
        if let Err(TrySendError::Full(closed)) = self.arrivals.try_send(Arrival::Closed { flow: self.flow })
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let arrivals = self.arrivals.clone();
            runtime.spawn(async move { arrivals.send(closed).await });
        }
    }
}
