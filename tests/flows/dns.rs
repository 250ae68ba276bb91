//! The DNS of a ladder: records written as in a zone's file, and a server that may be silent.

use std::collections::HashMap;
use std::time::Duration;
use tandem::sip::flow::Transport;
use tandem::sip::locate::{Address, Kind, Located, Question, Record, Reply, Search, Target};

/// Short, so that a ladder sees changes soon.
const TTL: Duration = Duration::from_secs(20);

#[derive(Default)]
pub struct Dns {
    records: HashMap<(String, Kind), Vec<Record>>,
    pub silent: bool,
}

impl Dns {
    /// `acme.example A 192.0.2.1`, `_sip._udp.acme.example SRV 10 5 5060 one.acme.example`,
    /// `acme.example NAPTR 10 10 s SIP+D2U _sip._udp.acme.example`.
    pub fn add(&mut self, words: &[&str]) {
        let number = |at: usize| words[at].parse().expect("a number");
        let (kind, record) = match words[1] {
            "A" => (Kind::A, Record::Address(words[2].parse().expect("an address"))),
            "AAAA" => (Kind::Aaaa, Record::Address(words[2].parse().expect("an address"))),
            "SRV" => {
                let (priority, weight, port) = (number(2), number(3), number(4));
                (Kind::Srv, Record::Srv { priority, weight, port, target: words[5].to_owned() })
            }
            "NAPTR" => {
                let [flags, services, replacement] = [words[4], words[5], words[6]].map(str::to_owned);
                let (order, preference, regexp) = (number(2), number(3), String::new());
                (Kind::Naptr, Record::Naptr { order, preference, flags, services, regexp, replacement })
            }
            kind => panic!("{kind} of a record"),
        };
        self.records.entry((words[0].to_owned(), kind)).or_default().push(record);
    }

    /// Takes all records of a name out.
    pub fn forget(&mut self, name: &str) {
        self.records.retain(|(known, _), _| known != name);
    }

    pub fn locate(&self, target: &Target) -> Result<Located<Address>, String> {
        let usual = [Transport::Udp, Transport::Tcp];
        let wanted = target.transport.filter(|transport| !usual.contains(transport));
        let ours: Vec<Transport> = usual.into_iter().chain(wanted).collect();
        let mut search = Search::new(target.clone(), &ours);
        while let Some(question) = search.poll_question() {
            let reply = if self.silent { Err("no answer".to_owned()) } else { Ok(self.reply(&question)) };
            search.answered(&question, reply);
        }
        search.outcome().expect("an end of the search")
    }

    fn reply(&self, question: &Question) -> Reply {
        let known = self.records.get(&(question.name.clone(), question.kind));
        Reply { records: known.cloned().unwrap_or_default(), ttl: TTL }
    }
}
