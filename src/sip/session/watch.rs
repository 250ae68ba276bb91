//! Whether the peer still has the session: by session timers (RFC 4028) where both sides know them, and by OPTIONS where
//! the peer doesn't.
//!
//! A side that refreshes does so at half of the time that the two agreed on, by UPDATE where the peer takes it and
//! otherwise by a re-INVITE. A session that nobody refreshed is ended shortly before that time is over (§10).

use super::reoffer::Ours;
use super::{Session, SessionTimer, Stage};
use crate::sip::agent::{Ending, SessionEvent};
use crate::sip::core::Core;
use crate::sip::flow::Headers;
use crate::sip::transaction::ServerTxId;
use crate::wire::sip::{Message, Name, Refresher, SessionExpires};
use std::time::Duration;

/// Nobody may have to refresh more often, and what isn't said of Min-SE means this (§5).
const LEAST_S: u32 = 90;
/// A refresh that couldn't be sent, or wasn't accepted, is tried again after so long.
const RETRY: Duration = Duration::from_secs(10);
/// So long before its time is over a session is ended, or a third of that time if that is less (§10).
const MARGIN: Duration = Duration::from_secs(32);
/// How often one session follows a peer that finds its time too short.
const MAX_RAISES: u8 = 3;

#[derive(Default)]
pub(super) struct Watch {
    lease: Option<Lease>,
    /// The largest Min-SE that the peer told with a 422; zero without one.
    told_s: u32,
    raises: u8,
    /// Whether the peer takes UPDATE.
    pub allows_update: bool,
}

/// For how long the session holds, and whether it is ours to refresh it.
#[derive(Clone, Copy)]
struct Lease {
    seconds: u32,
    is_ours: bool,
}

impl Watch {
    /// Of a peer that sent us this INVITE.
    pub fn of(invite: &Message) -> Watch {
        Watch { allows_update: invite.has_token(Name::Allow, "UPDATE"), ..Watch::default() }
    }
}

impl Session {
    /// What our INVITE that begins a session asks for (§7.1).
    pub(super) fn lease_proposed(&self) -> Headers {
        let mut headers = Headers::new();
        let Some(terms) = self.terms.timer.filter(|terms| !terms.expires.is_zero()) else { return headers };
        let least = self.least_s();
        let seconds = whole(terms.expires).max(least);
        headers.push((Name::SessionExpires, SessionExpires { seconds, refresher: None }.to_string()));
        if least > LEAST_S {
            headers.push((Name::MinSe, least.to_string()));
        }
        headers
    }

    /// What a re-INVITE or UPDATE of ours says: the time goes on, and who refreshes stays who it is (§7.4).
    pub(super) fn lease_renewed(&self) -> Headers {
        let mut headers = Headers::new();
        let Some(lease) = self.watch.lease else { return headers };
        let refresher = Some(if lease.is_ours { Refresher::Uac } else { Refresher::Uas });
        let seconds = lease.seconds.max(self.watch.told_s);
        headers.push((Name::SessionExpires, SessionExpires { seconds, refresher }.to_string()));
        if self.least_s() > LEAST_S {
            headers.push((Name::MinSe, self.least_s().to_string()));
        }
        headers
    }

    /// What the peer's 2xx says to our proposal (§7.2).
    pub(super) fn lease_answered(&mut self, answer: &Message) {
        if answer.header(Name::Allow).is_some() {
            self.watch.allows_update = answer.has_token(Name::Allow, "UPDATE");
        }
        let before = self.watch.lease;
        self.watch.lease = match answer.session_expires().filter(|_| self.terms.timer.is_some()) {
            Some(said) => {
                Some(Lease { seconds: said.seconds.max(LEAST_S), is_ours: said.refresher != Some(Refresher::Uas) })
            }
            // A refresh too many does no harm; a peer that is held to a time that it hasn't agreed to would be cut off.
            None => before.filter(|lease| lease.is_ours),
        };
    }

    /// Why the peer's request can't be taken: it wants to be refreshed more often than we allow (§9, 422 and its Min-SE).
    pub(super) fn finds_too_short(&self, request: &Message) -> Option<Headers> {
        let terms = self.terms.timer?;
        let said = request.session_expires()?;
        let least = whole(terms.min).max(LEAST_S);
        // Who doesn't know session timers didn't write it, and couldn't change it.
        (said.seconds < least && knows_timers(request)).then(|| vec![(Name::MinSe, least.to_string())])
    }

    /// Takes on the peer's proposal, and says so in our 2xx (§9).
    pub(super) fn lease_granted(&mut self, core: &Core, server: ServerTxId) -> Headers {
        let mut headers = Headers::new();
        let Some(request) = core.servers.asked(server).map(|asked| &asked.request) else { return headers };
        self.watch.lease = self.granted(request);
        if let Some(lease) = self.watch.lease {
            let refresher = Some(if lease.is_ours { Refresher::Uas } else { Refresher::Uac });
            headers.push((Name::SessionExpires, SessionExpires { seconds: lease.seconds, refresher }.to_string()));
            if !lease.is_ours {
                headers.push((Name::Require, "timer".to_owned()));
            }
        }
        headers
    }

    fn granted(&self, request: &Message) -> Option<Lease> {
        let terms = self.terms.timer?;
        let (knows, before) = (knows_timers(request), self.watch.lease);
        let least = request.min_se().unwrap_or_default().max(whole(terms.min)).max(LEAST_S);
        let wanted = whole(terms.expires);
        match request.session_expires() {
            Some(said) => {
                let is_ours = match said.refresher {
                    _ if !knows => true,
                    Some(refresher) => refresher == Refresher::Uas,
                    None => before.is_none_or(|lease| lease.is_ours),
                };
                let shorter = if wanted == 0 { said.seconds } else { said.seconds.min(wanted.max(least)) };
                Some(Lease { seconds: shorter.max(LEAST_S), is_ours })
            }
            None if knows && wanted > 0 => {
                let is_ours = before.is_none_or(|lease| lease.is_ours);
                Some(Lease { seconds: wanted.max(least), is_ours })
            }
            None => before.filter(|lease| lease.is_ours),
        }
    }

    /// Follows a 422 (§7.3). False where it asks for nothing that we don't do already.
    pub(super) fn is_raised(&mut self, refusal: &Message) -> bool {
        let Some(least) = refusal.min_se().filter(|_| refusal.status() == 422 && self.terms.timer.is_some()) else {
            return false;
        };
        if least <= self.least_s() || self.watch.raises >= MAX_RAISES {
            return false;
        }
        self.watch.raises += 1;
        self.watch.told_s = least;
        true
    }

    /// From now on the peer is looked after, anew with each request that refreshes.
    pub(super) fn look_after(&self, core: &mut Core) {
        for timer in [SessionTimer::Refresh, SessionTimer::Expiry, SessionTimer::Probe] {
            self.stop(core, timer);
        }
        match self.watch.lease {
            Some(lease) => {
                let span = Duration::from_secs(lease.seconds.into());
                if lease.is_ours {
                    self.start(core, SessionTimer::Refresh, span / 2);
                }
                self.start(core, SessionTimer::Expiry, span - MARGIN.min(span / 3));
            }
            None if !self.terms.probe.is_zero() => self.start(core, SessionTimer::Probe, self.terms.probe),
            None => {}
        }
    }

    /// It is time to refresh; whatever else is under way refreshes as well.
    pub(super) fn refresh(&mut self, core: &mut Core) {
        self.start(core, SessionTimer::Refresh, RETRY);
        if !matches!(self.stage, Stage::Up(_)) || self.ours.is_some() || self.theirs.is_some() {
            return;
        }
        if self.watch.allows_update {
            self.send_reoffer(core, Box::new(Ours::refresh()));
        } else {
            self.emit(core, SessionEvent::RefreshDue);
        }
    }

    /// The peer refused an UPDATE that offers nothing.
    pub(super) fn refresh_refused(&mut self, core: &mut Core, status: u16) {
        if matches!(status, 405 | 501) {
            self.watch.allows_update = false;
            self.emit(core, SessionEvent::RefreshDue);
        } else {
            self.emit(core, SessionEvent::Settled);
        }
    }

    /// Nobody refreshed it in time (§10).
    pub(super) fn expired(&mut self, core: &mut Core) {
        let left = std::mem::replace(&mut self.stage, Stage::Over);
        self.close_offers(core, &left);
        let Stage::Up(up) = left else { return };
        self.conclude(core, SessionEvent::ended(Ending::Expired));
        self.leave(core, up.dialog, Headers::new(), None);
    }

    fn least_s(&self) -> u32 {
        self.terms.timer.map_or(0, |terms| whole(terms.min)).max(self.watch.told_s).max(LEAST_S)
    }
}

fn knows_timers(request: &Message) -> bool {
    request.has_token(Name::Supported, "timer") || request.has_token(Name::Require, "timer")
}

fn whole(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}
