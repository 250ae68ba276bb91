//! One side of a call: its SIP session or its local end, and its media.

use crate::call::exchange::LegKey;
use crate::call::media::stream::{Bond, Opposite};
use crate::call::media::{Media, SDP};
use crate::call::party::brought::Brought;
use crate::call::set_up::dial::Destination;
use crate::call::transfer::moving::Arrival;
use crate::media::command::Clip;
use crate::sip::agent::SessionId;
use crate::sip::flow::Flow;
use crate::wire::description::{Description, Direction};
use crate::wire::sdp;
use crate::wire::sip::{Message, Name};
use std::sync::Arc;

pub struct Leg {
    pub key: LegKey,
    pub end: End,
    pub stage: Stage,
    /// The trunk whose limit this leg counts against.
    pub trunk: Option<String>,
    pub media: Option<Media>,
    /// Where it goes, until its INVITE is out.
    pub dialling: Option<Box<Destination>>,
    /// The same with the addresses that are left, until it is answered.
    pub again: Option<Box<Destination>>,
    /// Where it comes from, until it is here.
    pub arrival: Option<Box<Arrival>>,
    /// We placed it: its Call-ID is ours.
    pub is_placed: bool,
    pub brought: Brought,
}

/// What is at the far end of a leg.
pub enum End {
    /// A SIP peer; the session is there once the INVITE went out or came in.
    Sip { flow: Flow, session: Option<SessionId> },
    /// The caller's own sound.
    Echo,
    /// A conference room.
    Room,
    /// A sound file, there once it is loaded.
    Clip { clip: Option<Arc<Clip>>, repeat: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A port or a file is awaited.
    Preparing,
    /// Called, or calling: no final answer yet.
    Trying,
    Talking,
    Gone,
}

impl Leg {
    pub fn new(key: LegKey, end: End, stage: Stage) -> Leg {
        Leg {
            key,
            end,
            stage,
            trunk: None,
            media: None,
            dialling: None,
            again: None,
            arrival: None,
            is_placed: false,
            brought: Brought::default(),
        }
    }

    pub fn session(&self) -> Option<SessionId> {
        match self.end {
            End::Sip { session, .. } => session,
            _ => None,
        }
    }

    pub fn flow(&self) -> Option<Flow> {
        match self.end {
            End::Sip { flow, .. } => Some(flow),
            _ => None,
        }
    }

    pub fn is_live(&self) -> bool {
        self.stage != Stage::Gone
    }

    /// What the other leg may expect to send and hear here. Whoever hears a clip is let speak, though nobody listens: a
    /// phone behind a NAT that sends nothing can't be sent anything.
    pub fn opposites(&self) -> Vec<Opposite> {
        if let Some(media) = &self.media {
            return media.opposites();
        }
        // A clip wants to hear as well: only what a phone sends shows where it is behind a NAT, and some decode nothing of
        // what is one-way.
        vec![Opposite { bond: Bond::SOUND, wish: Direction::SendRecv, line: None, format: None }]
    }

    /// Whether it waits for its port, in order to be called.
    pub fn awaits_port(&self) -> bool {
        self.stage == Stage::Preparing && self.dialling.is_some()
    }

    /// Whether the worker still owes a final report.
    pub fn owes_report(&self) -> bool {
        self.media.as_ref().is_some_and(|media| media.ports().next().is_some())
    }
}

/// What a message says of media.
pub enum Said {
    Nothing,
    Media(Description),
    /// A body that isn't SDP.
    Unreadable(String),
    Foreign(String),
}

pub fn description_of(message: &Message) -> Said {
    let body = message.body();
    if body.is_empty() {
        return Said::Nothing;
    }
    // Nothing is unpacked here, so that nothing grows.
    if message.is_encoded() {
        return Said::Foreign(message.header(Name::ContentEncoding).unwrap_or_default().to_owned());
    }
    let content_type = message.content_type().unwrap_or(SDP);
    let main = content_type.split(';').next().unwrap_or_default().trim();
    if !main.eq_ignore_ascii_case(SDP) {
        return Said::Foreign(main.to_owned());
    }
    match sdp::parse(&body) {
        Ok(description) => Said::Media(description),
        Err(error) => Said::Unreadable(error.to_string()),
    }
}
