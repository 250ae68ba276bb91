//! The settings of a trunk. Its defaults stand as constants, and in [`Trunk::named`].

use super::{Certificate, Network, Srtp};
use crate::config::identity::TrunkIdentity;
use std::path::PathBuf;
use std::time::Duration;
use tandem_codecs::Codec;

#[derive(Clone, Debug, PartialEq)]
pub struct Trunk {
    pub name: String,
    /// A name or an address.
    pub host: String,
    /// None for the default of the transport, or what DNS says.
    pub port: Option<u16>,
    /// None for what DNS says, or UDP.
    pub transport: Option<TrunkTransport>,
    /// All that we send to it goes there, with a Route.
    pub outbound_proxy: Option<OutboundProxy>,
    pub tls: TrunkTls,
    pub credentials: Option<TrunkCredentials>,
    pub register: bool,
    /// What we ask for when we register.
    pub expires: Duration,
    /// Our domain towards this trunk; its host where none is given.
    pub domain: Option<String>,
    /// The name by which it knows us: in Contact, and in Via over TLS. None for our address.
    pub contact_host: Option<String>,
    /// In the order of the offer; with `relayed` empty too, all that we have.
    pub codecs: Vec<Codec>,
    /// What is offered where the other side has it, since we only pass it on.
    pub relayed: Vec<Relayed>,
    pub srtp: Srtp,
    /// Milliseconds in a packet that we ask for and, unless asked otherwise, send.
    pub ptime_ms: u32,
    pub country: Option<String>,
    /// None for no limit.
    pub max_calls: Option<usize>,
    /// How digits are sent to it.
    pub dtmf: Dtmf,
    /// Who carries out a transfer that the other side of a call over it asks for.
    pub transfer: Transfer,
    /// Other addresses or networks from which this trunk calls us.
    pub from: Vec<Network>,
    /// Whether our REGISTER says that proxies may add themselves to the way back (RFC 3327).
    pub path: bool,
    /// What a 3xx of this trunk leads to.
    pub redirects: Redirects,
    pub identity: TrunkIdentity,
    pub prack: Prack,
    /// None for what holds for everybody.
    pub session_expires: Option<Duration>,
    pub min_se: Option<Duration>,
}

/// A codec that we don't have, in a list of codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Its encoding name (RFC 4855).
    pub name: &'static str,
    /// How many codecs of ours stand before it in the list.
    pub place: usize,
}

/// A proxy that stands before a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundProxy {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: Option<u16>,
}

/// What a 3xx leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Redirects {
    /// The contacts are called, as far as the dialplan lets who redirects call them.
    #[default]
    Follow,
    /// The caller is told the contacts.
    Pass,
    /// The call has failed there.
    Refuse,
}

/// Whether provisional answers are acknowledged by PRACK (RFC 3262).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prack {
    Never,
    /// Where the peer asks for it, and for descriptions of early media where it is able to.
    Supported,
    /// Nothing is said provisionally without, and no call is taken from a peer that can't.
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkTransport {
    Udp,
    Tcp,
    Tls,
}

/// Whom we believe, and who we are, over TLS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrunkTls {
    /// A PEM file with the roots that its certificate leads to; none for those of the system.
    pub ca: Option<PathBuf>,
    /// What we show where it asks; none for the certificate of `[sip]`.
    pub certificate: Option<Certificate>,
    pub client_certificate: ClientCertificate,
}

/// What a trunk that connects to us has to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Nothing.
    #[default]
    No,
    /// What it shows has to be right.
    Asked,
    /// Calls from its addresses are its own only on a connection that showed its certificate.
    Required,
}

/// How a peer is told the digits that are pressed in a call. Telephone-events and INFO requests are taken from everyone;
/// tones are listened for in what a peer says that is told digits so, where the other side of its call is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dtmf {
    /// As telephone-events where they were negotiated, otherwise as tones in the sound, and in INFO requests where the
    /// sound is none that we can make or the peer itself sends such.
    #[default]
    Auto,
    /// As telephone-events, or not at all.
    Rfc4733,
    /// In INFO requests of `application/dtmf-relay`.
    Info,
    /// As tones in the sound; telephone-events aren't negotiated.
    Inband,
}

/// What becomes of a REFER (RFC 3515) whose other side is a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Transfer {
    /// We call the new target, and the trunk never hears of it.
    #[default]
    Ours,
    /// The trunk is asked to.
    Pass,
}

#[derive(Clone, PartialEq)]
pub struct TrunkCredentials {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for TrunkCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrunkCredentials({}, …)", self.username)
    }
}

impl Trunk {
    /// An hour, as RFC 3261 §10.2 suggests: a provider that wants us more often says so with 423 or in its answer.
    pub const EXPIRES: Duration = Duration::from_secs(3_600);
    /// What is lost of early media is heard by the caller; a peer that doesn't know PRACK goes without.
    pub const PRACK: Prack = Prack::Supported;
    /// What every telephone and carrier takes.
    pub const PTIME_MS: u32 = 20;

    /// With the default of everything else.
    pub fn named(name: &str, host: &str) -> Trunk {
        Trunk {
            name: name.to_owned(),
            host: host.to_owned(),
            port: None,
            transport: None,
            outbound_proxy: None,
            tls: TrunkTls::default(),
            credentials: None,
            register: false,
            expires: Trunk::EXPIRES,
            domain: None,
            contact_host: None,
            codecs: Vec::new(),
            relayed: Vec::new(),
            srtp: Srtp::default(),
            ptime_ms: Trunk::PTIME_MS,
            country: None,
            max_calls: None,
            dtmf: Dtmf::default(),
            transfer: Transfer::default(),
            from: Vec::new(),
            path: false,
            redirects: Redirects::Follow,
            identity: TrunkIdentity::default(),
            prack: Trunk::PRACK,
            session_expires: None,
            min_se: None,
        }
    }

    /// Whether its codecs are listed, and no others are to be spoken.
    pub fn lists_codecs(&self) -> bool {
        !self.codecs.is_empty() || !self.relayed.is_empty()
    }
}
