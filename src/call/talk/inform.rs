//! INFO within a call: digits, which go on in whatever way the other side takes them, and bodies that a rule lets pass.

use crate::base::time::Now;
use crate::call::exchange::Exchange;
use crate::call::media::Media;
use crate::call::state::Call;
use crate::config::settings::Dtmf;
use crate::media::command::Command;
use crate::sip::agent::{Question, ServerId};
use crate::sip::flow::{Body, Headers};
use crate::wire::dtmf_info::{self, Press};
use crate::wire::sip::{Message, Method, Name};
use std::time::Duration;

/// Digits that wait until a worker's ring has room again; more than anybody dials in that time.
const WAITING: usize = 64;

impl Call {
    /// An INFO of `leg`. One that belongs to an Info Package is refused, since we announce none (RFC 6086 §4.2.2); one
    /// without a body only asks whether we are there.
    pub fn informed(&mut self, exchange: &mut Exchange, now: Now, leg: usize, id: ServerId, message: &Message) {
        if message.header(Name::InfoPackage).is_some() {
            return exchange.agent.respond(now, id, 469, "", vec![(Name::RecvInfo, String::new())], None);
        }
        if message.body().is_empty() {
            return exchange.agent.respond(now, id, 200, "", Headers::new(), None);
        }
        let content_type = message.content_type().unwrap_or_default();
        let main = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if main == dtmf_info::RELAY || main == dtmf_info::PLAIN {
            let press = dtmf_info::parse(&message.body());
            let status = if press.is_some() { 200 } else { 400 };
            exchange.agent.respond(now, id, status, "", Headers::new(), None);
            if let Some(Press::Digit { digit, duration }) = press {
                self.pressed(exchange, now, leg, digit, duration);
            }
            return;
        }
        let passes = &exchange.settings.sip.pass_info;
        if passes.contains(&main) {
            return self.carry(exchange, now, leg, id, message);
        }
        let known = [dtmf_info::RELAY, dtmf_info::PLAIN].into_iter().chain(passes.iter().map(String::as_str));
        let headers = vec![(Name::Accept, known.collect::<Vec<_>>().join(", "))];
        exchange.agent.respond(now, id, 415, "", headers, None);
    }

    /// A digit that came in an INFO of `leg`.
    fn pressed(&mut self, exchange: &mut Exchange, now: Now, leg: usize, digit: char, duration: Duration) {
        let Some(to) = self.listener(leg) else { return };
        if self.takes_events(exchange, to) {
            self.dial_digit(exchange, to, digit);
        } else {
            self.inform(exchange, now, to, digit, duration);
        }
    }

    /// A digit that `leg` sent as a telephone-event. The worker carries it on where the other side takes events too.
    pub fn digit_heard(&mut self, exchange: &mut Exchange, now: Now, leg: usize, digit: char, duration: Duration) {
        let Some(to) = self.listener(leg) else { return };
        if !self.takes_events(exchange, to) {
            self.inform(exchange, now, to, digit, duration);
        }
    }

    /// How a leg is told of digits: as its trunk says, and phones as they negotiated.
    pub fn digits_of(&self, exchange: &Exchange, leg: usize) -> Dtmf {
        let trunk = self.legs[leg].trunk.as_deref().and_then(|name| exchange.trunks.by_name(name));
        trunk.map_or(Dtmf::Auto, |trunk| trunk.settings.dtmf)
    }

    /// Digits that found a worker's ring full.
    pub fn dial_again(&mut self, exchange: &mut Exchange) {
        for leg in &mut self.legs {
            if let Some(media) = leg.media.as_mut().filter(|media| !media.undialled.is_empty()) {
                let digits = std::mem::take(&mut media.undialled);
                if let Some(port) = media.sound().and_then(|sound| sound.port) {
                    exchange.command(self.worker, Command::Dial { port, digits });
                }
            }
        }
    }

    /// Keeps digits for later.
    pub fn undialled(&mut self, leg: usize, digits: &str) {
        if let Some(media) = self.legs[leg].media.as_mut().filter(|media| media.undialled.len() < WAITING) {
            media.undialled.extend(digits.chars().take(WAITING));
        }
    }

    /// Who hears what `leg` presses: the side that it talks to, or the one whose early media the caller hears.
    fn listener(&self, leg: usize) -> Option<usize> {
        self.other(leg).or_else(|| self.heard.filter(|_| leg == 0))
    }

    fn takes_events(&self, exchange: &Exchange, leg: usize) -> bool {
        let agreed = self.legs[leg].media.as_ref().and_then(Media::agreed);
        match self.digits_of(exchange, leg) {
            Dtmf::Rfc4733 => true,
            Dtmf::Info => false,
            Dtmf::Auto => agreed.is_some_and(|agreed| agreed.send_events.is_some()),
        }
    }

    fn dial_digit(&self, exchange: &mut Exchange, leg: usize, digit: char) {
        let sound = self.legs[leg].media.as_ref().and_then(Media::sound);
        if let Some(port) = sound.and_then(|sound| sound.port) {
            exchange.command(self.worker, Command::Dial { port, digits: digit.to_string() });
        }
    }

    fn inform(&self, exchange: &mut Exchange, now: Now, leg: usize, digit: char, duration: Duration) {
        let Some(session) = self.legs[leg].session() else { return };
        let bytes = dtmf_info::write(digit, duration).into_bytes().into();
        let body = Some(Body { content_type: dtmf_info::RELAY.into(), bytes });
        // A side that doesn't answer what it was told before loses digits, and not the call.
        let _ = exchange.agent.ask(now, session, Question { method: Method::Info, headers: Headers::new(), body });
    }
}
