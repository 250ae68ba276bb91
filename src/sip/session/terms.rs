//! What a session may use beyond RFC 3261, settled with the peer.

use super::{Session, Stage};
use crate::config::settings::Prack;
use crate::sip::agent::Terms;
use crate::sip::core::Core;
use crate::sip::digest::{ClientCredentials, Responder};
use crate::sip::flow::Headers;
use crate::sip::request::SUPPORTED;
use crate::wire::sip::Name;

impl Session {
    /// Takes on the owner's terms for the caller's INVITE; where that doesn't go with them, gives the answer that says so.
    pub fn agree(
        &mut self,
        core: &Core,
        terms: Terms,
        credentials: Option<ClientCredentials>,
    ) -> Option<(u16, Headers)> {
        self.terms = terms;
        let Stage::Alerting(alerting) = &self.stage else { return None };
        // Whoever calls in a peer's name with a Contact of their own gets no answer to guess its password by (CVE-2021-41158).
        let stays_there = alerting.dialog.way().flow.remote.ip() == self.flow.remote.ip();
        self.responder = credentials.filter(|_| stays_there).map(Responder::new);
        let invite = &core.servers.asked(alerting.server)?.request;
        let insists = invite.has_token(Name::Require, "100rel");
        match terms.prack {
            Prack::Never if insists => Some((420, vec![(Name::Unsupported, "100rel".to_owned())])),
            Prack::Required if !insists && !invite.has_token(Name::Supported, "100rel") => {
                Some((421, vec![(Name::Require, "100rel".to_owned())]))
            }
            _ => self.finds_too_short(invite).map(|headers| (422, headers)),
        }
    }

    /// What our INVITE says of it.
    pub(super) fn proposal(&self) -> Headers {
        let mut headers = Headers::new();
        if self.terms.prack == Prack::Required {
            headers.push((Name::Require, "100rel".to_owned()));
        }
        headers.push(self.supported());
        headers.extend(self.lease_proposed());
        headers
    }

    /// What a request or a 2xx of ours says that we know.
    pub(super) fn supported(&self) -> (Name, String) {
        let known = match (self.terms.prack, self.terms.timer) {
            (Prack::Never, None) => "",
            (Prack::Never, Some(_)) => "timer, ",
            (_, None) => "100rel, ",
            (_, Some(_)) => "100rel, timer, ",
        };
        (Name::Supported, format!("{known}{SUPPORTED}"))
    }
}
