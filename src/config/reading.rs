//! A tree of keys and values → settings. Each wrong value is reported and leaves the default in its place, so that
//! reading goes on.

use crate::config::country;
use crate::config::document::Node;
use crate::config::identity::TrunkIdentity;
use crate::config::problem::{Place, Problems, Wrong};
use crate::config::quantity;
use crate::config::section::{Keys, Section};
use crate::config::security;
use crate::config::settings::{
    Certificate, Http, Limits, Media, Network, Relayed, Secret, Settings, Sip, Store, Trunk, TrunkCredentials,
    TrunkTls, TrunkTransport, User, Watchers,
};
use crate::config::value::{self, Named};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tandem_codecs::Codec;

const TOP: Keys = Keys {
    known: &[
        "dialplan",
        "data",
        "drain_timeout",
        "sip",
        "http",
        "media",
        "store",
        "limits",
        "security",
        "user",
        "trunk",
    ],
    later: &["network", "xmpp", "jingle", "redis", "cluster", "rates", "voicemail"],
};
const SIP: Keys = Keys {
    known: &[
        "domain",
        "udp",
        "tcp",
        "tls",
        "certificate",
        "key",
        "registration_min",
        "registration_max",
        "registration_default",
        "flow_timer",
        "t1",
        "ring_timeout",
        "forward_after",
        "trunk_timeout",
        "options_interval",
        "session_expires",
        "min_se",
        "dialog_interval",
        "nonce_lifetime",
        "srtp",
        "dns",
        "public_address",
        "local_networks",
        "subscription_min",
        "subscription_max",
        "watchers",
        "country",
        "pass_info",
    ],
    later: &[],
};
const HTTP: Keys = Keys { known: &["listen", "tls", "certificate", "key", "origins"], later: &[] };
const MEDIA: Keys = Keys {
    known: &[
        "ports",
        "public_address",
        "workers",
        "io",
        "pin",
        "silence_timeout",
        "hold_timeout",
        "codecs",
        "prompts",
        "hold_music",
        "room_talkers",
    ],
    later: &["srtp", "dtls", "ice"],
};
const STORE: Keys = Keys { known: &["url"], later: &[] };
const LIMITS: Keys = Keys {
    known: &[
        "calls",
        "transactions",
        "contacts",
        "registrations",
        "tcp_connections",
        "tcp_connections_per_address",
        "http_connections_per_address",
        "connection_idle",
        "message_time",
        "message_bytes",
        "addresses",
        "redirects",
        "streams",
        "rooms",
        "room_members",
        "headers",
        "header_bytes",
        "call_lag",
        "registration_lag",
        "media_load",
        "forwards",
        "forwarded_calls",
        "transfers",
        "passed_headers",
        "stored_messages",
        "stored_message_bytes",
        "stored_message_age",
        "subscriptions",
        "subscriptions_per_account",
        "publications",
    ],
    later: &[],
};
const USER: Keys =
    Keys { known: &["name", "password", "ha1", "number", "country", "display_name"], later: &["voicemail", "credit"] };
const TRUNK: Keys = Keys {
    known: &[
        "name",
        "host",
        "port",
        "transport",
        "ca",
        "certificate",
        "key",
        "client_certificate",
        "username",
        "password",
        "register",
        "expires",
        "domain",
        "contact_host",
        "codecs",
        "ptime",
        "country",
        "max_calls",
        "dtmf",
        "transfer",
        "from",
        "outbound_proxy",
        "path",
        "redirects",
        "trusted",
        "caller_in",
        "from_user",
        "forwards_in",
        "pass_headers",
        "prack",
        "session_expires",
        "min_se",
        "srtp",
    ],
    later: &["rates"],
};

/// Session timers: from what RFC 4028 §5 allows to a day.
const SESSION: RangeInclusive<Duration> = Duration::from_secs(90)..=Duration::from_secs(86_400);

/// Reads everything; what is missing or wrong has its default.
pub fn settings(root: &Node, problems: &Problems) -> Settings {
    let top = Section::open(root, "the configuration", &TOP, problems);
    let default = Settings::default();
    let data = top.word("data").map_or(default.data, PathBuf::from);
    let nothing = Node::empty(root.place.clone());
    let part = |name: &'static str, keys: &Keys| {
        Section::open(top.get(name).unwrap_or(&nothing), format!("[{name}]"), keys, problems)
    };
    let (sip_part, http_part, media_part) = (part("sip", &SIP), part("http", &HTTP), part("media", &MEDIA));
    let settings = Settings {
        dialplan: top.word("dialplan").map(PathBuf::from),
        sip: sip(&sip_part),
        http: http(&http_part),
        media: media(&media_part, &data),
        store: store(&part("store", &STORE), &data),
        limits: limits(&part("limits", &LIMITS)),
        security: security::read(&part("security", &security::KEYS)),
        drain_timeout: top.duration("drain_timeout", span(0, 86_400)).unwrap_or(default.drain_timeout),
        users: users(top.tables("user"), problems),
        trunks: trunks(top.tables("trunk"), problems),
        data,
    };
    clashes(&settings, &sip_part, &http_part, &media_part);
    settings
}

fn sip(part: &Section<'_>) -> Sip {
    let default = Sip::default();
    let span_of = |key, least, most, default| part.duration(key, span(least, most)).unwrap_or(default);
    let sip = Sip {
        domain: part.read("domain", value::domain).unwrap_or(default.domain),
        udp: listeners(part, "udp").unwrap_or(default.udp),
        tcp: listeners(part, "tcp").unwrap_or(default.tcp),
        tls: listeners(part, "tls").unwrap_or(default.tls),
        certificate: certificate(part),
        registration_min: span_of("registration_min", 1, 86_400, default.registration_min),
        registration_max: span_of("registration_max", 10, 7 * 86_400, default.registration_max),
        registration_default: span_of("registration_default", 10, 7 * 86_400, default.registration_default),
        flow_timer: span_of("flow_timer", 2, 600, default.flow_timer),
        t1: part.duration("t1", Duration::from_millis(10)..=Duration::from_secs(5)).unwrap_or(default.t1),
        ring_timeout: span_of("ring_timeout", 5, 3_600, default.ring_timeout),
        forward_after: span_of("forward_after", 5, 180, default.forward_after),
        trunk_timeout: span_of("trunk_timeout", 1, 60, default.trunk_timeout),
        options_interval: part
            .duration_or_never("options_interval", span(1, 3_600))
            .unwrap_or(default.options_interval),
        session_expires: part.duration_or_never("session_expires", SESSION).unwrap_or(default.session_expires),
        min_se: part.duration("min_se", SESSION).unwrap_or(default.min_se),
        dialog_interval: part.duration_or_never("dialog_interval", span(10, 86_400)).unwrap_or(default.dialog_interval),
        srtp: part.read("srtp", value::srtp).unwrap_or_default(),
        nonce_lifetime: span_of("nonce_lifetime", 10, 86_400, default.nonce_lifetime),
        dns: servers(part).unwrap_or_default(),
        public_address: part.read("public_address", value::public_address),
        local_networks: networks(part, "local_networks").unwrap_or(default.local_networks),
        subscription_min: span_of("subscription_min", 1, 86_400, default.subscription_min),
        subscription_max: span_of("subscription_max", 60, 7 * 86_400, default.subscription_max),
        watchers: watchers(part).unwrap_or(default.watchers),
        country: part.read("country", country::read),
        pass_info: part
            .list("pass_info", value::media_type)
            .unwrap_or_default()
            .into_iter()
            .map(|(text, _)| text)
            .collect(),
    };
    let (least, most, usual) = (sip.registration_min, sip.registration_max, sip.registration_default);
    if !(least..=most).contains(&usual) {
        // The key that the operator wrote is the one to look at; the others may be defaults.
        let keys = ["registration_default", "registration_min", "registration_max"];
        let key = keys.into_iter().find(|key| part.has(key)).unwrap_or("registration_default");
        let [least, most, usual] = [least, most, usual].map(quantity::written);
        let what = format!("registrations last {usual} by default, outside of {least} to {most}");
        part.report(part.place_of(key), what, "let registration_min <= registration_default <= registration_max");
    }
    if !sip.session_expires.is_zero() && sip.session_expires < sip.min_se {
        let key = if part.has("session_expires") { "session_expires" } else { "min_se" };
        let [asked, least] = [sip.session_expires, sip.min_se].map(quantity::written);
        let what = format!("sessions last {asked}, shorter than the {least} that peers have to ask for");
        part.report(part.place_of(key), what, "let min_se <= session_expires");
    }
    if sip.subscription_min > sip.subscription_max {
        let key = if part.has("subscription_min") { "subscription_min" } else { "subscription_max" };
        let what = "no subscription is both long and short enough";
        part.report(part.place_of(key), what, "let subscription_min <= subscription_max");
    }
    if sip.udp.is_empty() && sip.tcp.is_empty() && sip.tls.is_empty() {
        part.report(part.place_of("udp"), "nothing listens for SIP", "give `udp`, `tcp` or `tls` an address");
    }
    sip
}

fn http(part: &Section<'_>) -> Http {
    Http {
        listen: part.read("listen", value::socket_address).unwrap_or(Http::default().listen),
        tls: part.read("tls", value::socket_address),
        certificate: certificate(part),
        origins: part.list("origins", value::host).unwrap_or_default().into_iter().map(|(host, _)| host).collect(),
    }
}

/// A certificate and its key stand together.
fn certificate(part: &Section<'_>) -> Option<Certificate> {
    let (chain, key) = (part.word("certificate"), part.word("key"));
    let lonely = |key: &str, other: &str| {
        let what = format!("{} has a `{key}` and no `{other}`", part.name());
        part.report(part.place_of(key), what, format!("add `{other}` with the path of its PEM file"));
    };
    match (part.has("certificate"), part.has("key")) {
        (true, false) => lonely("certificate", "key"),
        (false, true) => lonely("key", "certificate"),
        _ => {}
    }
    Some(Certificate { chain: PathBuf::from(chain?), key: PathBuf::from(key?) })
}

fn media(part: &Section<'_>, data: &Path) -> Media {
    let default = Media::default();
    Media {
        ports: part.read("ports", value::ports).unwrap_or(default.ports),
        public_address: part.read("public_address", value::public_address),
        workers: part.integer("workers", 1..=256).map_or(default.workers, |count: u16| usize::from(count)),
        io: part.read("io", value::io).unwrap_or_default(),
        pin: part.read("pin", value::pin).flatten(),
        silence_timeout: part.duration_or_never("silence_timeout", span(5, 86_400)).unwrap_or(default.silence_timeout),
        hold_timeout: part.duration_or_never("hold_timeout", span(5, 604_800)).unwrap_or(default.hold_timeout),
        codecs: own_codecs(part).filter(|codecs| !codecs.is_empty()).unwrap_or(default.codecs),
        prompts: part.word("prompts").map_or_else(|| data.join("prompts"), PathBuf::from),
        hold_music: part.word("hold_music").map(str::to_owned),
        room_talkers: part.integer("room_talkers", 1..=64u32).map_or(default.room_talkers, |count| count as usize),
    }
}

fn store(part: &Section<'_>, data: &Path) -> Store {
    part.read("url", value::store_url).map_or_else(|| Store::under(data), |url| Store { url })
}

fn limits(part: &Section<'_>) -> Limits {
    let default = Limits::default();
    let count = |key, default| part.integer(key, 1..=10_000_000u32).map_or(default, |count| count as usize);
    Limits {
        calls: count("calls", default.calls),
        transactions: count("transactions", default.transactions),
        contacts: count("contacts", default.contacts),
        registrations: count("registrations", default.registrations),
        transfers: part.integer("transfers", 0..=1_000u32).map_or(default.transfers, |count| count as usize),
        tcp_connections: count("tcp_connections", default.tcp_connections),
        tcp_connections_per_address: count("tcp_connections_per_address", default.tcp_connections_per_address),
        http_connections_per_address: count("http_connections_per_address", default.http_connections_per_address),
        connection_idle: part.duration("connection_idle", span(30, 604_800)).unwrap_or(default.connection_idle),
        message_time: part.duration("message_time", span(1, 60)).unwrap_or(default.message_time),
        message_bytes: part.read("message_bytes", value::message_bytes).unwrap_or(default.message_bytes),
        addresses: part.integer("addresses", 1..=64u32).map_or(default.addresses, |count| count as usize),
        redirects: part.integer("redirects", 0..=64u32).map_or(default.redirects, |count| count as usize),
        streams: part.integer("streams", 1..=32u32).map_or(default.streams, |count| count as usize),
        headers: part.integer("headers", 32..=4_096u32).map_or(default.headers, |count| count as usize),
        rooms: count("rooms", default.rooms),
        room_members: count("room_members", default.room_members),
        header_bytes: part
            .integer("header_bytes", 1_024..=65_536u32)
            .map_or(default.header_bytes, |count| count as usize),
        call_lag: part.duration("call_lag", lag()).unwrap_or(default.call_lag),
        registration_lag: part.duration("registration_lag", lag()).unwrap_or(default.registration_lag),
        media_load_percent: part.integer("media_load", 0..=100).unwrap_or(default.media_load_percent),
        forwards: count("forwards", default.forwards),
        forwarded_calls: count("forwarded_calls", default.forwarded_calls),
        passed_headers: count("passed_headers", default.passed_headers),
        stored_messages: count("stored_messages", default.stored_messages),
        stored_message_bytes: part
            .read("stored_message_bytes", value::stored_bytes)
            .unwrap_or(default.stored_message_bytes),
        stored_message_age: part
            .duration("stored_message_age", span(60, 3_650 * 86_400))
            .unwrap_or(default.stored_message_age),
        subscriptions: count("subscriptions", default.subscriptions),
        subscriptions_per_account: count("subscriptions_per_account", default.subscriptions_per_account),
        publications: count("publications", default.publications),
    }
}

fn users(tables: &[Node], problems: &Problems) -> Vec<User> {
    let mut names = Once::new("user", "give each user a name of their own");
    let mut numbers = Once::new("number", "give each user a number of their own; a rule may ring several");
    let mut users = Vec::new();
    for table in tables {
        let mut part = Section::open(table, "[[user]]", &USER, problems);
        let name = name(&mut part, "user", value::user_name, "\"alice\"");
        let number = part.read("number", value::e164);
        if let Some(name) = &name {
            names.check(name, &part, "name");
        }
        if let Some(number) = &number {
            numbers.check(number, &part, "number");
        }
        let user = User {
            secret: secret(&part),
            number,
            country: part.read("country", country::read),
            display_name: part.word("display_name").map(str::to_owned),
            name: name.unwrap_or_default(),
        };
        users.push(user);
    }
    users
}

fn secret(part: &Section<'_>) -> Secret {
    let password = part.word("password").map(|password| Secret::Password(password.to_owned()));
    let ha1 = part.read("ha1", value::ha1).map(Secret::Ha1);
    match (part.has("password"), part.has("ha1")) {
        (false, false) => {
            let mend = "add password = \"…\", or ha1 = \"…\" with the MD5 of name:realm:password";
            part.report(part.place(), format!("{} has neither `password` nor `ha1`", part.name()), mend);
        }
        (true, true) => {
            part.report(part.place_of("ha1"), format!("{} has both `password` and `ha1`", part.name()), "keep one");
        }
        _ => {}
    }
    password.or(ha1).unwrap_or(Secret::Password(String::new()))
}

fn trunks(tables: &[Node], problems: &Problems) -> Vec<Trunk> {
    let mut names = Once::new("trunk", "give each trunk a name of its own");
    let mut trunks = Vec::new();
    for table in tables {
        let mut part = Section::open(table, "[[trunk]]", &TRUNK, problems);
        let name = name(&mut part, "trunk", value::trunk_name, "\"acme\"");
        if let Some(name) = &name {
            names.check(name, &part, "name");
        }
        let trunk = trunk(&part, name.unwrap_or_default());
        same_connection(&trunks, &trunk, &part);
        trunks.push(trunk);
    }
    trunks
}

/// Trunks at one place share its connections, and so have to believe and to show the same.
fn same_connection(before: &[Trunk], trunk: &Trunk, part: &Section<'_>) {
    let place = |trunk: &Trunk| (trunk.host.to_ascii_lowercase(), trunk.port);
    let is_tls = |trunk: &Trunk| trunk.transport == Some(TrunkTransport::Tls);
    let mut others = before.iter().filter(|other| is_tls(trunk) && is_tls(other) && place(other) == place(trunk));
    if let Some(other) = others.find(|other| other.tls != trunk.tls) {
        let what = format!("{} is at the same place as trunk `{}`, with other certificates", part.name(), other.name);
        part.report(
            part.place_of("host"),
            what,
            "give both the same `ca`, `certificate`, `key` and `client_certificate`",
        );
    }
}

fn trunk(part: &Section<'_>, name: String) -> Trunk {
    if !part.has("host") {
        part.missing("host", "\"sip.provider.example\"");
    }
    let credentials = trunk_credentials(part);
    let register = part.flag("register").unwrap_or(false);
    if register && !part.has("username") {
        let mend = "add the `username` and `password` that the provider gave you, or remove `register`";
        part.report(part.place_of("register"), format!("{} is to register without a `username`", part.name()), mend);
    }
    let (codecs, relayed) = codecs(part);
    Trunk {
        name,
        host: part.read("host", value::host).unwrap_or_default(),
        port: part.integer("port", 1..=u16::MAX),
        transport: part.read("transport", value::transport),
        outbound_proxy: part.read("outbound_proxy", value::outbound_proxy),
        tls: trunk_tls(part),
        credentials,
        register,
        expires: part.duration("expires", span(30, 604_800)).unwrap_or(Trunk::EXPIRES),
        domain: part.read("domain", value::domain),
        contact_host: part.read("contact_host", value::domain),
        codecs,
        relayed,
        srtp: part.read("srtp", value::srtp).unwrap_or_default(),
        ptime_ms: part.read("ptime", value::ptime).unwrap_or(Trunk::PTIME_MS),
        country: part.read("country", country::read),
        max_calls: part.integer("max_calls", 1..=1_000_000u32).map(|count| count as usize),
        dtmf: part.read("dtmf", value::dtmf).unwrap_or_default(),
        transfer: part.read("transfer", value::transfer).unwrap_or_default(),
        from: networks(part, "from").unwrap_or_default(),
        path: part.flag("path").unwrap_or(false),
        redirects: part.read("redirects", value::redirects).unwrap_or_default(),
        identity: TrunkIdentity::read(part),
        prack: part.read("prack", value::prack).unwrap_or(Trunk::PRACK),
        session_expires: part.duration_or_never("session_expires", SESSION),
        min_se: part.duration("min_se", SESSION),
    }
}

fn trunk_tls(part: &Section<'_>) -> TrunkTls {
    TrunkTls {
        ca: part.word("ca").map(PathBuf::from),
        certificate: certificate(part),
        client_certificate: part.read("client_certificate", value::client_certificate).unwrap_or_default(),
    }
}

fn trunk_credentials(part: &Section<'_>) -> Option<TrunkCredentials> {
    let (username, password) = (part.word("username"), part.word("password"));
    match (part.has("username"), part.has("password")) {
        (true, false) => {
            let mend = "add `password`, or remove `username` where the provider knows you by your address";
            part.report(part.place_of("username"), format!("{} has a `username` and no `password`", part.name()), mend);
        }
        (false, true) => {
            let what = format!("{} has a `password` and no `username`", part.name());
            part.report(part.place_of("password"), what, "add `username`");
        }
        _ => {}
    }
    Some(TrunkCredentials { username: username?.to_owned(), password: password?.to_owned() })
}

/// The name of a user or trunk, which from then on stands for its table in what is reported.
fn name(
    part: &mut Section<'_>,
    kind: &str,
    reader: impl FnOnce(&str) -> Result<String, Wrong>,
    example: &str,
) -> Option<String> {
    if !part.has("name") {
        part.missing("name", example);
    }
    let name = part.read("name", reader)?;
    part.rename(format!("{kind} `{name}`"));
    Some(name)
}

/// Names that may be given once.
struct Once {
    kind: &'static str,
    mend: &'static str,
    seen: HashMap<String, Place>,
}

impl Once {
    fn new(kind: &'static str, mend: &'static str) -> Once {
        Once { kind, mend, seen: HashMap::new() }
    }

    fn check(&mut self, name: &str, part: &Section<'_>, key: &str) {
        let place = part.place_of(key);
        if let Some(first) = self.seen.get(name) {
            part.report(place, format!("{} `{name}` is already at {first}", self.kind), self.mend);
        } else {
            self.seen.insert(name.to_owned(), place.clone());
        }
    }
}

/// Two listeners can't have one port of one address, and media can't have any of theirs.
fn clashes(settings: &Settings, sip: &Section<'_>, http: &Section<'_>, media: &Section<'_>) {
    let sip_listeners = [("udp", &settings.sip.udp), ("tcp", &settings.sip.tcp), ("tls", &settings.sip.tls)];
    for (key, listeners) in sip_listeners {
        for (i, one) in listeners.iter().enumerate() {
            if listeners[..i].iter().any(|other| overlap(*one, *other)) {
                let what = format!("`{key}`: {one} overlaps with another address of the list");
                sip.report(sip.place_of(key), what, "remove one, or change its port");
            }
        }
    }
    let streams = || settings.sip.tcp.iter().chain(&settings.sip.tls);
    for (key, listen) in [("listen", Some(settings.http.listen)), ("tls", settings.http.tls)] {
        let Some(listen) = listen else { continue };
        if let Some(other) = streams().find(|other| overlap(listen, **other)) {
            let place = if http.has(key) { http.place_of(key) } else { sip.place_of("tcp") };
            http.report(
                place,
                format!("HTTP on {listen} and SIP over TCP on {other} want one port"),
                "change one of them",
            );
        }
    }
    if let Some(both) = settings.sip.tcp.iter().find(|tcp| settings.sip.tls.iter().any(|tls| overlap(**tcp, *tls))) {
        let what = format!("SIP over TCP and SIP over TLS both want the port of {both}");
        sip.report(sip.place_of("tls"), what, "change one of them");
    }
    if settings.http.tls.is_some_and(|tls| overlap(tls, settings.http.listen)) {
        http.report(http.place_of("tls"), "`listen` and `tls` of [http] want one port", "change one of them");
    }
    let (first, last) = settings.media.ports;
    if let Some(inside) = settings.sip.udp.iter().find(|address| (first..=last).contains(&address.port())) {
        let place = if media.has("ports") { media.place_of("ports") } else { sip.place_of("udp") };
        let what = format!("SIP over UDP on {inside} is inside the media ports {first}-{last}");
        media.report(place, what, "move one of them");
    }
}

/// Whether two sockets would want the same port. Port 0 is whatever is free.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

fn lag() -> RangeInclusive<Duration> {
    Duration::from_millis(10)..=Duration::from_secs(30)
}

fn span(least_seconds: u64, most_seconds: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(least_seconds)..=Duration::from_secs(most_seconds)
}

fn listeners(part: &Section<'_>, key: &str) -> Option<Vec<SocketAddr>> {
    Some(part.list(key, value::socket_address)?.into_iter().map(|(address, _)| address).collect())
}

fn networks(part: &Section<'_>, key: &str) -> Option<Vec<Network>> {
    Some(part.list(key, value::network)?.into_iter().map(|(network, _)| network).collect())
}

fn servers(part: &Section<'_>) -> Option<Vec<SocketAddr>> {
    Some(part.list("dns", value::dns_server)?.into_iter().map(|(address, _)| address).collect())
}

/// What a trunk has: of ours, and of what is only passed on.
fn codecs(part: &Section<'_>) -> (Vec<Codec>, Vec<Relayed>) {
    let (mut ours, mut relayed): (Vec<Codec>, Vec<Relayed>) = (Vec::new(), Vec::new());
    for (named, place) in part.list("codecs", value::trunk_codec).unwrap_or_default() {
        let twice = match named {
            Named::Ours(codec) if !ours.contains(&codec) => {
                ours.push(codec);
                continue;
            }
            Named::Relayed(name) if relayed.iter().all(|known| known.name != name) => {
                relayed.push(Relayed { name, place: ours.len() });
                continue;
            }
            Named::Ours(codec) => codec.name(),
            Named::Relayed(name) => name,
        };
        part.report(&place, format!("`codecs` has {twice} twice"), "remove one");
    }
    (ours, relayed)
}

/// What we have ourselves.
fn own_codecs(part: &Section<'_>) -> Option<Vec<Codec>> {
    let mut found: Vec<Codec> = Vec::new();
    for (codec, place) in part.list("codecs", value::codec)? {
        if found.contains(&codec) {
            part.report(&place, format!("`codecs` has {} twice", codec.name()), "remove one");
        } else {
            found.push(codec);
        }
    }
    Some(found)
}

fn watchers(part: &Section<'_>) -> Option<Watchers> {
    let listed = part.list("watchers", value::watcher)?;
    let named: Option<Vec<String>> = listed.into_iter().map(|(name, _)| name).collect();
    Some(named.map_or(Watchers::Users, Watchers::Named))
}
