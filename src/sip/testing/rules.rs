//! One agent against a peer that is written by hand.

use super::*;
use crate::sip::agent::{Counts, Failure, OutgoingRequest, Question, ServerId};
use crate::sip::digest::ClientCredentials;
use crate::wire::sip::{Method, Name};

/// An agent, and what it sends to the peer at 192.0.2.2:5060.
struct Bench {
    agent: Agent,
    time: Time,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(AgentSettings::default())
    }

    fn with(settings: AgentSettings) -> Bench {
        Bench { agent: Agent::new(settings, Chance::from_number(1)), time: Time::from_millis(1) }
    }

    fn now(&self) -> Now {
        Now::simulated(self.time, Wall::default())
    }

    fn flow(&self) -> Flow {
        Flow { transport: Transport::Udp, local: address(0), remote: address(1) }
    }

    fn receive(&mut self, text: &str) -> Vec<Message> {
        let message = Message::parse(Bytes::from(text.replace('\n', "\r\n"))).expect("readable");
        self.agent.receive(self.now(), self.flow(), message);
        self.sent()
    }

    fn sent(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.agent.poll_transmit())
            .map(|transmit| Message::parse(transmit.bytes).expect("readable"))
            .collect()
    }

    /// The statuses of what is sent back.
    fn statuses(&mut self, text: &str) -> Vec<u16> {
        self.receive(text).iter().map(Message::status).collect()
    }

    fn events(&mut self) -> Vec<(usize, Event)> {
        std::iter::from_fn(|| self.agent.poll_event()).map(|event| (0, event)).collect()
    }

    fn pass(&mut self, span: Duration) -> Vec<Message> {
        let end = self.time + span;
        while let Some(next) = self.agent.poll_timeout().filter(|&next| next <= end) {
            self.time = self.time.max(next);
            self.agent.handle_timeout(self.now());
        }
        self.time = end;
        self.sent()
    }

    fn assert_empty(&mut self) {
        self.pass(LONG * 2);
        assert_eq!(self.agent.counts(), Counts::default());
    }

    fn invite(&mut self, change: impl FnOnce(&mut Invite)) -> (SessionId, Message) {
        let mut invite = Invite::new(self.flow(), "sip:b@192.0.2.2".into(), "<sip:a@x>".into(), "<sip:b@x>".into());
        change(&mut invite);
        let id = self.agent.invite(self.now(), invite);
        (id, self.sent().remove(0))
    }

    /// A session that the peer began: our tag comes back.
    fn answered(&mut self) -> (SessionId, String) {
        self.receive(&request("INVITE", "1", "", 1, "Contact: <sip:p@192.0.2.2>\n"));
        let id = session(&self.events(), 0);
        self.agent.answer(self.now(), id, Vec::new(), None);
        let tag = self.sent().remove(0).to().unwrap().tag().unwrap().to_owned();
        self.receive(&request("ACK", "ack", &tag, 1, ""));
        self.events();
        (id, tag)
    }
}

/// A request of the peer; an empty tag for none.
fn request(method: &str, branch: &str, to_tag: &str, cseq: u32, extra: &str) -> String {
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    format!(
        "{method} sip:me@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{branch}\n\
         From: <sip:p@x>;tag=peer\nTo: <sip:me@x>{tag}\nCall-ID: call\nCSeq: {cseq} {method}\nMax-Forwards: 70\n\
         {extra}Content-Length: 0\n\n"
    )
}

/// An answer of the peer to a request of ours.
fn response(to: &Message, status: u16, tag: &str, extra: &str) -> String {
    let header = |name| to.header(name).unwrap_or_default();
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "SIP/2.0 {status} X\nVia: {}\nFrom: {}\nTo: {}{tag}\nCall-ID: {}\nCSeq: {}\n{extra}Content-Length: 0\n\n",
        header(Name::Via),
        header(Name::From),
        header(Name::To),
        to.call_id(),
        header(Name::CSeq),
    )
}

#[test]
fn what_no_owner_hears_of() {
    let mut bench = Bench::new();
    for (method, extra, status) in [
        ("FLY", "", 501),
        ("SUBSCRIBE", "", 405),
        ("BYE", "", 481),
        ("UPDATE", "", 481),
        ("INVITE", "Require: 100rel, x\n", 420),
        ("CANCEL", "", 481),
    ] {
        let sent = bench.receive(&request(method, method, "", 1, extra));
        assert_eq!(sent.iter().map(Message::status).collect::<Vec<_>>(), [status], "{method}");
        assert_eq!(sent[0].header(Name::Allow).is_some(), status == 405 || status == 501);
        assert_eq!(sent[0].header(Name::Unsupported), (status == 420).then_some("100rel, x"));
        assert!(sent[0].to().unwrap().tag().is_some());
    }
    let far = request("OPTIONS", "o", "", 9, "").replace("Max-Forwards: 70", "Max-Forwards: 0");
    assert_eq!(bench.statuses(&far), [483]);
    assert_eq!(bench.statuses(&request("OPTIONS", "p", "", 1, "").replace("2.0\nVia", "3.0\nVia")), [505]);
    assert_eq!(bench.statuses(&request("OPTIONS", "q", "", 1, "").replace("1 OPTIONS", "1 INFO")), [400]);
    assert!(bench.statuses(&request("ACK", "r", "", 1, "").replace("1 ACK", "1 INFO")).is_empty());
    assert!(bench.statuses(&request("ACK", "s", "nobody", 1, "")).is_empty());
    assert_eq!(bench.statuses(&request("INFO", "t", "nobody", 1, "")), [481]);
    assert!(bench.events().is_empty());
    bench.assert_empty();
}

#[test]
fn a_request_of_which_nothing_is_kept_has_one_tag() {
    let mut bench = Bench::new();
    let cancel = request("CANCEL", "x", "", 1, "");
    assert_eq!(bench.receive(&cancel)[0].to().unwrap().tag(), bench.receive(&cancel)[0].to().unwrap().tag());
}

#[test]
fn a_merged_request_is_a_loop() {
    let mut bench = Bench::new();
    assert_eq!(bench.statuses(&request("INVITE", "one", "", 1, "")), [100]);
    assert_eq!(bench.statuses(&request("INVITE", "two", "", 1, "")), [482]);
    assert_eq!(bench.statuses(&request("INVITE", "one", "", 1, "")), [100]);
    assert_eq!(names(&bench.events(), 0), ["Invited"]);
}

#[test]
fn answers_go_where_the_request_came_from() {
    let mut bench = Bench::new();
    let text = request("OPTIONS", "n", "", 1, "").replace("192.0.2.2:5060;", "10.0.0.9:5099;rport;");
    bench.receive(&text);
    let Some(Event::Request { id, .. }) = bench.agent.poll_event() else { panic!() };
    bench.agent.respond(bench.now(), id, 200, "", Vec::new(), None);
    let transmit = bench.agent.poll_transmit().unwrap();
    assert_eq!(transmit.flow.remote, address(1));
    let message = Message::parse(transmit.bytes).unwrap();
    let via = message.top_via().unwrap();
    assert_eq!((via.received(), via.rport()), (Some("192.0.2.2"), Some(Some(5060))));
    bench.receive(&request("OPTIONS", "m", "", 2, "").replace("192.0.2.2:5060;", "10.0.0.9:5099;"));
    let Some(Event::Request { id, .. }) = bench.agent.poll_event() else { panic!() };
    bench.agent.respond(bench.now(), id, 404, "Not Here", Vec::new(), None);
    let transmit = bench.agent.poll_transmit().unwrap();
    assert_eq!(transmit.flow.remote, "192.0.2.2:5099".parse().unwrap());
    assert_eq!(Message::parse(transmit.bytes).unwrap().reason_phrase(), "Not Here");
    bench.agent.respond(bench.now(), ServerId(u64::MAX), 200, "", Vec::new(), None);
    bench.assert_empty();
}

#[test]
fn an_old_peer_is_matched_without_a_branch() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "", "", 1, "").replace(";branch=z9hG4bK", "");
    assert_eq!(bench.statuses(&invite), [100]);
    assert_eq!(bench.statuses(&invite), [100]);
    let id = session(&bench.events(), 0);
    bench.agent.refuse(bench.now(), id, 486, "", Vec::new());
    let tag = bench.sent()[0].to().unwrap().tag().unwrap().to_owned();
    assert!(bench.receive(&request("ACK", "", &tag, 1, "").replace(";branch=z9hG4bK", "")).is_empty());
    assert!(bench.pass(SECOND * 4).is_empty(), "the refusal is acknowledged");
    bench.assert_empty();
}

#[test]
fn a_full_agent_says_when_to_come_back() {
    let mut bench = Bench::with(AgentSettings { max_transactions: 1, max_sessions: 1, ..Default::default() });
    bench.receive(&request("INVITE", "one", "", 1, ""));
    let sent = bench.receive(&request("INVITE", "two", "", 2, ""));
    assert_eq!(sent[0].status(), 503);
    assert!(sent[0].header(Name::RetryAfter).is_some());
    let request =
        || OutgoingRequest::new(Method::Options, "sip:b".into(), bench.flow(), "<sip:a>".into(), "<sip:b>".into());
    let (one, two) = (request(), request());
    bench.agent.request(bench.now(), one);
    bench.agent.request(bench.now(), two);
    let invite = Invite::new(bench.flow(), "sip:b".into(), "<sip:a>".into(), "<sip:b>".into());
    bench.agent.invite(bench.now(), invite);
    let events = bench.events();
    assert_eq!(names(&events, 0), ["Invited", "Failed", "Failed"]);
    assert!(matches!(events[1].1, Event::Failed { cause: Failure::Limit, .. }));
}

#[test]
fn the_limit_of_sessions_may_be_raised() {
    let mut bench = Bench::with(AgentSettings { max_sessions: 0, ..Default::default() });
    assert_eq!(bench.receive(&request("INVITE", "one", "", 1, ""))[0].status(), 503);
    bench.agent.set_max_sessions(1);
    bench.receive(&request("INVITE", "two", "", 2, ""));
    assert_eq!(names(&bench.events(), 0), ["Invited"]);
}

#[test]
fn a_request_is_answered_or_fails() {
    let mut bench = Bench::new();
    let request = |bench: &Bench| {
        let (from, to) = ("<sip:a@x>".into(), "<sip:b@x>".into());
        OutgoingRequest::new(Method::Options, "sip:b@192.0.2.2".into(), bench.flow(), from, to)
    };
    let outgoing = request(&bench);
    bench.agent.request(bench.now(), outgoing);
    let sent = bench.sent().remove(0);
    bench.receive(&response(&sent, 100, "", ""));
    bench.receive(&response(&sent, 200, "t", ""));
    bench.receive(&response(&sent, 200, "t", ""));
    assert_eq!(names(&bench.events(), 0), ["Response", "Response"]);
    let outgoing = OutgoingRequest { max_wait: Some(SECOND * 3), ..request(&bench) };
    bench.agent.request(bench.now(), outgoing);
    bench.pass(SECOND * 3);
    assert_eq!(names(&bench.events(), 0), ["Failed"]);
    bench.assert_empty();
}

#[test]
fn the_order_in_a_dialog_is_kept() {
    let mut bench = Bench::new();
    let (_, tag) = bench.answered();
    assert_eq!(bench.statuses(&request("OPTIONS", "a", &tag, 9, "")), [200]);
    assert_eq!(bench.statuses(&request("OPTIONS", "b", &tag, 5, "")), [500]);
    let stranger = request("BYE", "c", &tag, 10, "").replace("tag=peer", "tag=stranger");
    assert_eq!(bench.statuses(&stranger), [481]);
    assert!(bench.receive(&request("INFO", "d", &tag, 11, "")).is_empty());
    let events = bench.events();
    let Some((_, Event::Session { event: SessionEvent::Asked { id, .. }, .. })) = events.first() else { panic!() };
    bench.agent.respond(bench.now(), *id, 200, "", Vec::new(), None);
    assert_eq!(bench.sent()[0].status(), 200);
    assert_eq!(bench.statuses(&request("BYE", "e", &tag, 12, "Reason: Q.850;cause=31\n")), [200]);
    assert_eq!(bench.statuses(&request("BYE", "e", &tag, 12, "Reason: Q.850;cause=31\n")), [200]);
    assert_eq!(names(&bench.events(), 0), ["Ended Peer { reason: Some(\"Q.850;cause=31\") }"]);
    assert_eq!(bench.statuses(&request("BYE", "f", &tag, 13, "")), [481]);
    bench.assert_empty();
}

#[test]
fn offers_come_one_after_the_other() {
    let mut bench = Bench::new();
    let (id, tag) = bench.answered();
    let contact = "Contact: <sip:p@192.0.2.2:5070>\n";
    assert_eq!(bench.statuses(&request("INVITE", "a", &tag, 2, contact)), [100]);
    let sent = bench.receive(&request("INVITE", "b", &tag, 3, contact));
    assert_eq!(sent[0].status(), 500);
    assert!(sent[0].header(Name::RetryAfter).unwrap().parse::<u32>().unwrap() <= 10);
    bench.receive(&request("ACK", "b", &tag, 3, ""));
    bench.agent.reanswer(bench.now(), id, 200, "", Vec::new(), None);
    assert_eq!(bench.sent()[0].status(), 200);
    assert_eq!(bench.statuses(&request("UPDATE", "c", &tag, 4, contact)), [200], "a refresh without an offer");
    bench.receive(&request("ACK", "d", &tag, 2, ""));
    assert_eq!(names(&bench.events(), 0), ["Reoffered", "ReAcked"]);
    bench.agent.reoffer(bench.now(), id, None).unwrap();
    let transmit = bench.agent.poll_transmit().unwrap();
    assert_eq!(transmit.flow.remote, "192.0.2.2:5070".parse().unwrap(), "the target moved");
    assert_eq!(bench.statuses(&request("INVITE", "e", &tag, 5, contact)), [491]);
    bench.agent.bye(bench.now(), id, None);
    bench.assert_empty();
}

#[test]
fn the_caller_may_hang_up_before_the_answer() {
    let mut bench = Bench::new();
    bench.receive(&request("INVITE", "a", "", 1, ""));
    let id = session(&bench.events(), 0);
    bench.agent.progress(bench.now(), id, 180, "", Vec::new(), None);
    let tag = bench.sent()[0].to().unwrap().tag().unwrap().to_owned();
    let sent = bench.receive(&request("BYE", "b", &tag, 2, ""));
    let answers: Vec<_> = sent.iter().map(|sent| (sent.status(), sent.method().clone())).collect();
    assert_eq!(answers, [(200, Method::Bye), (487, Method::Invite)]);
    assert_eq!(names(&bench.events(), 0), ["Cancelled"]);
    bench.assert_empty();
}

#[test]
fn every_fork_that_answers_is_acknowledged_and_all_but_one_hung_up() {
    let mut bench = Bench::new();
    let (id, invite) = bench.invite(|_| {});
    for tag in ["one", "two", "three"] {
        bench.receive(&response(&invite, 180, tag, ""));
    }
    let contact = "Contact: <sip:q@192.0.2.3>\n";
    assert!(bench.receive(&response(&invite, 200, "two", contact)).is_empty(), "the owner acknowledges");
    bench.agent.ack(bench.now(), id, Some(Body::sdp("late answer")));
    assert_eq!(bench.sent()[0].to().unwrap().tag(), Some("two"));
    let sent = bench.receive(&response(&invite, 200, "one", contact));
    let sent: Vec<_> = sent.iter().map(|sent| (sent.method().as_str(), sent.to().unwrap().tag().unwrap())).collect();
    assert_eq!(sent, [("ACK", "one"), ("BYE", "one")]);
    for tag in ["one", "two", "two"] {
        let sent = bench.receive(&response(&invite, 200, tag, contact));
        assert_eq!((sent.len(), sent[0].method(), sent[0].to().unwrap().tag()), (1, &Method::Ack, Some(tag)));
        assert_eq!(sent[0].body().is_empty(), tag == "one");
    }
    assert_eq!(names(&bench.events(), 0), ["Progress", "Progress", "Progress", "Answered"]);
    bench.agent.bye(bench.now(), id, None);
    bench.assert_empty();
    assert_eq!(names(&bench.events(), 0), ["Ended Local"]);
}

#[test]
fn a_challenge_is_answered_twice_at_most() {
    let mut bench = Bench::new();
    let account = ClientCredentials { username: "me".into(), password: "secret".into(), realm: Some("x".into()) };
    let (id, first) = bench.invite(|invite| invite.credentials = Some(account));
    let challenge = |nonce| format!("Proxy-Authenticate: Digest realm=\"x\", nonce=\"{nonce}\", qop=\"auth\"\n");
    let sent = bench.receive(&response(&first, 407, "t", &challenge(1)));
    assert_eq!(sent.iter().map(|sent| sent.method().as_str()).collect::<Vec<_>>(), ["ACK", "INVITE"]);
    let second = &sent[1];
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.header(Name::From), first.header(Name::From));
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    assert_ne!(second.top_via().unwrap().branch(), first.top_via().unwrap().branch());
    assert!(second.header(Name::ProxyAuthorization).unwrap().contains("nonce=\"1\""));
    let third = bench.receive(&response(second, 407, "t", &challenge(2))).remove(1);
    bench.receive(&response(&third, 407, "t", &challenge(3)));
    assert_eq!(names(&bench.events(), 0), ["Refused"]);
    assert!(bench.agent.flow(id).is_none());
    bench.assert_empty();
}

#[test]
fn requests_in_a_dialog_are_challenged_too() {
    let mut bench = Bench::new();
    let account = ClientCredentials { username: "me".into(), password: "secret".into(), realm: None };
    let (id, invite) = bench.invite(|invite| invite.credentials = Some(account));
    bench.receive(&response(&invite, 200, "t", "Contact: <sip:q@192.0.2.2>\n"));
    bench.agent.ack(bench.now(), id, None);
    bench.agent.bye(bench.now(), id, None);
    let bye = bench.sent().remove(1);
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\n";
    let again = bench.receive(&response(&bye, 401, "", challenge)).remove(0);
    assert!(again.header(Name::Authorization).is_some());
    assert!(again.cseq().unwrap().number > bye.cseq().unwrap().number);
    bench.receive(&response(&again, 200, "", ""));
    assert_eq!(names(&bench.events(), 0), ["Answered", "Ended Local"]);
    bench.assert_empty();
}

#[test]
fn routes_of_the_answer_are_followed_in_reverse() {
    let mut bench = Bench::new();
    let (id, invite) = bench.invite(|invite| invite.route = vec!["<sip:out.example.com;lr>".into()]);
    assert_eq!(invite.header(Name::Route), Some("<sip:out.example.com;lr>"));
    let record = "Record-Route: <sip:far.example.com;lr>, <sip:192.0.2.2;lr>\nContact: <sip:q@far.example.com>\n";
    bench.receive(&response(&invite, 200, "t", record));
    bench.agent.ack(bench.now(), id, None);
    let ack = bench.sent().remove(0);
    assert_eq!(ack.request_uri(), "sip:q@far.example.com");
    assert_eq!(ack.values(Name::Route).collect::<Vec<_>>(), ["<sip:192.0.2.2;lr>", "<sip:far.example.com;lr>"]);
    assert_eq!(ack.cseq().unwrap().number, invite.cseq().unwrap().number);
    bench.agent.bye(bench.now(), id, None);
    bench.assert_empty();
}

#[test]
fn a_bye_that_overtakes_its_answer_ends_the_call() {
    let mut bench = Bench::new();
    let (_, invite) = bench.invite(|_| {});
    bench.receive(&response(&invite, 180, "t", ""));
    let tag = invite.from().unwrap().tag().unwrap();
    let bye = request("BYE", "b", tag, 1, "").replace("Call-ID: call", &format!("Call-ID: {}", invite.call_id()));
    let sent = bench.receive(&bye.replace("tag=peer", "tag=t"));
    assert_eq!((sent[0].status(), sent[1].method()), (200, &Method::Cancel));
    let sent = bench.receive(&response(&invite, 200, "t", "Contact: <sip:q@192.0.2.2>\n"));
    assert_eq!(sent.iter().map(|sent| sent.method().as_str()).collect::<Vec<_>>(), ["ACK", "BYE"]);
    assert_eq!(names(&bench.events(), 0), ["Progress", "Ended Peer { reason: None }"]);
    bench.assert_empty();
}

#[test]
fn a_question_in_a_session_answers_a_challenge_and_is_answered_once() {
    let mut bench = Bench::new();
    let credentials = ClientCredentials { username: "me".into(), password: "secret".into(), realm: None };
    let (id, invite) = bench.invite(|invite| invite.credentials = Some(credentials));
    bench.receive(&response(&invite, 200, "t", "Contact: <sip:p@192.0.2.2>\n"));
    bench.agent.ack(bench.now(), id, None);
    bench.sent();
    bench.events();
    let question = Question { method: Method::Refer, headers: vec![(Name::ReferTo, "<sip:c@x>".into())], body: None };
    bench.agent.ask(bench.now(), id, question).unwrap();
    let first = bench.sent().remove(0);
    assert!(first.header(Name::Contact).is_some() && first.header(Name::Authorization).is_none());
    let challenge = "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\"\n";
    let second = bench.receive(&response(&first, 401, "", challenge)).remove(0);
    assert_eq!(second.header(Name::ReferTo), Some("<sip:c@x>"));
    assert!(second.header(Name::Authorization).is_some());
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    assert!(bench.events().is_empty());
    bench.receive(&response(&second, 100, "", ""));
    bench.receive(&response(&second, 202, "", ""));
    bench.receive(&response(&second, 202, "", ""));
    assert_eq!(names(&bench.events(), 0), ["Replied"]);
    let question = Question { method: Method::Info, headers: Vec::new(), body: None };
    bench.agent.ask(bench.now(), id, question).unwrap();
    bench.pass(SECOND * 33);
    assert_eq!(names(&bench.events(), 0), ["Unanswered"]);
    bench.agent.bye(bench.now(), id, None);
    let bye = bench.sent().remove(0);
    bench.receive(&response(&bye, 200, "", ""));
    bench.assert_empty();
}

#[test]
fn questions_have_a_limit_and_end_with_the_session() {
    let mut bench = Bench::new();
    let (id, tag) = bench.answered();
    let question = || Question { method: Method::Info, headers: Vec::new(), body: None };
    for _ in 0..16 {
        bench.agent.ask(bench.now(), id, question()).unwrap();
    }
    assert!(bench.agent.ask(bench.now(), id, question()).is_err());
    let sent = bench.sent();
    bench.receive(&response(&sent[0], 200, "", ""));
    assert_eq!(names(&bench.events(), 0), ["Replied"]);
    bench.receive(&request("BYE", "e", &tag, 12, ""));
    bench.receive(&response(&sent[1], 200, "", ""));
    assert_eq!(names(&bench.events(), 0), ["Ended Peer { reason: None }"]);
    assert!(bench.agent.ask(bench.now(), id, question()).is_err());
    bench.assert_empty();
}
