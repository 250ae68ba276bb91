//! The settings of a gateway, each with its default. Everything here was checked: a value that exists is legal.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tandem_codecs::Codec;

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Files or folders of `*.toml`; none for the built-in sample.
    pub dialplan: Option<PathBuf>,
    /// Where all state is kept.
    pub data: PathBuf,
    pub sip: Sip,
    pub http: Http,
    pub media: Media,
    pub store: Store,
    pub limits: Limits,
    /// How long a drain waits for the calls in progress.
    pub drain_timeout: Duration,
    pub users: Vec<User>,
    pub trunks: Vec<Trunk>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sip {
    /// The realm, and the domain of our users' addresses.
    pub domain: String,
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
    /// What is asked of phones that register, and the bounds of what they may ask for.
    pub registration_min: Duration,
    pub registration_max: Duration,
    pub registration_default: Duration,
    /// T1 of RFC 3261 §17.1.1.1.
    pub t1: Duration,
    /// How long a called side may ring before it is given up.
    pub ring_timeout: Duration,
    /// How long a trunk may stay without any answer before the next one is tried.
    pub trunk_timeout: Duration,
    /// How often trunks and silent dialogs are asked with OPTIONS whether they are there; zero for never.
    pub options_interval: Duration,
    pub nonce_lifetime: Duration,
    /// The country in which local numbers of our users are read (ISO 3166-1 alpha-2), unless the user has one.
    pub country: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    pub listen: SocketAddr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// First and last port, both included. RTP takes the even, RTCP the odd.
    pub ports: (u16, u16),
    pub public_address: Option<IpAddr>,
    /// Worker threads.
    pub workers: usize,
    /// A call whose media falls silent for so long is ended; zero for never.
    pub silence_timeout: Duration,
    /// The same while a side is on hold.
    pub hold_timeout: Duration,
    /// What is offered and in which order, unless a trunk says otherwise.
    pub codecs: Vec<Codec>,
    /// Prompts that the dialplan's `play` names are files under this folder.
    pub prompts: PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// `sqlite:PATH`.
    pub url: String,
}

/// What a stranger could grow, each with a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub calls: usize,
    pub transactions: usize,
    /// Contacts that one account may register.
    pub contacts: usize,
    pub tcp_connections: usize,
    pub tcp_connections_per_address: usize,
    /// Bytes of one SIP message.
    pub message_bytes: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub name: String,
    pub secret: Secret,
    /// E.164 with its plus sign.
    pub number: Option<String>,
    pub country: Option<String>,
    pub display_name: Option<String>,
}

/// A password or what is left of one.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    Password(String),
    /// Hex of MD5(name:realm:password), for MD5 only.
    Ha1(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Trunk {
    pub name: String,
    /// A name or an address.
    pub host: String,
    /// None for the default of the transport, or what DNS says.
    pub port: Option<u16>,
    pub transport: TrunkTransport,
    pub credentials: Option<TrunkCredentials>,
    pub register: bool,
    /// What we ask for when we register.
    pub expires: Duration,
    /// Our domain towards this trunk; its host where none is given.
    pub domain: Option<String>,
    /// In the order of the offer; empty for all that we have.
    pub codecs: Vec<Codec>,
    /// Milliseconds in a packet that we ask for and, unless asked otherwise, send.
    pub ptime_ms: u32,
    pub country: Option<String>,
    /// None for no limit.
    pub max_calls: Option<usize>,
    /// Other addresses or networks from which this trunk calls us.
    pub from: Vec<Network>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkTransport {
    Udp,
    Tcp,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TrunkCredentials {
    pub username: String,
    pub password: String,
}

/// A network in CIDR notation; a single address has all its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    pub bits: u8,
}

impl Network {
    /// Whether `address` is inside. An IPv4 address mapped into IPv6 counts as what it is.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits.min(32))).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits.min(128))).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}
