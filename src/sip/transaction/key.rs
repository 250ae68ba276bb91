//! Which transaction a message belongs to.

use crate::wire::sip::{Message, Method, Name};
use std::fmt::Write;

/// What every branch starts with since RFC 3261 (§8.1.1.7).
const COOKIE: &str = "z9hG4bK";

/// RFC 3261 §17.1.3: a response belongs to the request whose branch and method it carries.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClientKey {
    branch: Box<str>,
    method: Method,
}

impl ClientKey {
    pub fn new(branch: &str, method: Method) -> ClientKey {
        ClientKey { branch: branch.into(), method }
    }

    pub fn method(&self) -> &Method {
        &self.method
    }

    pub fn branch(&self) -> &str {
        &self.branch
    }

    pub fn of(response: &Message) -> Option<ClientKey> {
        let via = response.top_via().ok()?;
        Some(ClientKey::new(via.branch()?, response.method().clone()))
    }
}

/// RFC 3261 §17.2.3: branch, sent-by and method; for a peer of RFC 2543, whose branch tells nothing, all that a
/// retransmission has in common with its request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ServerKey(Box<str>);

impl ServerKey {
    /// The key of the transaction of `method` that a request belongs to: an ACK and a CANCEL look for the INVITE.
    pub fn of(request: &Message, method: &Method) -> Option<ServerKey> {
        let via = request.top_via().ok()?;
        let key = match via.branch().filter(|branch| branch.len() > COOKIE.len() && has_cookie(branch)) {
            Some(branch) => {
                let port = via.port.unwrap_or(5060);
                let mut key = String::with_capacity(branch.len() + via.host.len() + method.as_str().len() + 8);
                key.push_str(via.host);
                key.make_ascii_lowercase();
                // Writing to memory doesn't fail.
                let _ = writeln!(key, ":{port}");
                key.push_str(method.as_str());
                key.push('\n');
                key.push_str(branch);
                key
            }
            None => {
                let top = request.values(Name::Via).next().unwrap_or_default();
                let from = request.from().ok()?;
                let number = request.cseq().ok()?.number;
                let (call_id, uri) = (request.call_id(), request.request_uri());
                format!("\n{call_id}\n{number}\n{}\n{uri}\n{top}\n{method}", from.tag().unwrap_or_default())
            }
        };
        Some(ServerKey(key.into()))
    }
}

fn has_cookie(branch: &str) -> bool {
    branch.get(..COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}
