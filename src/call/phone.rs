//! A telephone for scripts: one call, placed, played into, recorded, hung up. Pure, like the switch, and driven the same way.

use crate::base::chance::Chance;
use crate::base::time::{Now, Time};
use crate::call::io::{Input, Output};
use crate::call::leg::{Said, description_of};
use crate::call::media::SDP;
use crate::call::media::negotiate::{self, Agreed, Habit, Keys, Local, Secret};
use crate::config::settings::{Prack, Srtp};
use crate::media::command::{Clip, Command, Event as MediaEvent, PortId, Report, Source, Tap};
use crate::sip::agent::{
    Agent, AgentSettings, Ending, Event, Failure, Invite, SessionEvent, SessionId, Terms, TimerTerms,
};
use crate::sip::digest::ClientCredentials;
use crate::sip::flow::{Body, Flow};
use crate::wire::description::{Description, Direction};
use crate::wire::sdp;
use crate::wire::sip::Message;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tandem_codecs::Codec;

const PORT: PortId = PortId(1);
/// Digits follow the answer by so long: many menus miss what comes at once.
const DIGITS_AFTER: Duration = Duration::from_millis(500);
/// For how long each sounds.
const DIGIT: Duration = Duration::from_millis(100);
/// What servers may demand of us.
const EXTENSIONS: [&str; 2] = ["100rel", "timer"];
const TERMS: Terms = Terms {
    prack: Prack::Supported,
    timer: Some(TimerTerms { expires: Duration::from_secs(1_800), min: Duration::from_secs(90) }),
    probe: Duration::ZERO,
};
/// The far side has so long to answer our BYE, and the worker to say its last word.
const GOODBYE: Duration = Duration::from_secs(4);

pub struct PhoneSettings {
    pub flow: Flow,
    pub uri: String,
    /// Name-addr of the caller.
    pub from: String,
    pub user: String,
    pub credentials: Option<ClientCredentials>,
    pub codecs: Vec<Codec>,
    pub srtp: Srtp,
    /// What is played once the call is answered; then silence.
    pub clip: Option<Arc<Clip>>,
    pub tap: Option<Tap>,
    pub digits: String,
    /// From the answer; none to stay until the other side hangs up.
    pub stay: Option<Duration>,
    pub ring_timeout: Duration,
}

pub struct Phone {
    settings: PhoneSettings,
    agent: Agent,
    /// Of which the keys of SRTP are made.
    secret: Secret,
    session: Option<SessionId>,
    announced: Option<SocketAddr>,
    offered: Option<Description>,
    /// What we said last.
    described: Option<Description>,
    agreed: Option<Agreed>,
    version: u64,
    outputs: VecDeque<Output>,
    stage: Stage,
    answered_at: Option<Time>,
    deadline: Option<Time>,
    digits_at: Option<Time>,
    outcome: Outcome,
    news: VecDeque<News>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Calling,
    Talking,
    /// Hung up; the peer's answer or the worker's report is awaited.
    Leaving,
    Done,
}

/// What came of the call.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The final answer; 0 where none came.
    pub status: u16,
    pub reason: String,
    pub codec: Option<String>,
    pub talk: Duration,
    pub ended: String,
    pub media: Option<Report>,
}

/// What the person at the terminal may want to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    Calling,
    Progress { status: u16, reason: String },
    Answered { codec: String },
}

impl Phone {
    pub fn new(settings: PhoneSettings, mut chance: Chance) -> Phone {
        let agent = Agent::new(
            AgentSettings {
                user_agent: format!("Tandem/{} (call)", env!("CARGO_PKG_VERSION")),
                extensions: EXTENSIONS.to_vec(),
                ..AgentSettings::default()
            },
            Chance::from_seed(chance.bytes()),
        );
        let local = settings.flow.local.ip();
        let outputs = VecDeque::from([Output::Media { worker: 0, command: Command::Open { port: PORT, local } }]);
        Phone {
            settings,
            agent,
            secret: Secret(chance.bytes()),
            session: None,
            announced: None,
            offered: None,
            described: None,
            agreed: None,
            version: 0,
            outputs,
            stage: Stage::Opening,
            answered_at: None,
            deadline: None,
            digits_at: None,
            outcome: Outcome::default(),
            news: VecDeque::new(),
        }
    }

    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Received { flow, bytes } => {
                if let Ok(message) = Message::parse(bytes) {
                    self.agent.receive(now, flow, message);
                }
            }
            Input::Unsent { id, was_open } => self.agent.unsent(now, id, was_open),
            Input::Returned { beginning } => self.agent.returned(now, &beginning),
            Input::Media(event) => self.media(now, event),
            Input::Timeout => self.time_out(now),
            Input::HangUp { .. } | Input::EndAll | Input::Drain => self.hang_up(now, "you hung up"),
            _ => {}
        }
        while let Some(event) = self.agent.poll_event() {
            self.sip(now, event);
        }
        while let Some(transmit) = self.agent.poll_transmit() {
            self.outputs.push_back(Output::Send(transmit));
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        [self.agent.poll_timeout(), self.deadline, self.digits_at].into_iter().flatten().min()
    }

    /// What came of it, once all is over.
    pub fn outcome(&self) -> Option<&Outcome> {
        (self.stage == Stage::Done).then_some(&self.outcome)
    }

    fn media(&mut self, now: Now, event: MediaEvent) {
        match event {
            MediaEvent::Opened { number, .. } => {
                self.announced = Some(SocketAddr::new(self.settings.flow.local.ip(), number));
                self.call(now);
            }
            MediaEvent::OpenFailed { why, .. } => {
                self.outcome.ended = format!("no media port: {why}");
                self.stage = Stage::Done;
            }
            MediaEvent::Closed { report, .. } => {
                self.outcome.media = Some(report);
                self.stage = Stage::Done;
            }
            _ => {}
        }
    }

    fn call(&mut self, now: Now) {
        if let Some(tap) = self.settings.tap.take() {
            self.command(Command::Tap { port: PORT, tap: Box::new(tap) });
        }
        let body = self.offer();
        let uri = &self.settings.uri;
        let session = self.agent.invite(
            now,
            Invite {
                contact_user: self.settings.user.clone(),
                body,
                credentials: self.settings.credentials.clone(),
                terms: TERMS,
                ..Invite::new(self.settings.flow, uri.clone(), self.settings.from.clone(), format!("<{uri}>"))
            },
        );
        self.session = Some(session);
        self.stage = Stage::Calling;
        self.deadline = Some(now.time + self.settings.ring_timeout);
        self.news.push_back(News::Calling);
    }

    fn keys(&self) -> Keys<'_> {
        Keys { policy: self.settings.srtp, secret: &self.secret, habit: Habit::default() }
    }

    fn offer(&mut self) -> Option<Body> {
        let address = self.announced?;
        self.version += 1;
        let local = Local {
            address,
            codecs: &self.settings.codecs,
            direction: Direction::SendRecv,
            session: 1,
            version: self.version,
            ptime_ms: None,
            keys: self.keys(),
        };
        let offered = negotiate::offer(&local);
        let body = body(&offered);
        self.described = Some(offered.clone());
        self.offered = Some(offered);
        Some(body)
    }

    fn sip(&mut self, now: Now, event: Event) {
        match event {
            Event::Session { session, event } if Some(session) == self.session => {
                self.session_event(now, session, event)
            }
            Event::Invited { session, .. } => self.agent.refuse(now, session, 486, "", Vec::new()),
            Event::Request { id, .. } => self.agent.respond(now, id, 405, "", Vec::new(), None),
            Event::Astray { id, .. } => self.agent.lead(now, id, None),
            _ => {}
        }
    }

    fn session_event(&mut self, now: Now, session: SessionId, event: SessionEvent) {
        match event {
            SessionEvent::Progress { message } => {
                let (status, reason) = (message.status(), message.reason_phrase().to_owned());
                self.news.push_back(News::Progress { status, reason });
                if self.accept(&message, true) {
                    self.configure();
                }
            }
            SessionEvent::Answered { message } => self.answered(now, session, &message),
            SessionEvent::Refused { message } => {
                self.outcome.status = message.status();
                self.outcome.reason = message.reason_phrase().to_owned();
                self.leave(now, format!("{} {}", message.status(), message.reason_phrase()));
            }
            SessionEvent::Failed { cause } => {
                let why = match cause {
                    Failure::Timeout => "no answer at all: is that the right address and port?",
                    Failure::Transport => "unreachable: nothing listens there",
                    Failure::Limit => "too many transactions",
                };
                self.leave(now, why.to_owned());
            }
            SessionEvent::Reoffered { message } => self.reoffered(now, session, &message),
            SessionEvent::RefreshDue => self.refresh(now, session),
            SessionEvent::Reanswered { message } if self.accept(&message, false) => self.configure(),
            SessionEvent::Rerefused { .. } => self.offered = None,
            SessionEvent::Asked { id, .. } => self.agent.respond(now, id, 405, "", Vec::new(), None),
            SessionEvent::Ended { by, .. } => {
                let why = match by {
                    Ending::Peer { reason } => match reason {
                        Some(reason) => format!("the other side hung up ({reason})"),
                        None => "the other side hung up".to_owned(),
                    },
                    Ending::PeerGone => "the other side vanished".to_owned(),
                    _ => "hung up".to_owned(),
                };
                self.leave(now, why);
            }
            _ => {}
        }
    }

    fn answered(&mut self, now: Now, session: SessionId, message: &Message) {
        self.agent.ack(now, session, None);
        self.outcome.status = message.status();
        self.outcome.reason = message.reason_phrase().to_owned();
        self.answered_at = Some(now.time);
        let agreed_before = self.agreed.is_some();
        if !self.accept(message, false) && !agreed_before {
            self.hang_up(now, "the answer has no media that we can use");
            return;
        }
        let codec = self.agreed.as_ref().map(Agreed::codec_text).unwrap_or_default();
        self.outcome.codec = Some(codec.clone());
        self.news.push_back(News::Answered { codec });
        self.stage = Stage::Talking;
        self.configure();
        let clip = self.settings.clip.take();
        let repeat = clip.is_none();
        let clip = clip.unwrap_or_else(|| Arc::new(Clip { rate: 8_000, samples: vec![0; 8_000] }));
        self.command(Command::Connect { port: PORT, source: Source::Play { clip, repeat } });
        self.deadline = self.settings.stay.map(|stay| now.time + stay);
        self.digits_at = (!self.settings.digits.is_empty()).then(|| now.time + DIGITS_AFTER);
    }

    fn reoffered(&mut self, now: Now, session: SessionId, message: &Message) {
        let answer = match (description_of(message), self.announced) {
            (Said::Media(offer), Some(address)) => {
                self.version += 1;
                let local = Local {
                    address,
                    codecs: &self.settings.codecs,
                    direction: Direction::SendRecv,
                    session: 1,
                    version: self.version,
                    ptime_ms: None,
                    keys: self.keys(),
                };
                negotiate::answer(&offer, &local, None).ok()
            }
            _ => None,
        };
        match answer {
            Some((description, agreed)) => {
                self.agreed = Some(agreed);
                self.described = Some(description.clone());
                self.agent.reanswer(now, session, 200, "", Vec::new(), Some(body(&description)));
                self.configure();
            }
            None => self.agent.reanswer(now, session, 488, "", Vec::new(), None),
        }
    }

    /// The session lasts for as long again by an offer that changes nothing (RFC 4028 §7.4).
    fn refresh(&mut self, now: Now, session: SessionId) {
        let Some(described) = self.described.clone() else { return };
        let body = body(&described);
        if self.agent.reoffer(now, session, Some(body)).is_ok() {
            self.offered = Some(described);
        }
    }

    fn accept(&mut self, message: &Message, provisional: bool) -> bool {
        let Said::Media(answer) = description_of(message) else { return false };
        let offered = if provisional { self.offered.clone() } else { self.offered.take() };
        let Some(Ok(agreed)) = offered.map(|offered| negotiate::accept(&offered, &answer)) else { return false };
        self.agreed = Some(agreed);
        true
    }

    fn configure(&mut self) {
        let Some(agreed) = &self.agreed else { return };
        let settings = Box::new(agreed.port_settings(Direction::SendRecv, None, &[], None));
        self.command(Command::Configure { port: PORT, settings });
    }

    fn time_out(&mut self, now: Now) {
        self.agent.handle_timeout(now);
        if self.digits_at.is_some_and(|at| at <= now.time) {
            self.digits_at = None;
            let digits = std::mem::take(&mut self.settings.digits);
            self.command(Command::Dial { port: PORT, digits, duration: DIGIT });
        }
        if self.deadline.is_some_and(|at| at <= now.time) {
            self.deadline = None;
            match self.stage {
                Stage::Leaving => self.stage = Stage::Done,
                Stage::Calling => self.hang_up(now, "nobody answered in time"),
                _ => self.hang_up(now, "the time was up"),
            }
        }
    }

    fn hang_up(&mut self, now: Now, why: &str) {
        let Some(session) = self.session else {
            self.stage = Stage::Done;
            return;
        };
        match self.stage {
            Stage::Leaving | Stage::Done => {}
            _ if self.answered_at.is_some() => {
                self.agent.bye(now, session, None);
                self.part(now, why.to_owned());
            }
            _ => {
                self.agent.cancel(now, session, None);
                self.part(now, why.to_owned());
            }
        }
    }

    /// We are leaving; the port closes when the peer has confirmed, or after a while.
    fn part(&mut self, now: Now, why: String) {
        self.outcome.ended = why;
        self.stage = Stage::Leaving;
        self.outcome.talk = self.answered_at.map_or(Duration::ZERO, |at| now.time - at);
        self.deadline = Some(now.time + GOODBYE);
    }

    fn leave(&mut self, now: Now, why: String) {
        if self.stage != Stage::Leaving {
            self.part(now, why);
        }
        self.command(Command::Close { port: PORT });
    }

    fn command(&mut self, command: Command) {
        self.outputs.push_back(Output::Media { worker: 0, command });
    }
}

fn body(description: &Description) -> Body {
    Body { content_type: SDP.into(), bytes: sdp::write(description, "tandem").into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Wall;
    use crate::sip::flow::Transport;
    use crate::wire::sip::{Method, Name};
    use bytes::Bytes;

    struct Line {
        phone: Phone,
        time: Time,
        flow: Flow,
    }

    impl Line {
        fn new() -> Line {
            let flow = Flow {
                transport: Transport::Tcp,
                local: "192.0.2.1:5062".parse().unwrap(),
                remote: "192.0.2.2:5060".parse().unwrap(),
            };
            let settings = PhoneSettings {
                flow,
                uri: "sip:bob@192.0.2.2".to_owned(),
                from: "<sip:alice@192.0.2.2>".to_owned(),
                user: "alice".to_owned(),
                credentials: None,
                codecs: vec![Codec::Pcmu],
                srtp: Srtp::Never,
                clip: None,
                tap: None,
                digits: String::new(),
                stay: None,
                ring_timeout: Duration::from_secs(60),
            };
            Line { phone: Phone::new(settings, Chance::from_number(1)), time: Time::from_millis(1), flow }
        }

        /// What is sent for an input.
        fn tell(&mut self, input: Input) -> Vec<Message> {
            self.phone.handle(Now::simulated(self.time, Wall::default()), input);
            let outputs = std::iter::from_fn(|| self.phone.poll_output());
            let sent = outputs.filter_map(|output| match output {
                Output::Send(transmit) => Message::parse(transmit.bytes).ok(),
                _ => None,
            });
            sent.collect()
        }

        /// The answer of the far side to a request, with more lines and a body.
        fn answer(&mut self, to: &Message, status: &str, more: &str, body: &str) -> Vec<Message> {
            let of = |name| to.header(name).unwrap_or_default();
            let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
            let text = format!(
                "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: <sip:bob@192.0.2.2>;tag=b\r\nCall-ID: {}\r\nCSeq: {}\r\n\
                 Contact: <sip:bob@192.0.2.2:5060>\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}",
                of(Name::Via),
                of(Name::From),
                of(Name::CallId),
                of(Name::CSeq),
                body.len()
            );
            self.tell(Input::Received { flow: self.flow, bytes: Bytes::from(text) })
        }
    }

    const SOUND: &str =
        "v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

    #[test]
    fn a_server_may_demand_acknowledged_ringing_and_a_session_timer() {
        let mut line = Line::new();
        let opened = MediaEvent::Opened { port: PORT, number: 40_000 };
        let invite = line.tell(Input::Media(opened)).pop().unwrap();
        assert!(invite.has_token(Name::Supported, "100rel") && invite.has_token(Name::Supported, "timer"));
        assert!(invite.header(Name::SessionExpires).unwrap().starts_with("1800"));

        let prack =
            line.answer(&invite, "183 Session Progress", "Require: 100rel\r\nRSeq: 7\r\n", SOUND).pop().unwrap();
        let rack = format!("7 {}", invite.header(Name::CSeq).unwrap());
        assert_eq!((prack.method(), prack.header(Name::RAck)), (&Method::Prack, Some(rack.as_str())));
        assert!(line.answer(&prack, "200 OK", "", "").is_empty());

        let timer = "Require: timer\r\nSession-Expires: 90;refresher=uac\r\n";
        let ack = line.answer(&invite, "200 OK", timer, "").pop().unwrap();
        assert_eq!(*ack.method(), Method::Ack, "the description came before");
        line.time += Duration::from_secs(46);
        let refresh = line.tell(Input::Timeout).pop().unwrap();
        assert_eq!(*refresh.method(), Method::Invite, "the far side doesn't know UPDATE");
        assert_eq!(refresh.body(), invite.body(), "nothing changes");
        let ack = line.answer(&refresh, "200 OK", timer, SOUND).pop().unwrap();
        assert_eq!(*ack.method(), Method::Ack);
        line.time += Duration::from_secs(46);
        assert_eq!(*line.tell(Input::Timeout).pop().unwrap().method(), Method::Invite, "and again");
    }
}
