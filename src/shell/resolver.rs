//! Asks DNS what a search wants to know. Answers are kept for as long as DNS lets them, within bounds.

use crate::config::settings::Settings;
use crate::sip::flow::Transport;
use crate::sip::locate::{Address, Kind, Located, Question, Record, Reply, Search, Target};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

/// A whole search, and one question to one server of which it consists.
const SEARCH_LIMIT: Duration = Duration::from_secs(5);
const QUESTION_LIMIT: Duration = Duration::from_millis(1_500);
/// Questions of one search under way at once.
const PARALLEL: usize = 8;
/// Answers that are kept.
const KEPT: u64 = 4_096;
/// For how long, whatever DNS says: what isn't there may come soon, and nothing stays for days.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(3_600);
const LONGEST_NOTHING: Duration = Duration::from_secs(60);

/// Cloning it is cheap; clones share what they know.
#[derive(Clone)]
pub struct Resolver {
    dns: Option<TokioResolver>,
}

impl Resolver {
    /// By the servers of the settings, or those of the system. Without either, only addresses are found.
    pub fn open(settings: &Settings) -> Resolver {
        let builder = match settings.sip.dns.as_slice() {
            [] => TokioResolver::builder_tokio(),
            servers => {
                let servers = servers.iter().map(|&server| name_server(server)).collect();
                let config = ResolverConfig::from_name_servers(servers);
                Ok(TokioResolver::builder_with_config(config, Default::default()))
            }
        };
        let dns = builder.and_then(|mut builder| {
            bound(builder.options_mut());
            builder.build()
        });
        let dns = dns.inspect_err(|error| tracing::warn!("names can't be looked up: {error}")).ok();
        Resolver { dns }
    }

    /// Finds the servers of a host that can be reached by one of `transports` (RFC 3263).
    pub async fn locate(&self, target: &Target, transports: &[Transport]) -> Result<Located<Address>, String> {
        let search = self.search(Search::new(target.clone(), transports));
        let limited = tokio::time::timeout(SEARCH_LIMIT, search).await;
        let late = || Err(format!("no answer within {} s", SEARCH_LIMIT.as_secs()));
        limited.unwrap_or_else(|_| late()).map_err(|why| format!("looking up {target}: {why}"))
    }

    async fn search(&self, mut search: Search) -> Result<Located<Address>, String> {
        let mut asking = JoinSet::new();
        loop {
            while asking.len() < PARALLEL
                && let Some(question) = search.poll_question()
            {
                let resolver = self.clone();
                asking.spawn(async move {
                    let result = resolver.ask(&question).await;
                    (question, result)
                });
            }
            if let Some(outcome) = search.outcome() {
                return outcome;
            }
            match asking.join_next().await {
                Some(Ok((question, result))) => search.answered(&question, result),
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("the search has no end".to_owned()),
            }
        }
    }

    async fn ask(&self, question: &Question) -> Result<Reply, String> {
        let Some(dns) = &self.dns else { return Err("no DNS server is known".to_owned()) };
        let kind = match question.kind {
            Kind::Naptr => RecordType::NAPTR,
            Kind::Srv => RecordType::SRV,
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
        };
        // A name with a dot is whole; one without may be one of the system's own domain.
        let dot = if question.name.contains('.') { "." } else { "" };
        match dns.lookup(format!("{}{dot}", question.name), kind).await {
            Ok(lookup) => {
                let answers = lookup.answers().iter();
                let ttl = answers.clone().map(|record| record.ttl).min().unwrap_or_default();
                let records = answers.filter_map(|answer| record(&answer.data)).collect();
                Ok(Reply { records, ttl: Duration::from_secs(ttl.into()) })
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
            {
                let ttl = none.negative_ttl.map_or(SHORTEST, |ttl| Duration::from_secs(ttl.into()));
                Ok(Reply { records: Vec::new(), ttl: ttl.clamp(SHORTEST, LONGEST_NOTHING) })
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = server.port();
    }
    NameServerConfig::new(server.ip(), true, connections)
}

fn bound(options: &mut ResolverOpts) {
    options.timeout = QUESTION_LIMIT;
    options.attempts = 2;
    options.cache_size = KEPT;
    options.use_hosts_file = ResolveHosts::Always;
    (options.positive_min_ttl, options.positive_max_ttl) = (Some(SHORTEST), Some(LONGEST));
    (options.negative_min_ttl, options.negative_max_ttl) = (Some(SHORTEST), Some(LONGEST_NOTHING));
}

fn record(data: &RData) -> Option<Record> {
    let plain = |name: &hickory_resolver::proto::rr::Name| name.to_ascii().trim_end_matches('.').to_owned();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match data {
        RData::A(address) => Some(Record::Address(address.0.into())),
        RData::AAAA(address) => Some(Record::Address(address.0.into())),
        RData::SRV(srv) => {
            Some(Record::Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: plain(&srv.target) })
        }
        RData::NAPTR(naptr) => Some(Record::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            services: text(&naptr.services),
            regexp: text(&naptr.regexp),
            replacement: plain(&naptr.replacement),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
