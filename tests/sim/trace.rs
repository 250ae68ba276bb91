//! The ladder of one call, for whoever has to find out what happened in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use tandem::base::time::Time;
use tandem::wire::sip::{Message, Name};

pub struct Trace {
    pub call: usize,
    pub names: BTreeMap<SocketAddr, String>,
    lines: Vec<String>,
}

impl Trace {
    pub fn new(call: usize) -> Trace {
        Trace { call, names: BTreeMap::new(), lines: Vec::new() }
    }

    /// A message leaves; `arrivals` are the times at which its copies arrive.
    pub fn sent(&mut self, at: Time, from: SocketAddr, to: SocketAddr, message: &Message, arrivals: &[Time]) {
        let name = |address: SocketAddr| self.names.get(&address).cloned().unwrap_or_else(|| address.to_string());
        let what = match message.is_request() {
            true => message.method().as_str().to_owned(),
            false => format!("{} ({})", message.status(), message.method()),
        };
        let cseq = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let media = String::from_utf8_lossy(&message.body())
            .lines()
            .filter(|line| line.starts_with("m=") || line.starts_with("a=s") || line.starts_with("a=in"))
            .fold(String::new(), |text, line| format!("{text} {line}"));
        let reason = message.header(Name::Reason).map(|reason| format!(" [{reason}]")).unwrap_or_default();
        let fate = match arrivals {
            [] => "lost".to_owned(),
            _ => arrivals.iter().map(|at| format!("{at:?}")).collect::<Vec<_>>().join(" and "),
        };
        let call_id: String = message.call_id().chars().take(14).collect();
        self.lines.push(format!(
            "{at:>18} {:>9} ──▶ {:<9} {what} {cseq}{reason}{media}  ({call_id}…) arrives {fate}",
            name(from),
            name(to),
            at = format!("{at:?}"),
        ));
    }

    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}
