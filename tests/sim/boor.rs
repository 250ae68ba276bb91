//! A carrier without manners. No agent writes its messages: it answers twice and with other tags, or not at all, it repeats
//! itself and forgets itself, ends what hasn't begun, and sends what is no SIP.

use crate::network::below;
use crate::office::{BOOR, GATEWAY};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::Time;
use tandem::wire::sip::{Message, Method, Name};

/// Everything that it wants to do in a call, it does by then.
const SPAN: Duration = Duration::from_secs(20);

pub struct Boor {
    chance: Chance,
    /// What it is going to send.
    plans: BTreeMap<(Time, u64), Plan>,
    planned: u64,
    /// Requests that it has heard, which don't surprise it again.
    heard: HashSet<(String, u32, String)>,
    calls: BTreeMap<String, Dialog>,
}

enum Plan {
    Send(Vec<u8>),
    /// A request in a call, written when it is sent.
    Ask(String, Ask),
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Ack,
    Bye,
    Cancel,
    Invite,
    Update,
    Prack,
    Info,
    Refer,
    Unheard,
}

/// What it knows of a call.
struct Dialog {
    /// The gateway's address in the call.
    target: String,
    from: String,
    to: String,
    cseq: u32,
    /// The INVITE that began it, where that is its own.
    invite: Option<String>,
}

impl Boor {
    pub fn new(chance: Chance) -> Boor {
        let (plans, heard, calls) = (BTreeMap::new(), HashSet::new(), BTreeMap::new());
        Boor { chance, plans, planned: 0, heard, calls }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.plans.first_key_value().map(|(&(at, _), _)| at)
    }

    pub fn poll_transmit(&mut self, now: Time) -> Option<Vec<u8>> {
        loop {
            let entry = self.plans.first_entry().filter(|entry| entry.key().0 <= now)?;
            let text = match entry.remove() {
                Plan::Send(bytes) => bytes,
                Plan::Ask(call_id, ask) => match self.ask(&call_id, ask) {
                    Some(text) => text.into_bytes(),
                    None => continue,
                },
            };
            return Some(if self.chance.below(12) == 0 { self.mangle(text) } else { text });
        }
    }

    /// Calls somebody; the number of the call stands beside its name.
    pub fn call(&mut self, now: Time, number: usize, dialled: &str) -> String {
        let call_id = format!("boor{number}-{}", self.chance.token(8));
        let from = format!("\"c{number}\" <sip:+4930999@{BOOR}>;tag={}", self.chance.token(6));
        let to = format!("<sip:{dialled}@{GATEWAY}>");
        let branch = self.chance.token(10);
        let mut invite = String::new();
        let _ = write!(
            invite,
            "INVITE sip:{dialled}@{GATEWAY} SIP/2.0\r\nVia: SIP/2.0/UDP {BOOR};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: 10 INVITE\r\n\
             Contact: <sip:boor@{BOOR}>\r\nSupported: 100rel, timer\r\n"
        );
        let body = self.body();
        let invite = with_body(invite, body.as_deref());
        self.plan(now, Plan::Send(invite.clone().into_bytes()));
        let dialog =
            Dialog { target: format!("sip:{dialled}@{GATEWAY}"), from, to, cseq: 10, invite: Some(invite.clone()) };
        self.calls.insert(call_id.clone(), dialog);
        for _ in 0..self.chance.below(7) {
            let at = now + below(&mut self.chance, SPAN);
            let plan = match self.chance.below(12) {
                0 => Plan::Send(invite.clone().into_bytes()),
                // The same request by another way, and one that is older.
                1 => Plan::Send(invite.replace("z9hG4bK", "z9hG4bKother").into_bytes()),
                2 => Plan::Send(invite.replace("z9hG4bK", "z9hG4bKold").replace("CSeq: 10", "CSeq: 9").into_bytes()),
                3 => Plan::Send(self.mangle(invite.clone().into_bytes())),
                4 => Plan::Send(self.noise()),
                _ => Plan::Ask(call_id.clone(), self.any_ask()),
            };
            self.plan(at, plan);
        }
        call_id
    }

    pub fn receive(&mut self, now: Time, message: &Message) {
        match message.is_request() {
            true => self.requested(now, message),
            false => self.answered(now, message),
        }
    }

    fn answered(&mut self, now: Time, message: &Message) {
        let call_id = message.call_id().to_owned();
        let Some(dialog) = self.calls.get_mut(&call_id) else { return };
        let is_invite = message.cseq().is_ok_and(|cseq| cseq.method == "INVITE");
        if is_invite && let Some(to) = message.header(Name::To) {
            dialog.to = to.to_owned();
            if let Some(target) = contact(message) {
                dialog.target = target;
            }
        }
        // It mostly acknowledges, and sometimes more than once.
        if is_invite && message.status() >= 200 && self.chance.below(4) > 0 {
            for _ in 0..1 + self.chance.below(2) {
                let at = now + below(&mut self.chance, Duration::from_secs(1));
                self.plan(at, Plan::Ask(call_id.clone(), Ask::Ack));
            }
        }
    }

    fn requested(&mut self, now: Time, request: &Message) {
        let Ok(cseq) = request.cseq() else { return };
        let key = (request.call_id().to_owned(), cseq.number, request.method().as_str().to_owned());
        let is_new = self.heard.insert(key);
        let at = now + below(&mut self.chance, Duration::from_secs(2));
        match request.method() {
            Method::Ack => {}
            Method::Invite if is_new => self.invited(now, request),
            Method::Invite => {}
            Method::Cancel => self.cancelled(now, request),
            _ if self.chance.below(6) == 0 => {}
            _ => {
                let status = ["200 OK", "200 OK", "200 OK", "481 Gone", "500 Oops", "405 No"];
                let status = status[self.chance.below(6) as usize];
                let text = self.response(request, status, "", "", None);
                self.plan(at, Plan::Send(text.into_bytes()));
            }
        }
    }

    /// Some answers, in any order, from any of three phones.
    fn invited(&mut self, now: Time, invite: &Message) {
        let call_id = invite.call_id().to_owned();
        let tags: [String; 3] = std::array::from_fn(|_| self.chance.token(6));
        let header = |name| invite.header(name).unwrap_or_default().to_owned();
        self.calls.entry(call_id.clone()).or_insert(Dialog {
            target: contact(invite).unwrap_or_default(),
            from: format!("{};tag={}", header(Name::To), tags[0]),
            to: header(Name::From),
            cseq: 50,
            invite: None,
        });
        for _ in 0..self.chance.below(8) {
            let at = now + below(&mut self.chance, SPAN);
            let tag = tags[self.chance.below(3) as usize].clone();
            let plan = match self.chance.below(20) {
                0 => Plan::Send(self.noise()),
                1..5 => Plan::Ask(call_id.clone(), self.any_ask()),
                _ => {
                    let (status, extra) = self.any_answer();
                    let body = self.body();
                    let text = self.response(invite, status, &tag, &extra, body.as_deref());
                    Plan::Send(text.into_bytes())
                }
            };
            self.plan(at, plan);
        }
        // In most cases it comes to an end.
        if self.chance.below(4) > 0 {
            let status = ["486 Busy Here", "404 Nobody", "503 Later", "200 OK", "603 Never"];
            let body = self.body();
            let status = status[self.chance.below(5) as usize];
            let text = self.response(invite, status, &tags[0], "", body.as_deref());
            self.plan(now + SPAN, Plan::Send(text.into_bytes()));
        }
    }

    fn cancelled(&mut self, now: Time, cancel: &Message) {
        let of_invite = |text: String| text.replace("CANCEL\r\n", "INVITE\r\n");
        let answers = match self.chance.below(6) {
            0 => vec![],
            1 => vec![self.response(cancel, "200 OK", "x", "", None)],
            2 => vec![self.response(cancel, "481 What", "x", "", None)],
            // It answers the call all the same.
            3 => {
                let body = self.body();
                let answer = of_invite(self.response(cancel, "200 OK", "late", "", body.as_deref()));
                vec![self.response(cancel, "200 OK", "x", "", None), answer]
            }
            _ => {
                let refusal = of_invite(self.response(cancel, "487 Terminated", "x", "", None));
                vec![refusal, self.response(cancel, "200 OK", "x", "", None)]
            }
        };
        for answer in answers {
            let at = now + below(&mut self.chance, Duration::from_secs(1));
            self.plan(at, Plan::Send(answer.into_bytes()));
        }
    }

    fn any_answer(&mut self) -> (&'static str, String) {
        let none = String::new;
        match self.chance.below(16) {
            0 => ("100 Trying", none()),
            1 | 2 => ("180 Ringing", none()),
            3 => ("180 Ringing", format!("Require: 100rel\r\nRSeq: {}\r\n", self.chance.below(5))),
            4 => ("183 Progress", format!("Require: 100rel\r\nRSeq: {}\r\n", self.chance.u32())),
            5 => ("183 Progress", none()),
            6 => ("199 Early Dialog Terminated", none()),
            7 => ("302 Elsewhere", format!("Contact: <sip:5{}@sip.boor.test>\r\n", self.chance.below(1_000))),
            8 => ("401 Who", "WWW-Authenticate: Digest realm=\"\", nonce=, algorithm=ROT13\r\n".to_owned()),
            9 => ("407 Who", "Proxy-Authenticate: Digest realm=\"b\", nonce=\"n\", qop=\"auth\"\r\n".to_owned()),
            10 => ("422 Too Short", format!("Min-SE: {}\r\n", self.chance.u32())),
            11 => ("491 Pending", none()),
            12 => ("200 OK", "Session-Expires: 1;refresher=uas\r\nRequire: timer\r\n".to_owned()),
            _ => ("200 OK", none()),
        }
    }

    fn any_ask(&mut self) -> Ask {
        let asks = [
            Ask::Ack,
            Ask::Bye,
            Ask::Bye,
            Ask::Cancel,
            Ask::Invite,
            Ask::Invite,
            Ask::Update,
            Ask::Prack,
            Ask::Info,
            Ask::Refer,
            Ask::Unheard,
        ];
        asks[self.chance.below(asks.len() as u64) as usize]
    }

    /// A request in a dialog that may not be there, with a number that may have been used.
    fn ask(&mut self, call_id: &str, ask: Ask) -> Option<String> {
        let body = self.body();
        let step = [0, 1, 1, 1, 1, 7][self.chance.below(6) as usize];
        let old = self.chance.below(10) == 0;
        let branch = self.chance.token(10);
        let dialog = self.calls.get_mut(call_id)?;
        if let Ask::Cancel = ask {
            let invite = dialog.invite.as_ref()?;
            let head = invite.split("\r\n\r\n").next()?.replacen("INVITE", "CANCEL", 1);
            return Some(with_body(format!("{}\r\n", head.replace("10 INVITE", "10 CANCEL")), None));
        }
        let (method, extra) = match ask {
            Ask::Ack => ("ACK", ""),
            Ask::Bye | Ask::Cancel => ("BYE", ""),
            Ask::Invite => ("INVITE", "Supported: replaces\r\n"),
            Ask::Update => ("UPDATE", ""),
            Ask::Prack => ("PRACK", "RAck: 1 10 INVITE\r\n"),
            Ask::Info => ("INFO", "Info-Package: nonsense\r\n"),
            Ask::Refer => ("REFER", "Refer-To: <sip:user1@tandem.test;method=BYE>\r\n"),
            Ask::Unheard => ("FROBNICATE", ""),
        };
        let cseq = match ask {
            Ask::Ack => 10,
            _ if old => 1,
            _ => {
                dialog.cseq += step;
                dialog.cseq
            }
        };
        let Dialog { target, from, to, .. } = &*dialog;
        let head = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {BOOR};branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:boor@{BOOR}>\r\n{extra}"
        );
        Some(with_body(head, body.as_deref().filter(|_| matches!(ask, Ask::Invite | Ask::Update | Ask::Ack))))
    }

    fn response(&self, request: &Message, status: &str, tag: &str, extra: &str, body: Option<&str>) -> String {
        let mut head = format!("SIP/2.0 {status}\r\n");
        let kept = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];
        for field in request.fields().filter(|field| kept.contains(&field.kind())) {
            let is_to = field.kind() == Name::To && !field.value().contains(";tag=") && !tag.is_empty();
            let tag = if is_to { format!(";tag={tag}") } else { String::new() };
            let _ = write!(head, "{}: {}{tag}\r\n", field.kind().as_str(), field.value());
        }
        let _ = write!(head, "Contact: <sip:boor@{BOOR}>\r\n{extra}");
        with_body(head, body)
    }

    /// Some SDP, which may be none.
    fn body(&mut self) -> Option<String> {
        let line = match self.chance.below(10) {
            0 => return None,
            1 => "m=audio 0 RTP/AVP 0\r\n",
            2 => "m=audio 40000 RTP/AVP 97\r\na=rtpmap:97 SPEEX/8000\r\n",
            3 => "m=audio 40002 RTP/AVP 0\r\nm=video 40000 RTP/AVP 31\r\n",
            4 => "m=audio 99999 RTP/AVP nothing\r\n",
            5 => "m=audio 40000 RTP/AVP 0\r\na=inactive\r\n",
            _ => "m=audio 40000 RTP/AVP 0 8\r\n",
        };
        let address = if self.chance.below(8) == 0 { "0.0.0.0".to_owned() } else { BOOR.ip().to_string() };
        Some(format!("v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n{line}"))
    }

    /// What is no SIP.
    fn noise(&mut self) -> Vec<u8> {
        (0..self.chance.below(400)).map(|_| self.chance.u32() as u8).collect()
    }

    /// A message that has suffered.
    fn mangle(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..1 + self.chance.below(3) {
            let length = bytes.len().max(1);
            let at = self.chance.below(length as u64) as usize;
            match self.chance.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, [b'\r', b'\n']).for_each(drop),
                2 => bytes.splice(at..(at + 12).min(bytes.len()), []).for_each(drop),
                _ if at < bytes.len() => bytes[at] = self.chance.u32() as u8,
                _ => {}
            }
        }
        bytes
    }

    fn plan(&mut self, at: Time, plan: Plan) {
        self.planned += 1;
        self.plans.insert((at, self.planned), plan);
    }
}

fn with_body(head: String, body: Option<&str>) -> String {
    let kind = body.map_or("", |_| "Content-Type: application/sdp\r\n");
    let body = body.unwrap_or_default();
    format!("{head}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn contact(message: &Message) -> Option<String> {
    Some(message.contacts().ok()?.first()?.uri().to_owned())
}
