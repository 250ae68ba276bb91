//! A line beside the sound: pictures or text, which the gateway relays between two that both have them.

use crate::sound::{Ear, Mouth, Tag};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tandem::base::time::Time;
use tandem::wire::description::{Format, Kind, Media};
use tandem::wire::rtp::Packet;

#[derive(Clone, Debug)]
pub struct Extra {
    pub kind: Kind,
    address: SocketAddr,
    /// As the gateway sees it.
    pub public: SocketAddr,
    /// Whether this phone wants it, as its next offer says.
    pub is_wanted: bool,
    /// Whether both this phone and the gateway have it open.
    pub is_open: bool,
    /// What this phone has offered, and has no answer to.
    asked: Option<bool>,
    /// Where the gateway wants it, and by which payload type.
    gateway: Option<(SocketAddr, u8)>,
    mouth: Mouth,
    pub ear: Ear,
}

impl Extra {
    pub fn new(kind: Kind, (address, public): (SocketAddr, SocketAddr)) -> Extra {
        let mouth = Mouth::new(u32::from(address.port()) << 16 | 0x7777);
        Extra {
            kind,
            address,
            public,
            is_wanted: false,
            is_open: false,
            asked: None,
            gateway: None,
            mouth,
            ear: Ear::default(),
        }
    }

    /// How this phone's offer has it.
    pub fn offer(&mut self) -> Media {
        self.asked = Some(self.is_wanted);
        self.line(self.is_wanted)
    }

    /// The offer was refused, and all is as before.
    pub fn withdraw(&mut self) {
        self.asked = None;
        self.is_wanted = self.is_open;
    }

    /// The gateway's answer.
    pub fn answered(&mut self, line: &Media) -> Result<(), String> {
        let asked = self.asked.take().unwrap_or(self.is_open);
        if line.kind != self.kind {
            return Err(format!("{:?} answers {:?}", line.kind, self.kind));
        }
        if !asked && !line.is_refused() {
            return Err(format!("{:?} was refused, and the answer has it", self.kind));
        }
        self.settle(line, asked)
    }

    /// The gateway's offer, and this phone's answer.
    pub fn take(&mut self, line: &Media, is_taken: bool) -> Result<Media, String> {
        if line.kind != self.kind && self.is_open {
            return Err(format!("{:?} in the place of {:?}", line.kind, self.kind));
        }
        self.kind = line.kind.clone();
        let known = format(&self.kind);
        let is_known = line.formats.iter().any(|format| format.encoding == known.encoding);
        self.settle(line, is_taken && is_known)?;
        Ok(self.line(self.is_open))
    }

    fn line(&self, is_open: bool) -> Media {
        let address = match is_open {
            true => self.address,
            false => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        };
        Media { formats: vec![format(&self.kind)], ..Media::new(self.kind.clone(), "RTP/AVP", address) }
    }

    /// Takes the gateway's word about the line: in its answer, or in an offer that this phone takes.
    fn settle(&mut self, line: &Media, is_taken: bool) -> Result<(), String> {
        let known = format(&self.kind);
        let format = line.formats.iter().find(|format| format.encoding == known.encoding);
        self.is_open = is_taken && !line.is_refused();
        self.is_wanted = self.is_open;
        if !self.is_open {
            return Ok(());
        }
        let format = format.ok_or_else(|| format!("{:?} without {}", self.kind, known.encoding))?;
        if line.address.port() % 2 == 1 {
            return Err(format!("an odd port for {:?}: {}", self.kind, line.address));
        }
        self.gateway = Some((line.address, format.payload_type));
        Ok(())
    }

    /// The next packet, and where it goes.
    pub fn say(&mut self, now: Time, tag: Tag) -> Option<(SocketAddr, Vec<u8>)> {
        let (to, payload_type) = self.gateway.filter(|_| self.is_open)?;
        Some((to, self.mouth.show(now, format(&self.kind).clock_rate, payload_type, tag)))
    }

    /// What came from a port of the gateway's.
    pub fn listen(&mut self, now: Time, number: u16, packet: &Packet<'_>) -> Result<(), String> {
        match self.gateway {
            Some((gateway, _)) if gateway.port() == number => {
                self.ear.see(now, packet);
                Ok(())
            }
            gateway => Err(format!("{:?} comes from port {number} and not from {gateway:?}", self.kind)),
        }
    }

    /// Where the gateway has it.
    pub fn port(&self) -> Option<u16> {
        self.gateway.map(|(address, _)| address.port())
    }

    pub fn is_hidden(&self) -> bool {
        self.address != self.public
    }
}

fn format(kind: &Kind) -> Format {
    let (payload_type, encoding, clock_rate) = match kind {
        Kind::Video => (97, "H264", 90_000),
        _ => (98, "t140", 1_000),
    };
    Format { payload_type, encoding: encoding.to_owned().into(), clock_rate, channels: 1, fmtp: None }
}
