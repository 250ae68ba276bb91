//! The media workers as the switch knows them: ports that open, take orders and close.

use crate::line::{rest, span};
use std::net::SocketAddr;
use tandem::media::command::{Coding, Command, Event, Expects, PortId, PortSettings, Protocol, Report, Source, Tones};

const FIRST: u16 = 20_000;

#[derive(Default)]
pub struct Ports {
    ports: Vec<Port>,
    /// So many of the next ports can't be opened.
    pub failing: usize,
    /// Workers that say nothing any more.
    pub mute: bool,
}

pub struct Port {
    id: PortId,
    pub number: u16,
    settings: Option<PortSettings>,
    source: Source,
    /// The digits that it was told to send.
    dialled: String,
    pub closed: bool,
}

impl Ports {
    /// Obeys; what the worker says of it is given back.
    pub fn obey(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Open { port, .. } if self.failing > 0 => {
                self.failing -= 1;
                Some(Event::OpenFailed { port, why: "none is free".to_owned() })
            }
            Command::Open { port, .. } => {
                let number = FIRST + 2 * self.ports.len() as u16;
                self.ports.push(Port {
                    id: port,
                    number,
                    settings: None,
                    source: Source::Nothing,
                    dialled: String::new(),
                    closed: false,
                });
                (!self.mute).then_some(Event::Opened { port, number })
            }
            Command::Configure { port, settings } => {
                self.find(port).settings = Some(*settings);
                None
            }
            Command::Connect { port, source } => {
                self.find(port).source = source;
                None
            }
            Command::Close { port } => {
                let found = self.find(port);
                assert!(!found.closed, "{port:?} is closed twice");
                found.closed = true;
                (!self.mute).then_some(Event::Closed { port, report: Report::default() })
            }
            Command::Dial { port, digits, .. } => {
                self.find(port).dialled.push_str(&digits);
                None
            }
            Command::Tap { .. } | Command::TapRoom { .. } => None,
        }
    }

    pub fn all_closed(&self) -> bool {
        self.ports.iter().all(|port| port.closed)
    }

    pub fn numbered(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }

    fn find(&mut self, id: PortId) -> &mut Port {
        let found = self.ports.iter_mut().find(|port| port.id == id);
        found.unwrap_or_else(|| panic!("an order about {id:?}, which was never opened"))
    }
}

impl Port {
    pub fn id(&self) -> PortId {
        self.id
    }

    /// What is wrong with a port by one item of a ladder. `address` is where a named peer has its sound, `port` its
    /// port here.
    pub fn objection(
        &self,
        item: &str,
        address: impl Fn(&str) -> Option<SocketAddr>,
        port: impl Fn(&str) -> Option<PortId>,
    ) -> Option<String> {
        if item == "closed" {
            return (!self.closed).then(|| "is open".to_owned());
        }
        if let Some(digits) = rest(item, "dialled") {
            let wanted = if digits == "nothing" { "" } else { digits };
            return (self.dialled != wanted).then(|| format!("it dialled {:?}", self.dialled));
        }
        if self.closed {
            return Some("is closed".to_owned());
        }
        if let Some(from) = rest(item, "from") {
            let is = match (&self.source, from) {
                (Source::Nothing, "nothing") | (Source::Echo, "echo") => true,
                (Source::Room(seat), "room") => !seat.muted,
                (Source::Room(seat), "muted room") => seat.muted,
                (Source::Play { repeat: false, .. }, "clip") | (Source::Play { repeat: true, .. }, "loop") => true,
                (Source::Peer(peer), name) => port(name) == Some(*peer),
                _ => false,
            };
            return (!is).then(|| format!("its source is {:?}", self.source));
        }
        let Some(settings) = &self.settings else {
            return (item != "unconfigured").then(|| "was never configured".to_owned());
        };
        let is = if let Some(to) = rest(item, "to") {
            to.parse().ok().or_else(|| address(to)) == settings.remote && settings.remote.is_some()
        } else if let Some(codec) = rest(item, "send") {
            let sends = settings.send.as_ref().map(|sending| match sending.coding {
                Coding::Sound(codec) => format!("{}/{}", codec.name(), sending.payload_type),
                Coding::Sealed { clock_rate } => format!("sealed/{clock_rate}"),
            });
            sends.as_deref().unwrap_or("nothing").eq_ignore_ascii_case(codec)
        } else if let Some(codecs) = rest(item, "receive") {
            let takes: Vec<String> = settings
                .receive
                .iter()
                .map(|receiving| format!("{}/{}", receiving.codec.name(), receiving.payload_type))
                .collect();
            let takes = if takes.is_empty() { "nothing".to_owned() } else { takes.join(" ") };
            takes.eq_ignore_ascii_case(codecs)
        } else if let Some(tones) = rest(item, "tones") {
            let is = match settings.tones {
                Tones { send: false, hear: false } => "none",
                Tones { send: true, hear: false } => "sent",
                Tones { send: false, hear: true } => "heard",
                Tones { send: true, hear: true } => "both",
            };
            tones == is
        } else if let Some(noise) = rest(item, "noise") {
            let both = [settings.noise.receive, settings.noise.send];
            let text = both.map(|payload_type| payload_type.map_or("none".to_owned(), |number| number.to_string()));
            text == [noise, noise]
        } else if item == "fax" {
            settings.protocol == Protocol::Udptl
        } else if let Some(sealed) = rest(item, "pass") {
            let passes: Vec<String> =
                settings.sealed.iter().map(|sealed| format!("{}>{}", sealed.payload_type, sealed.onward)).collect();
            let passes = if passes.is_empty() { "nothing".to_owned() } else { passes.join(" ") };
            passes == sealed
        } else if let Some(ptime) = rest(item, "ptime") {
            settings.send.as_ref().is_some_and(|sending| sending.ptime_ms.to_string() == ptime)
        } else if let Some(event) = rest(item, "events") {
            let events = settings.send.as_ref().and_then(|sending| sending.events);
            events.map(|events| format!("{}/{}", events.payload_type, events.clock_rate)).as_deref().unwrap_or("none")
                == event
        } else if item == "clear" || item == "protected" {
            settings.protection.is_some() == (item == "protected")
        } else if let Some(expects) = rest(item, "expects") {
            let is = match settings.expects {
                Expects::Nothing => "nothing",
                Expects::Sound => "sound",
                Expects::SoundWithPauses => "pauses",
            };
            is == expects
        } else if let Some(limit) = rest(item, "silence") {
            settings.silence_limit == (limit != "never").then(|| span(limit))
        } else {
            panic!("`{item}` of a port")
        };
        (!is).then(|| format!("{settings:?}"))
    }
}
