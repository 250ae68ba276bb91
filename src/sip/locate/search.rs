//! One search by RFC 3263 §4.
//!
//! ```text
//!   an address ─────────────────────────────────────────────▶ done
//!   a port ──────────────────────────────────▶ AAAA and A ──▶ done
//!   a transport ─────────────▶ SRV ──────────▶ AAAA and A ──▶ done
//!   neither ────▶ NAPTR ─────▶ SRV of each ──▶ AAAA and A ──▶ done
//! ```

use super::{Address, Kind, Located, Question, Record, Reply, Server, Target};
use crate::sip::flow::Transport;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Of one answer, no more is taken than a large carrier needs; a hostile zone has no end.
const SERVICES: usize = 8;
const SERVERS: usize = 32;
const ADDRESSES: usize = 16;
const WAYS: usize = 64;
/// An address that stands in the configuration doesn't grow old.
const LONG: Duration = Duration::from_secs(86_400);

/// The services of SIP that NAPTR and SRV name, in the order in which they are tried where DNS leaves the choice.
const KNOWN: [Service; 3] = [
    Service { naptr: "SIP+D2U", srv: "_sip._udp", transport: Transport::Udp, secure: false },
    Service { naptr: "SIP+D2T", srv: "_sip._tcp", transport: Transport::Tcp, secure: false },
    Service { naptr: "SIPS+D2T", srv: "_sips._tcp", transport: Transport::Tls, secure: true },
];

struct Service {
    naptr: &'static str,
    srv: &'static str,
    transport: Transport,
    secure: bool,
}

pub struct Search {
    target: Target,
    transports: Vec<Transport>,
    /// The transport where nobody names one.
    usual: Transport,
    questions: VecDeque<Question>,
    stage: Stage,
    /// The least of what the answers said.
    ttl: Duration,
    /// Why an answer is missing.
    fault: Option<String>,
    /// Some SRV record said that the service is not offered.
    denied: bool,
}

enum Stage {
    Naptr,
    Srv(Vec<Branch>),
    Addresses(Vec<Host>),
    Done(Result<Vec<Server<Address>>, String>),
}

/// A name whose SRV records are wanted.
struct Branch {
    name: String,
    transport: Transport,
    hosts: Option<Vec<Host>>,
}

/// A name whose addresses are wanted.
struct Host {
    name: String,
    port: u16,
    transport: Transport,
    rank: u32,
    weight: u16,
    v6: Option<Vec<IpAddr>>,
    v4: Option<Vec<IpAddr>>,
}

impl Search {
    /// `transports` are those that we have.
    pub fn new(target: Target, transports: &[Transport]) -> Search {
        let mut search = Search {
            transports: transports.to_vec(),
            usual: Transport::Udp,
            questions: VecDeque::new(),
            stage: Stage::Naptr,
            ttl: LONG,
            fault: None,
            denied: false,
            target,
        };
        search.begin();
        search
    }

    /// What to ask next; several questions may be under way at once.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// The end of it: servers, at least one, or why there are none.
    pub fn outcome(&self) -> Option<Result<Located<Address>, String>> {
        match &self.stage {
            Stage::Done(Ok(servers)) => Some(Ok(Located { servers: servers.clone(), ttl: self.ttl })),
            Stage::Done(Err(why)) => Some(Err(why.clone())),
            _ => None,
        }
    }

    /// Takes what came of a question; an error where nobody could say.
    pub fn answered(&mut self, question: &Question, result: Result<Reply, String>) {
        let records = match result {
            Ok(reply) => {
                self.ttl = self.ttl.min(reply.ttl);
                reply.records
            }
            Err(why) => {
                self.fault.get_or_insert_with(|| format!("{}: {why}", question.name));
                Vec::new()
            }
        };
        match (&mut self.stage, question.kind) {
            (Stage::Naptr, Kind::Naptr) => self.services(&records),
            (Stage::Srv(branches), Kind::Srv) => {
                let open = branches.iter_mut().find(|branch| branch.hosts.is_none() && branch.name == question.name);
                if let Some(branch) = open {
                    self.denied |= branch.take(&records);
                }
                self.servers();
            }
            (Stage::Addresses(hosts), Kind::A | Kind::Aaaa) => {
                for host in hosts.iter_mut().filter(|host| host.name == question.name) {
                    host.take(question.kind, &records);
                }
                self.addresses();
            }
            _ => {}
        }
    }

    fn begin(&mut self) {
        let Target { host, port, transport, secure } = self.target.clone();
        let usual = KNOWN.iter().find(|service| self.has(service) && service.secure == secure);
        let usual = transport.or(usual.map(|service| service.transport));
        let Some(usual) = usual.filter(|transport| self.transports.contains(transport)) else {
            return self.end(Err("it wants a transport that this gateway has not".to_owned()));
        };
        self.usual = usual;
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            let remote = SocketAddr::new(address, port.unwrap_or(usual.default_port()));
            let way = Address { transport: usual, remote };
            return self.end(Ok(vec![Server { rank: 0, weight: 0, ways: vec![way] }]));
        }
        if let Some(port) = port {
            return self.look_up(vec![Host::new(host, port, usual, 0, 0)]);
        }
        if transport.is_some() {
            return self.usual_services();
        }
        self.questions.push_back(Question { name: host, kind: Kind::Naptr });
    }

    /// §4.1: the NAPTR records of the lowest order that names a service of ours; without any, the usual names.
    fn services(&mut self, records: &[Record]) {
        let mut found: Vec<(u16, u16, &str, Transport)> = records
            .iter()
            .filter_map(|record| match record {
                Record::Naptr { order, preference, flags, services, regexp, replacement }
                    if flags.eq_ignore_ascii_case("s") && regexp.is_empty() && !replacement.is_empty() =>
                {
                    let service = KNOWN.iter().find(|known| known.naptr.eq_ignore_ascii_case(services))?;
                    let fits = service.secure || !self.target.secure;
                    (fits && self.has(service)).then_some((
                        *order,
                        *preference,
                        replacement.as_str(),
                        service.transport,
                    ))
                }
                _ => None,
            })
            .collect();
        found.sort_by_key(|&(order, preference, ..)| (order, preference));
        let lowest = found.first().map(|&(order, ..)| order);
        let branches: Vec<Branch> = found
            .into_iter()
            .filter(|&(order, ..)| Some(order) == lowest)
            .take(SERVICES)
            .map(|(_, _, name, transport)| Branch { name: name.to_owned(), transport, hosts: None })
            .collect();
        if branches.is_empty() {
            // Nobody has to have NAPTR, and some servers don't even know the type.
            self.fault = None;
            return self.usual_services();
        }
        self.ask_srv(branches);
    }

    fn usual_services(&mut self) {
        let wanted = |service: &&Service| {
            self.has(service)
                && match self.target.transport {
                    Some(transport) => transport == service.transport,
                    None => service.secure == self.target.secure,
                }
        };
        let host = &self.target.host;
        let branches: Vec<Branch> = KNOWN
            .iter()
            .filter(wanted)
            .map(|service| Branch {
                name: format!("{}.{host}", service.srv),
                transport: service.transport,
                hosts: None,
            })
            .collect();
        if branches.is_empty() {
            self.stage = Stage::Srv(branches);
            return self.servers();
        }
        self.ask_srv(branches);
    }

    fn ask_srv(&mut self, branches: Vec<Branch>) {
        self.questions.extend(branches.iter().map(|branch| Question { name: branch.name.clone(), kind: Kind::Srv }));
        self.stage = Stage::Srv(branches);
    }

    /// §4.2, once all SRV records are there.
    fn servers(&mut self) {
        let Stage::Srv(branches) = &mut self.stage else { return };
        if branches.iter().any(|branch| branch.hosts.is_none()) {
            return;
        }
        let mut hosts = Vec::new();
        for (index, branch) in branches.iter_mut().enumerate() {
            for mut host in branch.hosts.take().into_iter().flatten() {
                host.rank += (index as u32) << 16;
                hosts.push(host);
            }
        }
        hosts.sort_by_key(|host| host.rank);
        hosts.truncate(SERVERS);
        if !hosts.is_empty() {
            return self.look_up(hosts);
        }
        if self.denied {
            return self.end(Err("its DNS says that it takes no SIP".to_owned()));
        }
        // Where the question failed, the host's own address may be that of another machine.
        if self.fault.is_some() {
            return self.end(Err(String::new()));
        }
        let transport = self.usual;
        self.look_up(vec![Host::new(self.target.host.clone(), transport.default_port(), transport, 0, 0)]);
    }

    fn has(&self, service: &Service) -> bool {
        self.transports.contains(&service.transport)
    }

    fn look_up(&mut self, hosts: Vec<Host>) {
        let mut names: Vec<&str> = Vec::new();
        for host in hosts.iter().filter(|host| host.v6.is_none()) {
            if !names.contains(&host.name.as_str()) {
                names.push(&host.name);
                self.questions.push_back(Question { name: host.name.clone(), kind: Kind::Aaaa });
                self.questions.push_back(Question { name: host.name.clone(), kind: Kind::A });
            }
        }
        self.stage = Stage::Addresses(hosts);
        self.addresses();
    }

    fn addresses(&mut self) {
        let Stage::Addresses(hosts) = &self.stage else { return };
        if hosts.iter().any(|host| host.v6.is_none() || host.v4.is_none()) {
            return;
        }
        let mut left = WAYS;
        let mut servers: Vec<Server<Address>> = hosts.iter().filter_map(Host::server).collect();
        servers.retain_mut(|server| {
            server.ways.truncate(left);
            left -= server.ways.len();
            !server.ways.is_empty()
        });
        let result = if servers.is_empty() { Err("the name has no address".to_owned()) } else { Ok(servers) };
        self.end(result);
    }

    /// What could not be asked explains more than what was not found.
    fn end(&mut self, result: Result<Vec<Server<Address>>, String>) {
        self.stage = Stage::Done(result.map_err(|why| self.fault.take().unwrap_or(why)));
    }
}

impl Branch {
    /// True where a record says that the service is not offered here (RFC 2782, the target `.`).
    fn take(&mut self, records: &[Record]) -> bool {
        let mut denied = false;
        let mut hosts = Vec::new();
        for record in records {
            match record {
                Record::Srv { target, .. } if target.is_empty() => denied = true,
                Record::Srv { priority, weight, port, target } if *port > 0 && hosts.len() < SERVERS => {
                    hosts.push(Host::new(target.clone(), *port, self.transport, u32::from(*priority), *weight));
                }
                _ => {}
            }
        }
        self.hosts = Some(hosts);
        denied
    }
}

impl Host {
    fn new(name: String, port: u16, transport: Transport, rank: u32, weight: u16) -> Host {
        let mut host = Host { port, transport, rank, weight, v6: None, v4: None, name };
        // Nobody may name an address in place of a host, and some do.
        if let Ok(address) = host.name.parse::<IpAddr>() {
            (host.v6, host.v4) = (Some(vec![address]), Some(Vec::new()));
        }
        host
    }

    fn take(&mut self, kind: Kind, records: &[Record]) {
        let is_v6 = kind == Kind::Aaaa;
        let addresses = records.iter().filter_map(|record| match record {
            // What nobody can be at is no answer.
            Record::Address(ip) if ip.is_ipv6() == is_v6 && !ip.is_unspecified() && !ip.is_multicast() => Some(*ip),
            _ => None,
        });
        let found = Some(addresses.take(ADDRESSES).collect());
        match is_v6 {
            true => self.v6 = found,
            false => self.v4 = found,
        }
    }

    /// IPv6 first, as RFC 6724 has it; where there is no way to it, the shell takes it out.
    fn server(&self) -> Option<Server<Address>> {
        let addresses = self.v6.iter().chain(&self.v4).flatten();
        let way = |&ip: &IpAddr| Address { transport: self.transport, remote: SocketAddr::new(ip, self.port) };
        let ways: Vec<Address> = addresses.map(way).collect();
        (!ways.is_empty()).then_some(Server { rank: self.rank, weight: self.weight, ways })
    }
}

#[cfg(test)]
mod tests;
