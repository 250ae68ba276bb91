//! The settings of a gateway. Everything here was checked: a value that exists is legal.
//!
//! The defaults are in `impl Default` of each part, at the end of this file, each with its reason; those of a trunk stand
//! as constants beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
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
    /// How often trunks are asked with OPTIONS whether they are there; zero for never.
    pub options_interval: Duration,
    /// How often both sides of a call in progress are asked the same; zero for never.
    pub dialog_interval: Duration,
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
    /// Contacts of all accounts together.
    pub registrations: usize,
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

impl Trunk {
    /// An hour, as RFC 3261 §10.2 suggests: a provider that wants us more often says so with 423 or in its answer.
    pub const EXPIRES: Duration = Duration::from_secs(3_600);
    /// What every telephone and carrier takes.
    pub const PTIME_MS: u32 = 20;
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

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            dialplan: None,
            data: PathBuf::from("data"),
            sip: Sip::default(),
            http: Http::default(),
            media: Media::default(),
            store: Store::under(Path::new("data")),
            limits: Limits::default(),
            // Long enough for most calls in progress; a supervisor's own limit is set above it.
            drain_timeout: Duration::from_secs(300),
            users: Vec::new(),
            trunks: Vec::new(),
        }
    }
}

impl Default for Sip {
    fn default() -> Sip {
        let port = 5060;
        // The IPv6 sockets take IPv6 only, so that both families have a socket of their own on every system.
        let everywhere =
            vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))];
        Sip {
            // A realm has to be something. Phones may register with any of our addresses in its place.
            domain: "tandem.local".to_owned(),
            udp: everywhere.clone(),
            tcp: everywhere,
            // More often than each minute is a phone in trouble, and costs as much as a call.
            registration_min: Duration::from_secs(60),
            // A contact that is gone rings into nothing until it expires.
            registration_max: Duration::from_secs(3_600),
            registration_default: Duration::from_secs(600),
            t1: Duration::from_millis(500),
            // Three minutes, after which Timer C of RFC 3261 §16.6 lets a proxy give up too.
            ring_timeout: Duration::from_secs(180),
            // Four retransmissions at the default T1; the caller is still waiting.
            trunk_timeout: Duration::from_secs(5),
            // A dead trunk is known before many callers meet it, and the binding of a NAT stays open.
            options_interval: Duration::from_secs(30),
            // A call whose peers vanished without media to tell is found out before it costs much.
            dialog_interval: Duration::from_secs(300),
            // Longer than any exchange, and short enough that an overheard answer is soon worth nothing.
            nonce_lifetime: Duration::from_secs(300),
            country: None,
        }
    }
}

impl Default for Http {
    fn default() -> Http {
        // Whoever may speak to it may do everything, so that it stays on this machine unless told otherwise.
        Http { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)) }
    }
}

impl Default for Media {
    fn default() -> Media {
        Media {
            // Below the ports that systems hand out by themselves (32768 and up on Linux).
            ports: (20_000, 29_999),
            public_address: None,
            // One thread relays thousands of calls; more are asked for where transcoding needs them.
            workers: 1,
            // Phones that suppress silence still send something within seconds; a minute of nothing is a dead peer.
            silence_timeout: Duration::from_secs(60),
            // A side on hold may rightly send nothing at all.
            hold_timeout: Duration::from_secs(1_800),
            // The best sound first; then wideband that costs little; then what everyone has; last what fills the line.
            codecs: vec![
                Codec::Opus,
                Codec::G722,
                Codec::Pcma,
                Codec::Pcmu,
                Codec::L16 { rate: 16_000 },
                Codec::L16 { rate: 8_000 },
            ],
            prompts: PathBuf::from("data/prompts"),
        }
    }
}

impl Store {
    /// The embedded store in the folder that has all state.
    pub fn under(data: &Path) -> Store {
        Store { url: format!("sqlite:{}", data.join("tandem.db").display()) }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // What the default port range carries: each call has two legs, each leg a port for RTP and one for RTCP.
            calls: 2_500,
            // Each call in progress has two while it is set up; the rest are registrations and probes.
            transactions: 20_000,
            // A desk phone, a mobile, a softphone and what was left behind by a crash.
            contacts: 10,
            // About a kilobyte each.
            registrations: 100_000,
            // Half of what file descriptors usually allow, the other half being media.
            tcp_connections: 10_000,
            // An office behind one address.
            tcp_connections_per_address: 200,
            // The largest datagram, and ten times any usual message.
            message_bytes: 65_536,
        }
    }
}
