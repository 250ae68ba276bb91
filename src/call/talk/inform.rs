//! INFO within a call: digits, which go on in whatever way the other side takes them, and bodies that a rule lets pass.

use crate::base::time::Now;
use crate::call::exchange::Exchange;
use crate::call::media::Media;
use crate::call::media::stream::{Digits, Told};
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
            if let Some(Press { digit, duration }) = press {
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
        if let Some(media) = self.legs[leg].media.as_mut()
            && !std::mem::replace(&mut media.informs, true)
        {
            // Its tones, if it makes any, would be a second time to tell the same.
            self.rewire(exchange);
        }
        let Some(to) = self.listener(leg) else { return };
        match self.told(exchange, to) {
            Told::Info => self.inform(exchange, now, to, digit, duration),
            Told::Events | Told::Tones => self.dial_digit(exchange, to, digit, duration),
        }
    }

    /// A digit that `leg` sent as a telephone-event or as tones. The worker carries it on where the other side takes
    /// either.
    pub fn digit_heard(&mut self, exchange: &mut Exchange, now: Now, leg: usize, digit: char, duration: Duration) {
        let Some(to) = self.listener(leg) else { return };
        if self.told(exchange, to) == Told::Info {
            self.inform(exchange, now, to, digit, duration);
        }
    }

    /// How a leg is told of digits: as its trunk says, and phones as they negotiated, or as they tell us.
    pub fn told(&self, exchange: &Exchange, leg: usize) -> Told {
        let trunk = self.legs[leg].trunk.as_deref().and_then(|name| exchange.trunks.by_name(name));
        let agreed = self.legs[leg].media.as_ref().and_then(Media::agreed);
        let takes_events = agreed.is_some_and(|agreed| agreed.send_events.is_some());
        let takes_tones = agreed.is_some_and(|agreed| agreed.format.codec().is_some());
        let informs = self.legs[leg].media.as_ref().is_some_and(|media| media.informs);
        match trunk.map_or(Dtmf::Auto, |trunk| trunk.settings.dtmf) {
            Dtmf::Rfc4733 => Told::Events,
            Dtmf::Auto if takes_events => Told::Events,
            Dtmf::Auto if informs => Told::Info,
            Dtmf::Auto | Dtmf::Inband if takes_tones => Told::Tones,
            Dtmf::Auto | Dtmf::Inband | Dtmf::Info => Told::Info,
        }
    }

    /// How digits go between the caller and `leg`. Tones pass in the sound between two that both have them.
    pub fn digits_between(&self, exchange: &Exchange, leg: usize) -> [Digits; 2] {
        let [one, two] = [0, leg].map(|leg| self.told(exchange, leg));
        let wants = |leg: usize| self.legs[leg].session().is_some();
        let is_heard = |from: Told, to: Told, leg: usize| from == Told::Tones && to != Told::Tones && wants(leg);
        [
            Digits { told: one, are_heard: is_heard(one, two, leg) },
            Digits { told: two, are_heard: is_heard(two, one, 0) },
        ]
    }

    /// Whether somebody listens for tones in the sound between the caller and `leg`.
    pub fn hears_digits(&self, exchange: &Exchange, leg: usize) -> bool {
        self.digits_between(exchange, leg).iter().any(|digits| digits.are_heard)
    }

    /// Digits that found a worker's ring full.
    pub fn dial_again(&mut self, exchange: &mut Exchange) {
        for leg in &mut self.legs {
            if let Some(media) = leg.media.as_mut().filter(|media| !media.undialled.is_empty()) {
                let digits = std::mem::take(&mut media.undialled);
                let Some(port) = media.sound().and_then(|sound| sound.port) else { continue };
                for (digit, duration) in digits {
                    exchange.command(self.worker, Command::Dial { port, digits: digit.to_string(), duration });
                }
            }
        }
    }

    /// Keeps digits for later.
    pub fn undialled(&mut self, leg: usize, digits: &str, duration: Duration) {
        if let Some(media) = self.legs[leg].media.as_mut() {
            let room = WAITING.saturating_sub(media.undialled.len());
            media.undialled.extend(digits.chars().take(room).map(|digit| (digit, duration)));
        }
    }

    /// Who hears what `leg` presses: the side that it talks to, or the one whose early media the caller hears.
    fn listener(&self, leg: usize) -> Option<usize> {
        self.other(leg).or_else(|| self.heard.filter(|_| leg == 0))
    }

    fn dial_digit(&self, exchange: &mut Exchange, leg: usize, digit: char, duration: Duration) {
        let sound = self.legs[leg].media.as_ref().and_then(Media::sound);
        if let Some(port) = sound.and_then(|sound| sound.port) {
            exchange.command(self.worker, Command::Dial { port, digits: digit.to_string(), duration });
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
