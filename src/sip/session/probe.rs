//! OPTIONS in the dialog, to see whether a peer without session timers still has it.

use super::send::Request;
use super::{Session, SessionTimer, Stage};
use crate::sip::agent::Failure;
use crate::sip::core::{Core, Owner};
use crate::wire::sip::{Message, Method};

/// So many questions in a row that couldn't be sent end the session.
const ASTRAY: u8 = 3;

impl Session {
    pub(super) fn probe(&mut self, core: &mut Core) {
        self.start(core, SessionTimer::Probe, self.terms.probe);
        if let Stage::Up(up) = &self.stage
            && up.probe.is_none()
        {
            self.send_probe(core, 0);
        }
    }

    fn send_probe(&mut self, core: &mut Core, attempts: u8) {
        let Stage::Up(up) = &mut self.stage else { return };
        up.probe = Some(attempts);
        let request = Request::new(Method::Options);
        request.send(core, &mut up.dialog, &mut self.responder, &self.contact, Owner::Probe(self.id));
    }

    /// Whatever it is, an answer but 481 and 408 shows that the peer is there (RFC 5057 §5.1).
    pub fn probe_response(&mut self, core: &mut Core, message: &Message) {
        let Stage::Up(up) = &mut self.stage else { return };
        if message.status() < 200 {
            return;
        }
        let Some(mut attempts) = up.probe.take() else { return };
        up.astray = 0;
        match message.status() {
            481 => self.peer_gone(core, true),
            408 => self.peer_gone(core, false),
            _ if self.takes_challenge(message, &mut attempts) => self.send_probe(core, attempts),
            _ => {}
        }
    }

    /// No answer is one as well. A peer that takes no connection now may do so the next time: its media say more.
    pub fn probe_failed(&mut self, core: &mut Core, cause: Failure) {
        let Stage::Up(up) = &mut self.stage else { return };
        if up.probe.take().is_none() {
            return;
        }
        up.astray = if cause == Failure::Transport { up.astray + 1 } else { ASTRAY };
        if up.astray >= ASTRAY {
            self.peer_gone(core, false);
        }
    }
}
