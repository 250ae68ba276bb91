//! A peer that says what it is told: it remembers tags, branches and numbers, and decides nothing, but that it
//! acknowledges refusals by itself, as every transaction does.

use crate::line::{Line, rest};
use crate::lineage::Lineage;
use crate::sdp;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use tandem::sip::digest::{ClientCredentials, answer};
use tandem::sip::flow::{Flow, Transport};
use tandem::wire::sip::{Contacts, Message, Method, Name, Writer};

pub struct Peer {
    pub name: String,
    /// Several phones of one person are `bob`, `bob2`, `bob3`.
    pub account: String,
    /// As the switch sees it.
    pub flow: Flow,
    /// Where it has its sound.
    pub sound: SocketAddr,
    /// In everything that nobody else may see.
    pub mark: String,
    pub inbox: VecDeque<Message>,
    /// Requests that came, with the last status that they were answered.
    pub asked: Vec<(Message, u16)>,
    /// Where the switch has its sound for this peer, and what it said of it last.
    pub heard: Option<u16>,
    /// The same for each of its lines, by kind.
    pub lines: Vec<(String, u16)>,
    /// The same before the last message, for an offer that is refused.
    before: (Option<u16>, Vec<(String, u16)>),
    pub described: Option<Bytes>,
    lineage: Lineage,
    /// It doesn't acknowledge refusals.
    pub deaf: bool,
    /// Its refusals that aren't acknowledged yet.
    pub unacknowledged: usize,
    /// Call-IDs and tags of ours towards it.
    pub secrets: Vec<String>,
    /// Other calls of the phone, by the names that a ladder gives them.
    aside: std::collections::BTreeMap<String, (Option<Dialog>, Option<Message>)>,
    dialog: Option<Dialog>,
    /// Its last INVITE, and all of them.
    invite: Option<Message>,
    invites: Vec<Message>,
    last: Bytes,
    /// The provisional answer that it has to acknowledge, as a RAck value.
    rack: Option<String>,
    challenges: Vec<String>,
    nonce_count: u32,
    counter: u32,
    version: u64,
}

#[derive(Clone, Default)]
struct Dialog {
    call_id: String,
    /// Name-addr and tag.
    local: String,
    local_tag: String,
    /// The tag of which its forks' tags are made, once it has some.
    base_tag: Option<String>,
    remote: String,
    target: String,
    cseq: u32,
}

impl Peer {
    pub fn new(name: &str, local: SocketAddr, remote: SocketAddr, transport: Transport) -> Peer {
        let account = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        Peer {
            name: name.to_owned(),
            account: account.to_owned(),
            flow: Flow { transport, local, remote },
            sound: SocketAddr::new(remote.ip(), 4000),
            mark: format!("secretof-{name}-"),
            inbox: VecDeque::new(),
            asked: Vec::new(),
            heard: None,
            lines: Vec::new(),
            before: (None, Vec::new()),
            described: None,
            lineage: Lineage::default(),
            deaf: false,
            unacknowledged: 0,
            secrets: Vec::new(),
            aside: Default::default(),
            dialog: None,
            invite: None,
            invites: Vec::new(),
            last: Bytes::new(),
            rack: None,
            challenges: Vec::new(),
            nonce_count: 0,
            counter: 0,
            version: 0,
        }
    }

    /// Where the switch has its first line, or the first of a kind, for this peer.
    pub fn line(&self, kind: Option<&str>) -> Option<u16> {
        match kind {
            None => self.heard,
            Some(kind) => self.lines.iter().find(|(known, _)| known == kind).map(|&(_, number)| number),
        }
    }

    /// Takes a message of the switch; what the peer says to it by itself is given back.
    pub fn receive(&mut self, message: Message) -> Option<Bytes> {
        self.note_secrets(&message);
        if let Some(objection) = self.lineage.objection(&message) {
            panic!("to {}: {objection}", self.name);
        }
        self.before = (self.heard, self.lines.clone());
        if let Ok(description) = tandem::wire::sdp::parse(&message.body())
            && let Some(media) = description.media.iter().find(|media| !media.is_refused())
        {
            self.heard = Some(media.address.port());
            let open = description.media.iter().filter(|media| !media.is_refused());
            self.lines = open.map(|media| (media.kind.as_str().to_owned(), media.address.port())).collect();
            self.described = Some(message.body());
        }
        if message.is_request() { self.requested(message) } else { self.answered(message) }
    }

    fn requested(&mut self, message: Message) -> Option<Bytes> {
        let is_ack = *message.method() == Method::Ack;
        if is_ack && self.unacknowledged > 0 && self.was_refused(&message) {
            self.unacknowledged -= 1;
            return None;
        }
        let tag = message.to().ok().and_then(|to| to.tag().map(str::to_owned));
        if *message.method() == Method::Invite && tag.is_none() && !self.knows(&message) {
            let local = message.header(Name::To).unwrap_or_default();
            self.dialog = Some(Dialog {
                call_id: message.call_id().to_owned(),
                local: local.to_owned(),
                local_tag: self.fresh("tag"),
                base_tag: None,
                remote: message.header(Name::From).unwrap_or_default().to_owned(),
                target: contact(&message),
                cseq: 500,
            });
        } else if let Some(dialog) = self.dialog.as_mut().filter(|dialog| dialog.call_id == message.call_id())
            && matches!(message.method(), Method::Invite | Method::Update)
        {
            dialog.target = contact(&message);
        }
        if !is_ack {
            self.asked.push((message.clone(), 0));
        }
        self.inbox.push_back(message);
        None
    }

    fn answered(&mut self, message: Message) -> Option<Bytes> {
        let status = message.status();
        let cseq = message.cseq().expect("a CSeq").number;
        if let Some(rseq) = message.rseq() {
            self.rack = Some(format!("{rseq} {cseq} INVITE"));
        }
        let ours = self.invites.iter().rfind(|invite| {
            *message.method() == Method::Invite
                && invite.call_id() == message.call_id()
                && invite.cseq().is_ok_and(|invite| invite.number == cseq)
        });
        let ack = match ours {
            Some(invite) if status >= 300 && !self.deaf => Some(acknowledge_refusal(invite, &message)),
            _ => None,
        };
        if let Some(dialog) = self.dialog.as_mut().filter(|dialog| dialog.call_id == message.call_id())
            && (101..300).contains(&status)
            && matches!(message.method(), Method::Invite | Method::Subscribe)
        {
            dialog.remote = message.header(Name::To).unwrap_or_default().to_owned();
            dialog.target = contact(&message);
        }
        if matches!(status, 401 | 407) {
            let name = if status == 401 { Name::WwwAuthenticate } else { Name::ProxyAuthenticate };
            let fields = message.fields().filter(|field| field.kind() == name);
            self.challenges = fields.map(|field| field.value().to_owned()).collect();
            self.nonce_count = 0;
        }
        self.inbox.push_back(message);
        ack
    }

    /// Lays the present call aside under a name.
    pub fn keep(&mut self, line: &str) {
        self.aside.insert(line.to_owned(), (self.dialog.take(), self.invite.take()));
    }

    /// Takes a call up that was laid aside.
    pub fn take(&mut self, line: &str) {
        (self.dialog, self.invite) = self.aside.get(line).cloned().expect("a call that was laid aside");
    }

    /// The present call, or one that was laid aside, as Replaces names it to the switch (RFC 3891 §6.1).
    pub fn replaces(&self, line: Option<&str>) -> String {
        let dialog = match line {
            Some(line) => self.aside.get(line).and_then(|(dialog, _)| dialog.as_ref()),
            None => self.dialog.as_ref(),
        };
        let dialog = dialog.expect("a dialog");
        let tag = tandem::wire::sip::NameAddr::parse(&dialog.remote).ok().and_then(|remote| remote.tag());
        let tag = tag.expect("a tag of the switch");
        format!("{};to-tag={tag};from-tag={}", dialog.call_id, dialog.local_tag)
    }

    /// A request by the words and items of a ladder's line.
    pub fn request(&mut self, words: &[&str], line: &Line<'_>) -> Bytes {
        if words == ["again"] {
            return self.last.clone();
        }
        let again_in_dialog = words[0].strip_prefix("re-");
        let method = Method::parse(again_in_dialog.unwrap_or(words[0])).expect("a method");
        let target = words.get(1).copied();
        let bytes = match method {
            Method::Ack => self.ack(line),
            Method::Cancel => self.cancel(line),
            Method::Register => self.register(line),
            _ if again_in_dialog.is_some() || target.is_none() => self.in_dialog(&method, line),
            _ => self.out_of_dialog(&method, target.expect("a target"), line),
        };
        if method == Method::Invite {
            let invite = Message::parse(bytes.clone()).expect("an INVITE");
            self.invites.push(invite.clone());
            self.invite = Some(invite);
        }
        self.last = bytes.clone();
        bytes
    }

    fn out_of_dialog(&mut self, method: &Method, target: &str, line: &Line<'_>) -> Bytes {
        let uri = match target.contains(':') {
            true => target.to_owned(),
            false => format!("sip:{target}@tandem.local"),
        };
        // A call that is challenged goes on under its Call-ID.
        let goes_on = line.has("auth") || line.has("same Call-ID");
        let before = self.dialog.take().filter(|_| goes_on);
        let call_id = before.as_ref().map_or_else(|| self.fresh("call"), |dialog| dialog.call_id.clone());
        let cseq = before.as_ref().map_or(1, |dialog| dialog.cseq + 1);
        let local_tag = before.map_or_else(|| self.fresh("tag"), |dialog| dialog.local_tag);
        let ours = match self.account.as_str() {
            "acme" | "globex" => "198.51.100.1",
            "stranger" => "elsewhere.example",
            _ => "tandem.local",
        };
        let from = line.item("From:").map(str::to_owned);
        let dialog = Dialog {
            call_id,
            local: from.unwrap_or_else(|| format!("<sip:{}@{ours}>", self.account)),
            local_tag,
            base_tag: None,
            remote: line.item("To:").map_or_else(|| format!("<{uri}>"), str::to_owned),
            target: uri,
            cseq,
        };
        let bytes = self.write(method, &dialog, line);
        self.dialog = Some(dialog);
        bytes
    }

    fn in_dialog(&mut self, method: &Method, line: &Line<'_>) -> Bytes {
        let mut dialog = self.dialog.clone().expect("a dialog");
        dialog.cseq += 1;
        let bytes = self.write(method, &dialog, line);
        self.dialog = Some(dialog);
        bytes
    }

    fn register(&mut self, line: &Line<'_>) -> Bytes {
        let uri = "sip:tandem.local".to_owned();
        let before = self.dialog.take();
        self.counter += 1;
        let account = line.item("as").unwrap_or(&self.account).to_owned();
        let dialog = Dialog {
            call_id: format!("{}registration", self.mark),
            local: format!("<sip:{account}@tandem.local>"),
            local_tag: self.fresh("tag"),
            base_tag: None,
            remote: format!("<sip:{account}@tandem.local>"),
            target: uri,
            cseq: self.counter,
        };
        let bytes = self.write(&Method::Register, &dialog, line);
        self.dialog = before;
        bytes
    }

    fn write(&mut self, method: &Method, dialog: &Dialog, line: &Line<'_>) -> Bytes {
        let branch = self.fresh("branch");
        let body = self.body(line);
        let uri = line.item("uri").unwrap_or(&dialog.target).to_owned();
        let mut writer = Writer::request(method, &uri);
        let transport = self.flow.transport.as_str();
        writer.header(Name::Via, format!("SIP/2.0/{transport} {};branch=z9hG4bK{branch};rport", self.flow.remote));
        if !line.has("Max-Forwards:") {
            writer.header(Name::MaxForwards, 70);
        }
        writer.header(Name::From, format!("{};tag={}", dialog.local, dialog.local_tag));
        writer.header(Name::To, &dialog.remote);
        writer.header(Name::CallId, &dialog.call_id);
        writer.header(Name::CSeq, format!("{} {method}", dialog.cseq));
        if let Some(rack) = self.rack.as_ref().filter(|_| *method == Method::Prack && !line.has("RAck:")) {
            writer.header(Name::RAck, rack);
        }
        if let Some(credentials) = self.credentials(method, &uri, &body, line) {
            writer.header(Name::Authorization, credentials);
        }
        self.finish(writer, !line.has("Contact:") && !line.has("no Contact"), body, line)
    }

    /// What requests and answers have in common.
    fn finish(&self, mut writer: Writer, has_contact: bool, body: Option<Vec<u8>>, line: &Line<'_>) -> Bytes {
        if has_contact {
            writer.header(Name::Contact, self.contact());
        }
        for item in &line.items {
            let Some((name, value)) = item.split_once(": ") else { continue };
            if !name.contains(' ') && !matches!(name, "From" | "To" | "type" | "body") {
                writer.header_named(name, value);
            }
        }
        writer.header(Name::UserAgent, format!("{}phone", self.mark));
        writer.header_named("X-Note", format!("{}note", self.mark));
        if let Some(body) = body {
            writer.body(line.item("type:").unwrap_or("application/sdp"), &body);
        }
        writer.finish()
    }

    /// `auth` with its own password, `auth carol` as somebody else, `auth wrong` with another password.
    fn credentials(&mut self, method: &Method, uri: &str, body: &Option<Vec<u8>>, line: &Line<'_>) -> Option<String> {
        let how = line.item("auth")?;
        let wrong = how == "wrong";
        let username = if how.is_empty() || wrong { self.account.clone() } else { how.to_owned() };
        let password = if wrong { "guessed".to_owned() } else { format!("{username}-password") };
        self.nonce_count += 1;
        let credentials = ClientCredentials { username, password, realm: None };
        let challenges = self.challenges.iter().map(String::as_str);
        let body = body.as_deref().unwrap_or_default();
        let cnonce = format!("c{}", self.nonce_count);
        let value = answer(challenges, &credentials, method.as_str(), uri, body, self.nonce_count, &cnonce);
        Some(value.expect("a challenge that can be answered"))
    }

    fn body(&mut self, line: &Line<'_>) -> Option<Vec<u8>> {
        if let Some(body) = line.item("body:") {
            return Some(body.as_bytes().to_vec());
        }
        let words = line.item("sdp")?;
        self.version += 1;
        Some(sdp::write(words, &self.mark, self.sound, self.version))
    }

    /// The ACK of a 2xx.
    fn ack(&mut self, line: &Line<'_>) -> Bytes {
        let dialog = self.dialog.clone().expect("a dialog");
        let number = self.invite.as_ref().and_then(|invite| invite.cseq().ok().map(|cseq| cseq.number));
        let dialog = Dialog { cseq: number.expect("an INVITE"), ..dialog };
        self.write(&Method::Ack, &dialog, line)
    }

    fn cancel(&mut self, line: &Line<'_>) -> Bytes {
        let invite = self.invite.clone().expect("an INVITE");
        let mut writer = copy(&invite, &Method::Cancel, invite.header(Name::To).unwrap_or_default());
        if let Some(reason) = line.item("Reason:") {
            writer.header(Name::Reason, reason);
        }
        writer.finish()
    }

    /// An answer to the newest request that has none, or to the newest of the method named, one without an answer before
    /// others.
    pub fn answer(&mut self, status: u16, words: &[&str], line: &Line<'_>) -> Bytes {
        let wanted = words.first().and_then(|word| Method::parse(word));
        let newest = |wants: &dyn Fn(&Method, u16) -> bool| {
            self.asked.iter().rposition(|(message, answered)| wants(message.method(), *answered))
        };
        let found = match &wanted {
            Some(wanted) => newest(&|method, answered| method == wanted && answered < 200)
                .or_else(|| newest(&|method, _| method == wanted)),
            None => newest(&|_, answered| answered < 200),
        };
        let index = found.unwrap_or_else(|| panic!("{} has nothing to answer", self.name));
        self.asked[index].1 = status;
        let request = self.asked[index].0.clone();
        let is_invite = *request.method() == Method::Invite;
        if is_invite && status >= 300 {
            self.unacknowledged += 1;
            (self.heard, self.lines) = self.before.clone();
        }
        let fork = line.item("fork");
        let tag = match (&mut self.dialog, fork) {
            (Some(dialog), Some(fork)) => {
                let base = dialog.base_tag.get_or_insert_with(|| dialog.local_tag.clone());
                format!("{base}{fork}")
            }
            (Some(dialog), None) if dialog.call_id == request.call_id() => dialog.local_tag.clone(),
            _ => self.fresh("tag"),
        };
        if let Some(dialog) = self.dialog.as_mut().filter(|_| fork.is_some() && (200..300).contains(&status)) {
            dialog.local_tag.clone_from(&tag);
        }
        let body = self.body(line);
        let reason = line.item("reason").unwrap_or_default();
        let writer = Writer::reply_to(&request, status, reason, (status > 100).then_some(tag.as_str()));
        let has_contact = is_invite && (101..300).contains(&status) && !line.has("Contact:");
        let bytes = self.finish(writer, has_contact, body, line);
        self.last = bytes.clone();
        bytes
    }

    /// The last INVITE that came, sent on as a proxy does.
    pub fn forward(&mut self) -> Bytes {
        let asked = self.asked.iter().rev().find(|(message, _)| *message.method() == Method::Invite);
        let (invite, _) = asked.expect("an INVITE");
        let mut writer = Writer::request(&Method::Invite, invite.request_uri());
        writer.header(Name::Via, format!("SIP/2.0/UDP {};branch=z9hG4bKforward;rport", self.flow.remote));
        for field in invite.fields() {
            let hops = invite.max_forwards().unwrap_or(70).saturating_sub(1);
            match field.kind() {
                Name::MaxForwards => writer.header(Name::MaxForwards, hops),
                Name::ContentLength | Name::ContentType => &mut writer,
                _ => writer.header_named(field.name(), field.value()),
            };
        }
        writer.body("application/sdp", &invite.body());
        let bytes = writer.finish();
        self.invite = Message::parse(bytes.clone()).ok();
        self.invites.extend(self.invite.clone());
        bytes
    }

    fn contact(&self) -> String {
        let transport = self.flow.transport.parameter();
        format!("<sip:{}x@{}{transport}>", self.mark, self.flow.remote)
    }

    fn fresh(&mut self, what: &str) -> String {
        self.counter += 1;
        format!("{}{what}{}", self.mark, self.counter)
    }

    fn knows(&self, message: &Message) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.call_id == message.call_id())
    }

    fn was_refused(&self, ack: &Message) -> bool {
        let branch = |message: &Message| message.top_via().ok().and_then(|via| via.branch().map(str::to_owned));
        self.asked.iter().any(|(message, status)| {
            *status >= 300 && *message.method() == Method::Invite && branch(message) == branch(ack)
        })
    }

    /// What the switch calls its own towards this peer: nobody else may see it.
    fn note_secrets(&mut self, message: &Message) {
        let tags = [message.from(), message.to()];
        let tags = tags.into_iter().flatten().filter_map(|address| address.tag().map(str::to_owned));
        for secret in tags.chain([message.call_id().to_owned()]) {
            if !secret.contains(&self.mark) && !self.secrets.contains(&secret) {
                self.secrets.push(secret);
            }
        }
    }
}

fn contact(message: &Message) -> String {
    match message.contacts() {
        Ok(Contacts::List(list)) if !list.is_empty() => list[0].uri().to_owned(),
        _ => panic!("no Contact in {message}"),
    }
}

fn acknowledge_refusal(invite: &Message, refusal: &Message) -> Bytes {
    copy(invite, &Method::Ack, refusal.header(Name::To).unwrap_or_default()).finish()
}

/// A request that goes where the INVITE went.
fn copy(invite: &Message, method: &Method, to: &str) -> Writer {
    let mut writer = Writer::request(method, invite.request_uri());
    writer.header(Name::Via, invite.header(Name::Via).unwrap_or_default());
    writer.header(Name::MaxForwards, 70);
    writer.header(Name::From, invite.header(Name::From).unwrap_or_default());
    writer.header(Name::To, to);
    writer.header(Name::CallId, invite.call_id());
    writer.header(Name::CSeq, format!("{} {method}", invite.cseq().expect("a CSeq").number));
    writer
}

/// `INVITE x3`: the words without the count, and the count.
pub fn counted<'a, 'b>(words: &'b [&'a str]) -> (&'b [&'a str], usize) {
    let count = words.last().and_then(|word| word.strip_prefix('x')?.parse().ok());
    match count {
        Some(count) => (&words[..words.len() - 1], count),
        None => (words, 1),
    }
}

/// Whether a header's text may stand in an item of a check: `Name: value`, `Name ~ part`, `has Name`, `no Name`.
pub fn header_objection(message: &Message, item: &str) -> Option<String> {
    if let Some(name) = rest(item, "no") {
        return message.header_named(name).map(|value| format!("{name} is there: {value}"));
    }
    if let Some(name) = rest(item, "has") {
        return message.header_named(name).is_none().then(|| format!("there is no {name}"));
    }
    if let Some(name) = rest(item, "empty") {
        return (message.header_named(name) != Some("")).then(|| format!("{name} is {:?}", message.header_named(name)));
    }
    let values = |name: &str| -> Vec<String> {
        let fields = message.fields().filter(|field| field.name().eq_ignore_ascii_case(name));
        fields.map(|field| field.value().to_owned()).collect()
    };
    if let Some((name, part)) = item.split_once(" ~ ") {
        let found = values(name);
        return (!found.iter().any(|value| value.contains(part))).then(|| format!("{name} is {found:?}"));
    }
    let (name, value) = item.split_once(": ").unwrap_or_else(|| panic!("`{item}` of a message"));
    let found = values(name);
    (!found.iter().any(|known| known == value)).then(|| format!("{name} is {found:?}"))
}
