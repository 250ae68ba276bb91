//! The settings of a gateway. Everything here was checked: a value that exists is legal.
//!
//! The defaults are in `impl Default` of each part, at the end of this file, each with its reason; those of a trunk stand
//! beside it.

mod trunk;

pub use trunk::{
    ClientCertificate, Dtmf, OutboundProxy, Prack, Redirects, Relayed, Transfer, Trunk, TrunkCredentials, TrunkTls,
    TrunkTransport,
};

use crate::config::security::Security;
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
    pub security: Security,
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
    pub tls: Vec<SocketAddr>,
    /// Who we are over TLS; none for a certificate that the gateway makes itself.
    pub certificate: Option<Certificate>,
    /// What is asked of phones that register, and the bounds of what they may ask for.
    pub registration_min: Duration,
    pub registration_max: Duration,
    pub registration_default: Duration,
    /// How often phones that keep flows (RFC 5626) have to be heard over UDP, so that no NAT forgets them.
    pub flow_timer: Duration,
    /// T1 of RFC 3261 §17.1.1.1.
    pub t1: Duration,
    /// How long a called side may ring before it is given up.
    pub ring_timeout: Duration,
    /// How long it rings before the calls of a user who set up a forward for that go elsewhere.
    pub forward_after: Duration,
    /// How long a trunk may stay without any answer before the next one is tried.
    pub trunk_timeout: Duration,
    /// How often trunks are asked with OPTIONS whether they are there; zero for never.
    pub options_interval: Duration,
    /// How long a session lasts unless it is refreshed, where the peer knows session timers (RFC 4028); zero to ask nobody
    /// for one.
    pub session_expires: Duration,
    /// The shortest such time that a peer may ask for.
    pub min_se: Duration,
    /// How often a side of a call in progress that has no session timer is asked with OPTIONS whether it still is there;
    /// zero for never.
    pub dialog_interval: Duration,
    /// Whether the media of users' calls are protected.
    pub srtp: Srtp,
    /// How long a nonce of ours waits to be used first. One that a phone counts serves until it rests for `registration_max`.
    pub nonce_lifetime: Duration,
    /// The DNS servers that are asked; empty for those of the system.
    pub dns: Vec<SocketAddr>,
    /// What Via and Contact say to strangers, where we are behind a 1:1 NAT; none for what `[media]` says.
    pub public_address: Option<IpAddr>,
    /// Where our own addresses are good, so that the public one is not announced there.
    pub local_networks: Vec<Network>,
    /// The bounds of what subscribers may ask for.
    pub subscription_min: Duration,
    pub subscription_max: Duration,
    /// Who may see whether other users are there and talk.
    pub watchers: Watchers,
    /// The country in which local numbers of our users are read (ISO 3166-1 alpha-2), unless the user has one.
    pub country: Option<String>,
    /// Types of INFO bodies that pass from one side of a call to the other, in lower case, beside digits.
    pub pass_info: Vec<String>,
}

/// Who may watch other users. Everyone may watch themself, and who is no user of ours never watches anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watchers {
    Users,
    /// These alone, by their names.
    Named(Vec<String>),
}

impl Watchers {
    pub fn include(&self, user: &str) -> bool {
        match self {
            Watchers::Users => true,
            Watchers::Named(names) => names.iter().any(|name| name == user),
        }
    }
}

/// Whether media are protected by SRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Srtp {
    Never,
    /// Where the other side offers it.
    #[default]
    Accepted,
    /// Offered too, and in clear where the other side doesn't have it (RFC 8643).
    Offered,
    /// Calls in clear are refused.
    Required,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    pub listen: SocketAddr,
    /// The same over TLS, for browsers.
    pub tls: Option<SocketAddr>,
    /// None for that of SIP.
    pub certificate: Option<Certificate>,
    /// Hosts whose pages may speak SIP over WebSocket with us, beside our own.
    pub origins: Vec<String>,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// The certificate, and after it those that lead to a root.
    pub chain: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// First and last port, both included. RTP takes the even, RTCP the odd.
    pub ports: (u16, u16),
    pub public_address: Option<IpAddr>,
    /// Worker threads.
    pub workers: usize,
    pub io: Io,
    /// Whether each worker has a core of its own; none for where there are enough of them.
    pub pin: Option<bool>,
    /// A call whose media falls silent for so long is ended; zero for never.
    pub silence_timeout: Duration,
    /// The same while a side is on hold.
    pub hold_timeout: Duration,
    /// What is offered and in which order, unless a trunk says otherwise.
    pub codecs: Vec<Codec>,
    /// Prompts that the dialplan's `play` names are files under this folder.
    pub prompts: PathBuf,
    /// What whoever is held hears, a file under the same folder; none for silence, or what the holder sends.
    pub hold_music: Option<String>,
    /// How many who talk at once are heard in a conference room.
    pub room_talkers: usize,
}

/// How media workers move packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Io {
    /// By io_uring where the kernel lets us have it, otherwise by epoll.
    #[default]
    Auto,
    IoUring,
    Epoll,
}

impl Io {
    pub const ALL: [Io; 3] = [Io::Auto, Io::IoUring, Io::Epoll];

    pub fn name(self) -> &'static str {
        match self {
            Io::Auto => "auto",
            Io::IoUring => "io_uring",
            Io::Epoll => "epoll",
        }
    }
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
    /// Transfers that one conversation may go through.
    pub transfers: usize,
    /// SIP over TCP, TLS and WebSocket together.
    pub tcp_connections: usize,
    pub tcp_connections_per_address: usize,
    /// Of the 256 that the HTTP server has; SIP over WebSocket counts above once it is spoken.
    pub http_connections_per_address: usize,
    /// A connection on which nothing comes for so long is closed.
    pub connection_idle: Duration,
    /// A connection, its TLS handshake and each of its messages are complete within so long after they began.
    pub message_time: Duration,
    /// Bytes of one SIP message.
    pub message_bytes: usize,
    /// Addresses of one trunk that a call tries.
    pub addresses: usize,
    /// Redirections that a call follows.
    pub redirects: usize,
    /// Media lines that one side of a call may have open; others are refused.
    pub streams: usize,
    /// Conference rooms at once, and members of one.
    pub rooms: usize,
    pub room_members: usize,
    /// Header fields of one SIP message, and bytes of one of them.
    pub headers: usize,
    pub header_bytes: usize,
    /// How long what arrives may wait for its turn before new calls are refused, and then registrations too.
    pub call_lag: Duration,
    pub registration_lag: Duration,
    /// Of a core: what a media worker may have to do before new calls are refused; zero for no limit.
    pub media_load_percent: u32,
    /// How often one call may be forwarded, here and before it came.
    pub forwards: usize,
    /// Calls in progress that were forwarded by one user.
    pub forwarded_calls: usize,
    /// Header fields of one message that rules let pass.
    pub passed_headers: usize,
    /// Text messages that are kept for one account while it is away, the bytes of their bodies together, and how long.
    pub stored_messages: usize,
    pub stored_message_bytes: usize,
    pub stored_message_age: Duration,
    /// Subscriptions in all, and of one account.
    pub subscriptions: usize,
    pub subscriptions_per_account: usize,
    /// Documents that one account may have published at once.
    pub publications: usize,
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

/// A network in CIDR notation; a single address has all its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    pub address: IpAddr,
    pub bits: u8,
}

impl Network {
    /// What doesn't cross a public network: loopback, private and link-local addresses, and those that carriers share
    /// behind a NAT of theirs (RFC 1918, RFC 6598, RFC 3927, RFC 4193).
    pub fn local() -> Vec<Network> {
        let v4 = |a, b, bits| Network { address: IpAddr::from([a, b, 0, 0]), bits };
        let v6 = |first, bits| Network { address: IpAddr::from([first, 0, 0, 0, 0, 0, 0, 0]), bits };
        let loopback = Network { address: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 };
        vec![
            v4(127, 0, 8),
            v4(10, 0, 8),
            v4(172, 16, 12),
            v4(192, 168, 16),
            v4(100, 64, 10),
            v4(169, 254, 16),
            loopback,
            v6(0xfc00, 7),
            v6(0xfe80, 10),
        ]
    }

    /// Whether `address` is inside. An IPv4 address mapped into IPv6 counts as what it is.
    pub fn contains(self, address: IpAddr) -> bool {
        self.masked() == Network { address, bits: self.bits }.masked()
    }

    /// The same network by its first address.
    pub fn masked(self) -> Network {
        let bits = u32::from(self.bits);
        let address = match self.address.to_canonical() {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Network { address, bits: self.bits }
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
            security: Security::default(),
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
            // Phones have to be told of the certificate, so that an operator asks for it.
            tls: Vec::new(),
            certificate: None,
            // More often than each minute is a phone in trouble, and costs as much as a call.
            registration_min: Duration::from_secs(60),
            // A contact that is gone rings into nothing until it expires.
            registration_max: Duration::from_secs(3_600),
            registration_default: Duration::from_secs(600),
            // RFC 5626 §4.4.2 has 24 to 29 s where a registrar says nothing; many NATs forget after 30.
            flow_timer: Duration::from_secs(29),
            t1: Duration::from_millis(500),
            // Three minutes, after which Timer C of RFC 3261 §16.6 lets a proxy give up too.
            ring_timeout: Duration::from_secs(180),
            // Four or five rings, before most people's patience ends.
            forward_after: Duration::from_secs(20),
            // Four retransmissions at the default T1; the caller is still waiting.
            trunk_timeout: Duration::from_secs(5),
            // A dead trunk is known before many callers meet it, and the binding of a NAT stays open.
            options_interval: Duration::from_secs(30),
            // What RFC 4028 §4 recommends: rarely enough to cost nothing, often enough that a lost BYE isn't billed for long.
            session_expires: Duration::from_secs(1_800),
            // The least that RFC 4028 §5 allows.
            min_se: Duration::from_secs(90),
            // A call whose peers vanished without media to tell is found out before it costs much.
            dialog_interval: Duration::from_secs(300),
            // Longer than any exchange, and short enough that an overheard answer is soon worth nothing.
            nonce_lifetime: Duration::from_secs(300),
            srtp: Srtp::default(),
            dns: Vec::new(),
            public_address: None,
            local_networks: Network::local(),
            // As for registrations: more often is a phone in trouble, and a subscriber that is gone costs notifications.
            subscription_min: Duration::from_secs(60),
            subscription_max: Duration::from_secs(3_600),
            // Colleagues see each other's lamps.
            watchers: Watchers::Users,
            country: None,
            // A body that we don't understand may say anything of one side to the other.
            pass_info: Vec::new(),
        }
    }
}

impl Default for Http {
    fn default() -> Http {
        // Whoever may speak to it may do everything, so that it stays on this machine unless told otherwise.
        Http {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            tls: None,
            certificate: None,
            origins: Vec::new(),
        }
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
            io: Io::default(),
            pin: None,
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
            hold_music: None,
            // More voices at once are noise, and nobody can follow half as many.
            room_talkers: 8,
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
            registrations: 100_000,
            // Reception, a department, a person, back again; more is two machines that pass a caller to and fro.
            transfers: 10,
            // Half of what file descriptors usually allow, the other half being media.
            tcp_connections: 10_000,
            // An office behind one address.
            tcp_connections_per_address: 200,
            http_connections_per_address: 32,
            // As long as the longest registration: a phone refreshes it before.
            connection_idle: Duration::from_secs(3_600),
            // Three retransmissions of a lost segment.
            message_time: Duration::from_secs(5),
            // The largest datagram, and ten times any usual message.
            message_bytes: 65_536,
            // Two dead servers and their two addresses each; more would outlast a caller's patience.
            addresses: 4,
            // A phone that diverts to one that diverts is usual; a chain of five is a mistake.
            redirects: 5,
            // Sound, pictures, slides and text. Each has ports of its own on both sides.
            streams: 4,
            // A room for each few calls.
            rooms: 500,
            // What one core carries at 8 kHz: a room is on one worker.
            room_members: 2_000,
            // A message through ten proxies has half of that.
            headers: 256,
            // Certificates and long routes fit.
            header_bytes: 8_192,
            // A fifth of T1: who waits longer is soon asked again, which doubles the load.
            call_lag: Duration::from_millis(100),
            // Nearly T1; a phone that is refused comes back later, and can be called meanwhile.
            registration_lag: Duration::from_millis(400),
            // The rest is for what is worse than the measure: a burst, a neighbour, a codec that has hard work.
            media_load_percent: 85,
            // What the telephone network allows (ITU-T Q.732.2).
            forwards: 5,
            // A call that comes back from the telephone network as a new one goes round so often and no more.
            forwarded_calls: 10,
            // More than any application sends.
            passed_headers: 20,
            // A holiday's worth of short messages, and of long ones a tenth of that.
            stored_messages: 100,
            stored_message_bytes: 262_144,
            // Whoever was away for longer has been told otherwise.
            stored_message_age: Duration::from_secs(30 * 86_400),
            // Each thousand takes a megabyte or two, and a full lamp field has two hundred.
            subscriptions: 20_000,
            subscriptions_per_account: 300,
            // One for each contact.
            publications: 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings may stand in a log, and what they keep secret may not.
    #[test]
    fn what_is_shown_of_settings_has_no_secret() {
        let mut settings = Settings::default();
        let secrets = [Secret::Password("hunter2hunter2".to_owned()), Secret::Ha1("hunter2hunter2".to_owned())];
        settings.users.extend(secrets.map(|secret| User {
            name: "alice".to_owned(),
            secret,
            number: None,
            country: None,
            display_name: None,
        }));
        let credentials = TrunkCredentials { username: "4711".to_owned(), password: "hunter2hunter2".to_owned() };
        settings.trunks.push(Trunk { credentials: Some(credentials), ..Trunk::named("acme", "acme.example") });
        let shown = format!("{settings:#?}");
        assert!(shown.contains("alice") && shown.contains("4711") && !shown.contains("hunter2"), "{shown}");
    }
}
