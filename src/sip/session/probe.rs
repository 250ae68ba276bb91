//! OPTIONS in the dialog, to see whether a peer without session timers still has it.

use super::send::Request;
use super::{Session, SessionTimer, Stage};
use crate::sip::core::{Core, Owner};
use crate::wire::sip::{Message, Method};

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
        match message.status() {
            481 => self.peer_gone(core, true),
            408 => self.peer_gone(core, false),
            _ if self.takes_challenge(message, &mut attempts) => self.send_probe(core, attempts),
            _ => {}
        }
    }

    pub fn probe_failed(&mut self, core: &mut Core) {
        if matches!(&self.stage, Stage::Up(up) if up.probe.is_some()) {
            self.peer_gone(core, false);
        }
    }
}
