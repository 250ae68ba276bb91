//! What a session may use beyond RFC 3261, settled with the peer.

use super::{Session, Stage};
use crate::config::settings::Prack;
use crate::sip::agent::Terms;
use crate::sip::core::Core;
use crate::sip::flow::Headers;
use crate::sip::request::SUPPORTED;
use crate::wire::sip::Name;

impl Session {
    /// Takes on the owner's terms for the caller's INVITE; where that doesn't go with them, gives the answer that says so.
    pub fn agree(&mut self, core: &Core, terms: Terms) -> Option<(u16, Headers)> {
        self.terms = terms;
        let Stage::Alerting(alerting) = &self.stage else { return None };
        let invite = &core.servers.asked(alerting.server)?.request;
        let insists = invite.has_token(Name::Require, "100rel");
        match terms.prack {
            Prack::Never if insists => Some((420, vec![(Name::Unsupported, "100rel".to_owned())])),
            Prack::Required if !insists && !invite.has_token(Name::Supported, "100rel") => {
                Some((421, vec![(Name::Require, "100rel".to_owned())]))
            }
            _ => None,
        }
    }

    /// What our INVITE says of it.
    pub(super) fn proposal(&self) -> Headers {
        let mut headers = Headers::new();
        if self.terms.prack == Prack::Required {
            headers.push((Name::Require, "100rel".to_owned()));
        }
        headers.push((Name::Supported, self.supported()));
        headers
    }

    fn supported(&self) -> String {
        match self.terms.prack {
            Prack::Never => SUPPORTED.to_owned(),
            _ => format!("100rel, {SUPPORTED}"),
        }
    }
}
